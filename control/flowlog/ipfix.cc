#include "control/flowlog/ipfix.h"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>

#include "lib/proto/ip_protocol.h"

namespace podlane::control {

namespace {

constexpr uint16_t kIpfixVersion = 10;
constexpr uint16_t kTemplateSet = 2;
constexpr size_t kHeaderBytes = 16;
constexpr size_t kSetHeaderBytes = 4;
constexpr uint16_t kVariable = 65535;  ///< RFC 7011 section 7
constexpr size_t kMostName = 253;      ///< fits in one byte of length

void put(std::string& to, uint64_t number, unsigned bytes) {
    for (unsigned i = bytes; i-- > 0;) to += static_cast<char>(number >> (8 * i));
}

void put(std::string& to, const IpAddress& address) {
    const RawAddress raw = RawAddress::from(address);
    to.append(reinterpret_cast<const char*>(raw.bytes.data()), raw.is_v6 ? 16 : 4);
}

void put_name(std::string& to, std::string_view name) {
    name = name.substr(0, kMostName);
    put(to, name.size(), 1);
    to += name;
}

/// RFC 5102's flowEndReason: an idle timeout, an end that was seen, a lack of resources; a removal
/// counts as a forced end.
uint8_t end_reason(const LoggedFlow& flow) {
    switch (flow.end) {
        case FlowEnd::kEvicted:
            return 5;
        case FlowEnd::kRemoved:
            return 4;
        case FlowEnd::kExpired:
            break;
    }
    const bool is_over = flow.tcp_state == TcpState::kTimeWait ||
                         flow.tcp_state == TcpState::kClose || flow.tcp_state == TcpState::kLastAck;
    return is_over ? 3 : 1;
}

/// IANA's "forwarding status": forwarded; dropped by an ACL, for lack of a neighbour or a route, or
/// for another reason.
uint8_t forwarding_status(const LoggedFlow& flow) {
    if (flow.kind != FlowRecordKind::kDenied) return 64;
    if (flow.reason == Drop::kPolicyIngress || flow.reason == Drop::kPolicyEgress) return 129;
    if (flow.reason == Drop::kNeighbourUnreachable) return 132;
    return flow.reason == Drop::kNoRoute ? 131 : 128;
}

/// firewallEvent: created, deleted, denied.
uint8_t firewall_event(const LoggedFlow& flow) {
    switch (flow.kind) {
        case FlowRecordKind::kOpened:
            return 1;
        case FlowRecordKind::kClosed:
            return 2;
        case FlowRecordKind::kDenied:
            break;
    }
    return 3;
}

/// natEvent of RFC 8158 section 8.1: NAT44 session creation and deletion.
uint8_t nat_event(const LoggedFlow& flow) {
    return flow.kind == FlowRecordKind::kOpened ? 4 : 5;
}

std::string text_of(const std::vector<std::string>& policies) {
    std::string text;
    for (const std::string& each : policies) text += (text.empty() ? "" : ",") + each;
    return text;
}

/// An information element: IANA's number, and how it is written.
struct Element {
    uint16_t id;
    uint16_t bytes;  ///< kVariable: text
    void (*write)(const LoggedFlow& flow, std::string& to);
    bool reverse = false;  ///< the same for the reply direction: RFC 5103 section 6.1
};
/// The enterprise number that marks an IANA element as one of the reverse direction.
constexpr uint32_t kReverse = 29305;
constexpr uint16_t kEnterprise = 0x8000;

template <auto kMember, unsigned kBytes>
void number(const LoggedFlow& flow, std::string& to) {
    put(to, static_cast<uint64_t>(flow.*kMember), kBytes);
}
template <auto kMember>
void address(const LoggedFlow& flow, std::string& to) {
    put(to, flow.*kMember);
}
template <auto kMember>
void name(const LoggedFlow& flow, std::string& to) {
    put_name(to, flow.*kMember);
}
template <uint8_t (*kOf)(const LoggedFlow&)>
void byte(const LoggedFlow& flow, std::string& to) {
    put(to, kOf(flow), 1);
}

template <uint64_t (FlowTraffic::*kCounts)[2], size_t kDirection>
void traffic(const LoggedFlow& flow, std::string& to) {
    put(to, (flow.traffic.value_or(FlowTraffic{}).*kCounts)[kDirection], 8);
}

using F = LoggedFlow;
constexpr Element kTime{323, 8, number<&F::time_ms, 8>};
constexpr Element kStart{152, 8, number<&F::start_ms, 8>};
constexpr Element kEnd{153, 8, number<&F::end_ms, 8>};
constexpr Element kProtocol{4, 1, number<&F::protocol, 1>};
constexpr Element kSourcePort{7, 2, number<&F::src_port, 2>};
constexpr Element kDestinationPort{11, 2, number<&F::dst_port, 2>};
constexpr Element kPostSourcePort{227, 2, number<&F::translated_src_port, 2>};
constexpr Element kPostDestinationPort{228, 2, number<&F::translated_dst_port, 2>};
constexpr Element kFirewallEvent{233, 1, byte<firewall_event>};
constexpr Element kForwardingStatus{89, 1, byte<forwarding_status>};
constexpr Element kEndReason{136, 1, byte<end_reason>};
constexpr Element kNatEvent{230, 1, byte<nat_event>};
constexpr Element kSource4{8, 4, address<&F::src>};
constexpr Element kDestination4{12, 4, address<&F::dst>};
constexpr Element kPostSource4{225, 4, address<&F::translated_src>};
constexpr Element kPostDestination4{226, 4, address<&F::translated_dst>};
constexpr Element kSource6{27, 16, address<&F::src>};
constexpr Element kDestination6{28, 16, address<&F::dst>};
constexpr Element kPostSource6{281, 16, address<&F::translated_src>};
constexpr Element kPostDestination6{282, 16, address<&F::translated_dst>};
constexpr Element kPackets{2, 8, number<&F::packets, 8>};
constexpr Element kDropped{133, 8, number<&F::packets, 8>};
/// The Service, the port where the connection came in, the pods at its ends, and policies. IANA has
/// no element for a pod or a policy. Of two virtual station names, the first is the source's and
/// the second the destination's (RFC 7011 section 8).
constexpr Element kService{96, kVariable, name<&F::service>};
constexpr Element kInterface{82, kVariable, name<&F::in_port>};
constexpr Element kFromPod{350, kVariable, name<&F::from_pod>};
constexpr Element kToPod{350, kVariable, name<&F::to_pod>};
constexpr Element kPolicies{
    335, kVariable, [](const F& flow, std::string& to) { put_name(to, text_of(flow.policies)); }};

/// The parts of the templates, in order.
constexpr std::array kTimes{kTime, kStart, kEnd};
constexpr std::array kEnds4{kSource4, kDestination4};
constexpr std::array kPostEnds4{kPostSource4, kPostDestination4};
constexpr std::array kEnds6{kSource6, kDestination6};
constexpr std::array kPostEnds6{kPostSource6, kPostDestination6};
constexpr std::array kPorts{kSourcePort, kDestinationPort};
constexpr std::array kPostPorts{kPostSourcePort, kPostDestinationPort};
constexpr std::array kEvent{kProtocol, kFirewallEvent, kForwardingStatus};
constexpr std::array kEventOfNat{kProtocol, kNatEvent, kFirewallEvent, kForwardingStatus};
constexpr std::array kOfStart{kService, kInterface, kFromPod, kToPod};
constexpr std::array kOfEnd{kEndReason, kService, kFromPod, kToPod};
constexpr std::array kOfDenial{kPackets, kDropped, kService, kInterface,
                               kFromPod, kToPod,   kPolicies};

template <size_t... kCounts>
constexpr auto joined(const std::array<Element, kCounts>&... parts) {
    std::array<Element, (kCounts + ...)> out{};
    auto at = out.begin();
    ((at = std::ranges::copy(parts, at).out), ...);
    return out;
}

constexpr auto kStart4 = joined(kTimes, kEnds4, kPorts, kEvent, kOfStart);
constexpr auto kNatStart4 =
    joined(kTimes, kEnds4, kPostEnds4, kPorts, kPostPorts, kEventOfNat, kOfStart);
constexpr auto kEnd4 = joined(kTimes, kEnds4, kPorts, kEvent, kOfEnd);
constexpr auto kNatEnd4 =
    joined(kTimes, kEnds4, kPostEnds4, kPorts, kPostPorts, kEventOfNat, kOfEnd);
constexpr auto kDenied4 = joined(kTimes, kEnds4, kPorts, kEvent, kOfDenial);
constexpr auto kStart6 = joined(kTimes, kEnds6, kPostEnds6, kPorts, kPostPorts, kEvent, kOfStart);
constexpr auto kEnd6 = joined(kTimes, kEnds6, kPostEnds6, kPorts, kPostPorts, kEvent, kOfEnd);
constexpr auto kDenied6 = joined(kTimes, kEnds6, kPorts, kEvent, kOfDenial);

/// The same, with the connection's traffic counts.
template <size_t kCount>
constexpr std::array<Element, kCount + 4> counted(const std::array<Element, kCount>& elements) {
    constexpr std::array kCounts{
        Element{2, 8, traffic<&FlowTraffic::packets, 0>},
        Element{1, 8, traffic<&FlowTraffic::bytes, 0>},
        Element{2, 8, traffic<&FlowTraffic::packets, 1>, true},
        Element{1, 8, traffic<&FlowTraffic::bytes, 1>, true},
    };
    std::array<Element, kCount + 4> out{};
    std::copy(elements.begin(), elements.end(), out.begin());
    std::copy(kCounts.begin(), kCounts.end(), out.begin() + kCount);
    return out;
}
constexpr auto kCountedEnd4 = counted(kEnd4);
constexpr auto kCountedNatEnd4 = counted(kNatEnd4);
constexpr auto kCountedEnd6 = counted(kEnd6);

struct Template {
    uint16_t id;
    std::span<const Element> elements;
};
constexpr std::array<Template, 11> kTemplates{{{256, kStart4},
                                               {257, kNatStart4},
                                               {258, kEnd4},
                                               {259, kNatEnd4},
                                               {260, kDenied4},
                                               {261, kStart6},
                                               {262, kEnd6},
                                               {263, kDenied6},
                                               {264, kCountedEnd4},
                                               {265, kCountedNatEnd4},
                                               {266, kCountedEnd6}}};

const Template& template_of(const LoggedFlow& flow) {
    const bool is_v4 = flow.src.is_v4();
    const bool is_nat = is_v4 && flow.is_translated();
    switch (flow.kind) {
        case FlowRecordKind::kOpened:
            return kTemplates[is_v4 ? (is_nat ? 1 : 0) : 5];
        case FlowRecordKind::kClosed:
            if (flow.traffic) return kTemplates[is_v4 ? (is_nat ? 9 : 8) : 10];
            return kTemplates[is_v4 ? (is_nat ? 3 : 2) : 6];
        case FlowRecordKind::kDenied:
            break;
    }
    return kTemplates[is_v4 ? 4 : 7];
}

std::string template_set() {
    std::string records;
    for (const Template& each : kTemplates) {
        put(records, each.id, 2);
        put(records, each.elements.size(), 2);
        for (const Element& element : each.elements) {
            put(records, element.id | (element.reverse ? kEnterprise : 0), 2);
            put(records, element.bytes, 2);
            if (element.reverse) put(records, kReverse, 4);
        }
    }
    std::string set;
    put(set, kTemplateSet, 2);
    put(set, kSetHeaderBytes + records.size(), 2);
    return set + records;
}

}  // namespace

bool IpfixEncoder::add(const LoggedFlow& flow) {
    const Template& form = template_of(flow);
    std::string record;
    for (const Element& element : form.elements) element.write(flow, record);
    const bool continues = !sets_.empty() && sets_.back().id == form.id;
    const size_t more = record.size() + (continues ? 0 : kSetHeaderBytes);
    if (records_ != 0 && kHeaderBytes + bytes_ + more > kMostBytes) return false;
    if (!continues) sets_.push_back({form.id, {}});
    sets_.back().bytes += record;
    bytes_ += more;
    ++records_;
    return true;
}

std::string IpfixEncoder::header(size_t bytes, uint64_t now_ms) const {
    std::string out;
    put(out, kIpfixVersion, 2);
    put(out, kHeaderBytes + bytes, 2);
    put(out, now_ms / 1000, 4);
    put(out, sequence_, 4);
    put(out, domain_, 4);
    return out;
}

std::string IpfixEncoder::templates(uint64_t now_ms) {
    templates_ms_ = now_ms;
    const std::string set = template_set();
    return header(set.size(), now_ms) + set;
}

std::string IpfixEncoder::finish(uint64_t now_ms) {
    std::string message = header(bytes_, now_ms);
    for (const Set& set : sets_) {
        put(message, set.id, 2);
        put(message, kSetHeaderBytes + set.bytes.size(), 2);
        message += set.bytes;
    }
    sequence_ += static_cast<uint32_t>(records_);
    sets_.clear();
    bytes_ = records_ = 0;
    return message;
}

}  // namespace podlane::control
