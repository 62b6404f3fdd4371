#include "control/capture/packet_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "lib/base/ip_address.h"
#include "lib/base/mac.h"
#include "lib/proto/arp.h"
#include "lib/proto/ethernet.h"
#include "lib/proto/icmp.h"
#include "lib/proto/ip_protocol.h"
#include "lib/proto/ipv4.h"
#include "lib/proto/ipv6.h"
#include "lib/proto/nd.h"
#include "lib/proto/overlay.h"
#include "lib/proto/parse.h"
#include "lib/proto/tcp.h"
#include "lib/proto/udp.h"

namespace podlane::control {

namespace {

constexpr uint16_t kEtherTypeOfArp = 0x0806;

/// What the text shows of a frame.
struct Facts {
    MacAddress src_mac{}, dst_mac{};
    uint16_t ether_type = 0;
    std::optional<IpAddress> src, dst;
    uint16_t src_port = 0, dst_port = 0;
    bool has_ports = false;
    uint8_t protocol = 0, ttl = 0, tcp_flags = 0;
    bool is_fragment = false;
    size_t payload_at = 0;
    std::string message;  ///< of ICMP and ARP: what it says
};

struct IcmpWord {
    uint8_t type;
    int code;  ///< -1: any
    const char* word;
};

constexpr IcmpWord kIcmpWords[] = {
    {kIcmpEchoRequest, -1, "echo request"},
    {kIcmpEchoReply, -1, "echo reply"},
    {kIcmpUnreachable, kIcmpNetUnreachable, "net unreachable"},
    {kIcmpUnreachable, kIcmpHostUnreachable, "host unreachable"},
    {kIcmpUnreachable, kIcmpPortUnreachable, "port unreachable"},
    {kIcmpUnreachable, kIcmpFragmentationNeeded, "fragmentation needed"},
    {kIcmpUnreachable, kIcmpAdminProhibited, "prohibited"},
    {kIcmpUnreachable, -1, "unreachable"},
    {kIcmpRedirect, -1, "redirect"},
    {kIcmpRouterAdvertisement, -1, "router advertisement"},
    {kIcmpTimeExceeded, -1, "time exceeded"},
    {kIcmpParameterProblem, -1, "parameter problem"},
};

constexpr IcmpWord kIcmpv6Words[] = {
    {kIcmpv6EchoRequest, -1, "echo request"},
    {kIcmpv6EchoReply, -1, "echo reply"},
    {kIcmpv6Unreachable, kIcmpv6NoRoute, "no route"},
    {kIcmpv6Unreachable, kIcmpv6AdminProhibited, "prohibited"},
    {kIcmpv6Unreachable, kIcmpv6AddressUnreachable, "address unreachable"},
    {kIcmpv6Unreachable, kIcmpv6PortUnreachable, "port unreachable"},
    {kIcmpv6Unreachable, -1, "unreachable"},
    {kIcmpv6PacketTooBig, -1, "packet too big"},
    {kIcmpv6TimeExceeded, -1, "time exceeded"},
    {kIcmpv6ParameterProblem, -1, "parameter problem"},
    {kNdRouterSolicitation, -1, "router solicitation"},
    {kNdRouterAdvertisement, -1, "router advertisement"},
    {kNdNeighbourSolicitation, -1, "neighbour solicitation"},
    {kNdNeighbourAdvertisement, -1, "neighbour advertisement"},
    {kNdRedirect, -1, "redirect"},
};

std::string icmp_word(std::span<const IcmpWord> words, uint8_t type, uint8_t code) {
    for (const IcmpWord& each : words) {
        if (each.type == type && (each.code == -1 || each.code == code)) return each.word;
    }
    return fmt::format("type {}", type);
}

std::string endpoints_text(uint8_t protocol, const IpAddress& src, const IpAddress& dst,
                           std::optional<std::pair<uint16_t, uint16_t>> ports);

/// " about TCP 10.244.1.10:4000 > 10.244.2.10:80": the packet that an error quotes.
template <Family F>
std::string quoted_text(const FrameView& frame, const Headers& headers) {
    if (!headers.has(Headers::kIcmpError)) return {};
    Headers quoted{};
    if (parse_quoted_packet<F>(frame.bytes, headers.payload_offset, quoted) != Drop::kNone) {
        return {};
    }
    const uint8_t* const bytes = frame.bytes.data();
    std::optional<std::pair<uint16_t, uint16_t>> ports;
    if (quoted.has(Headers::kPorts)) {
        ports = {load<be16>(bytes + quoted.l4_offset).host(),
                 load<be16>(bytes + quoted.l4_offset + 2).host()};
    }
    return " about " + endpoints_text(quoted.protocol, IpAddress(src_address<F>(bytes, quoted)),
                                      IpAddress(dst_address<F>(bytes, quoted)), ports);
}

template <Family F>
std::string icmp_text(const FrameView& frame, const Headers& headers) {
    const bool has_header = headers.protocol == F::kIcmpProtocol && headers.l4_offset != 0 &&
                            frame.bytes.size() >= headers.l4_offset + sizeof(IcmpHeader);
    if (!has_header) return {};
    const std::span<const IcmpWord> words =
        std::same_as<F, V4> ? std::span<const IcmpWord>(kIcmpWords) : kIcmpv6Words;
    return icmp_word(words, headers.icmp_type, frame.bytes[headers.l4_offset + 1u]) +
           quoted_text<F>(frame, headers);
}

/// "request for 10.244.1.1 by 10.244.1.10"; empty if there is no ARP for IPv4 in the frame.
std::string arp_text(const FrameView& frame) {
    if (frame.bytes.size() < sizeof(EthernetHeader) + sizeof(ArpPacket)) return {};
    const auto arp = load<ArpPacket>(frame.bytes.data() + sizeof(EthernetHeader));
    const std::string sender = to_string(IpAddress(arp.sender()));
    switch (arp.operation.host()) {
        case kArpRequest:
            return fmt::format("request for {} by {}", to_string(IpAddress(arp.target())), sender);
        case kArpReply:
            return fmt::format("reply: {} is at {}", sender, to_string(arp.sender_mac));
        default:
            return {};
    }
}

template <Family F>
void read_ip(const FrameView& frame, const Headers& headers, Facts& out) {
    out.src = IpAddress(src_address<F>(frame.bytes.data(), headers));
    out.dst = IpAddress(dst_address<F>(frame.bytes.data(), headers));
    out.ttl = frame.bytes[headers.l3_offset + (std::same_as<F, V4> ? 8u : 7u)];
    out.message = icmp_text<F>(frame, headers);
}

std::optional<Facts> facts_of(const FrameView& frame) {
    if (frame.bytes.size() < sizeof(EthernetHeader)) return std::nullopt;
    Headers headers{};
    const Drop bad = parse_frame(frame.bytes, frame.wire_bytes, headers);
    Facts out;
    std::copy_n(frame.bytes.data(), 6, out.dst_mac.bytes.data());
    std::copy_n(frame.bytes.data() + 6, 6, out.src_mac.bytes.data());
    out.ether_type = static_cast<uint16_t>(frame.bytes[12] << 8 | frame.bytes[13]);
    if (out.ether_type == kEtherTypeOfArp) out.message = arp_text(frame);
    if (bad != Drop::kNone || headers.ip_version == 0) return out;
    const uint8_t* const bytes = frame.bytes.data();
    if (headers.ip_version == V4::kVersion) {
        read_ip<V4>(frame, headers, out);
    } else {
        read_ip<V6>(frame, headers, out);
    }
    out.protocol = headers.protocol;
    out.tcp_flags = headers.tcp_flags;
    out.is_fragment = headers.has(Headers::kFragment);
    out.has_ports = headers.has(Headers::kPorts);
    if (out.has_ports) {
        out.src_port = load<be16>(bytes + headers.l4_offset).host();
        out.dst_port = load<be16>(bytes + headers.l4_offset + 2).host();
    }
    out.payload_at = headers.payload_offset;
    return out;
}

std::string protocol_word(uint8_t protocol) {
    switch (protocol) {
        case kProtocolTcp:
            return "TCP";
        case kProtocolUdp:
            return "UDP";
        case kProtocolSctp:
            return "SCTP";
        case kProtocolIcmp:
            return "ICMP";
        case kProtocolIcmpv6:
            return "ICMPv6";
        default:
            return fmt::format("protocol {}", protocol);
    }
}

std::string flags_word(uint8_t flags) {
    constexpr std::pair<uint8_t, const char*> kFlags[] = {
        {0x02, "SYN"}, {0x01, "FIN"}, {0x04, "RST"}, {0x10, "ACK"}};
    std::string out;
    for (const auto& [bit, word] : kFlags) {
        if ((flags & bit) != 0) out += fmt::format("{}{}", out.empty() ? " " : ",", word);
    }
    return out;
}

std::string end_text(const IpAddress& address, bool has_port, uint16_t port) {
    return has_port ? to_string(address, port) : to_string(address);
}

std::string endpoints_text(uint8_t protocol, const IpAddress& src, const IpAddress& dst,
                           std::optional<std::pair<uint16_t, uint16_t>> ports) {
    return fmt::format("{} {} > {}", protocol_word(protocol),
                       end_text(src, ports.has_value(), ports ? ports->first : uint16_t{0}),
                       end_text(dst, ports.has_value(), ports ? ports->second : uint16_t{0}));
}

/// A tunnel packet's format, and the inner frame.
struct Tunnelled {
    std::string_view name;
    FrameView frame;
};

/// Recognised by the UDP port alone; nothing else tells.
std::optional<Tunnelled> inner_of(const FrameView& frame, const Facts& facts) {
    if (facts.protocol != kProtocolUdp || !facts.has_ports) return std::nullopt;
    const OverlayFormatInfo* const info = overlay_of_port(facts.dst_port);
    if (info == nullptr || facts.payload_at >= frame.bytes.size()) return std::nullopt;
    const auto header = read_overlay_header(info->format, frame.bytes.subspan(facts.payload_at));
    if (!header) return std::nullopt;
    const size_t at = facts.payload_at + header->bytes;
    if (at >= frame.bytes.size()) return std::nullopt;
    return Tunnelled{info->name,
                     {frame.bytes.subspan(at), frame.wire_bytes - static_cast<uint32_t>(at)}};
}

std::string text_of(const Facts& facts) {
    if (!facts.src) {
        if (facts.ether_type == kEtherTypeOfArp) {
            return fmt::format("ARP {}{}{} > {}", facts.message, facts.message.empty() ? "" : ", ",
                               to_string(facts.src_mac), to_string(facts.dst_mac));
        }
        return fmt::format("EtherType 0x{:04x} {} > {}", facts.ether_type, to_string(facts.src_mac),
                           to_string(facts.dst_mac));
    }
    std::optional<std::pair<uint16_t, uint16_t>> ports;
    if (facts.has_ports) ports = {facts.src_port, facts.dst_port};
    return fmt::format("{}{}{}{}{}", endpoints_text(facts.protocol, *facts.src, *facts.dst, ports),
                       flags_word(facts.tcp_flags), facts.message.empty() ? "" : " ", facts.message,
                       facts.is_fragment ? " fragment" : "");
}

void compare(std::vector<std::string>& out, std::string_view what, const std::string& before,
             const std::string& after) {
    if (before != after) out.push_back(fmt::format("{} {} becomes {}", what, before, after));
}

}  // namespace

std::string packet_summary(const FrameView& frame) {
    const auto facts = facts_of(frame);
    if (!facts) return fmt::format("{} bytes, too few for a frame", frame.wire_bytes);
    std::string out = fmt::format("{}, {} bytes", text_of(*facts), frame.wire_bytes);
    if (const auto inner = inner_of(frame, *facts)) {
        out = fmt::format("{} {} > {}: {}", inner->name, to_string(*facts->src),
                          to_string(*facts->dst), packet_summary(inner->frame));
    }
    return out;
}

std::string packet_identity(const FrameView& frame) {
    constexpr size_t kMostPayload = 32;
    const auto facts = facts_of(frame);
    if (!facts || !facts->src) return {};
    if (const auto inner = inner_of(frame, *facts)) return packet_identity(inner->frame);
    Headers headers{};
    if (parse_frame(frame.bytes, frame.wire_bytes, headers) != Drop::kNone) return {};
    std::string out = fmt::format("{} {} {} {} ", to_string(*facts->src), to_string(*facts->dst),
                                  facts->protocol, headers.l3_bytes);
    const auto append = [&](size_t from, size_t to) {
        to = std::min(to, frame.bytes.size());
        if (from < to) {
            out.append(reinterpret_cast<const char*>(frame.bytes.data()) + from, to - from);
        }
    };
    if (headers.ip_version == V4::kVersion) {
        // Identification, flags, offset and TTL.
        append(headers.l3_offset + offsetof(Ipv4Header, id),
               headers.l3_offset + offsetof(Ipv4Header, ttl) + 1);
    } else {
        append(headers.l3_offset + offsetof(Ipv6Header, hop_limit),
               headers.l3_offset + offsetof(Ipv6Header, hop_limit) + 1);
    }
    const size_t l4 = headers.l4_offset;
    const size_t end = std::min<size_t>(headers.payload_offset + kMostPayload, headers.l3_end());
    if (l4 == 0 || headers.has(Headers::kFragment)) {
        append(headers.l3_offset +
                   (headers.ip_version == V4::kVersion ? V4::kMinHeaderBytes : V6::kMinHeaderBytes),
               end);
        return out;
    }
    // A device may fill in a checksum after the first node has seen the packet.
    size_t checksum = l4;
    if (facts->protocol == kProtocolTcp) checksum = l4 + offsetof(TcpHeader, checksum);
    if (facts->protocol == kProtocolUdp) checksum = l4 + offsetof(UdpHeader, checksum);
    append(l4, checksum);
    append(checksum == l4 ? l4 : checksum + sizeof(be16), end);
    return out;
}

std::vector<std::string> packet_changes(const FrameView& before, const FrameView& after) {
    std::vector<std::string> out;
    auto old = facts_of(before);
    auto now = facts_of(after);
    if (!old || !now) return out;
    const auto old_inner = inner_of(before, *old);
    const auto new_inner = inner_of(after, *now);
    if (old_inner.has_value() != new_inner.has_value()) {
        const Facts& tunnel = old_inner ? *old : *now;
        out.push_back(fmt::format("tunnel {} > {} {}", to_string(*tunnel.src),
                                  to_string(*tunnel.dst), old_inner ? "ends" : "begins"));
        if (old_inner) {
            old = facts_of(old_inner->frame);
        } else {
            now = facts_of(new_inner->frame);
        }
        if (!old || !now) return out;
    }
    compare(out, "source MAC", to_string(old->src_mac), to_string(now->src_mac));
    compare(out, "destination MAC", to_string(old->dst_mac), to_string(now->dst_mac));
    if (!old->src || !now->src) return out;
    compare(out, "source", end_text(*old->src, old->has_ports, old->src_port),
            end_text(*now->src, now->has_ports, now->src_port));
    compare(out, "destination", end_text(*old->dst, old->has_ports, old->dst_port),
            end_text(*now->dst, now->has_ports, now->dst_port));
    compare(out, "TTL", std::to_string(old->ttl), std::to_string(now->ttl));
    return out;
}

}  // namespace podlane::control
