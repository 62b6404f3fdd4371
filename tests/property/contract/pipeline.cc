#include "tests/property/contract/pipeline.h"

#include <fmt/format.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "lib/proto/sctp.h"

namespace podlane::contract {

namespace {

using control::test::RandomObjects;
using dataplane::Frame;
using dataplane::look;
using dataplane::Rig;
using dataplane::RigNames;

constexpr size_t kOuterBytes = 50;  // Ethernet, IPv4, UDP, VXLAN
constexpr Rig::Who kPorts[] = {Rig::kPodA, Rig::kPodB, Rig::kUplink, Rig::kHost};

Rig::Who port_of(const Packet& packet) {
    if (packet.from == From::kHost) return Rig::kHost;
    if (packet.from != From::kPod) return Rig::kUplink;
    return packet.src == Subject::pod(0, packet.src.is_v6()) ? Rig::kPodA : Rig::kPodB;
}

bool is_remote_pod(const IpAddress& address) {
    return to_string(address).starts_with(address.is_v6() ? "fd00:10:2:" : "10.244.2.");
}

/// The first layers of a frame that comes in by the port; `tunnelled`: from the other node's pods.
test::Frame coming_by(Rig::Who port, bool tunnelled) {
    switch (port) {
        case Rig::kPodA:
            return test::frame().eth(RigNames::kPodAMac, RigNames::kGatewayMac);
        case Rig::kPodB:
            return test::frame().eth(RigNames::kPodBMac, RigNames::kGatewayMac);
        case Rig::kHost:
            return test::frame().eth(RigNames::kUplinkMac, RigNames::kGatewayMac);
        case Rig::kUplink:
            break;
    }
    if (!tunnelled) return test::frame().eth(RigNames::kPeerMac, RigNames::kUplinkMac);
    return test::frame()
        .eth(RigNames::kPeerMac, RigNames::kUplinkMac)
        .ip("192.168.50.2", "192.168.50.1")
        .udp(50000, 8472)
        .vxlan(1)
        .eth(RigNames::kPeerVtepMac, RigNames::kVtepMac);
}

Frame whole(test::Frame frame, const IpAddress& src, uint16_t src_port, const IpAddress& dst,
            uint16_t dst_port, uint8_t protocol, uint8_t tcp_flags) {
    frame.ip(src, dst);
    if (protocol == kProtocolTcp) {
        frame.tcp(src_port, dst_port, tcp_flags);
    } else if (protocol == kProtocolUdp) {
        frame.udp(src_port, dst_port);
    } else if (protocol == kProtocolSctp) {
        frame.sctp(src_port, dst_port);
    } else {
        frame.icmp_echo(src_port, 1);
    }
    return frame.payload(20).build();
}

/// The content of the frame, out of its tunnel, with checksums checked.
template <Family F>
dataplane::Seen<F> unwrap(const Frame& sent, bool tunnelled) {
    const Frame frame = tunnelled ? Frame(sent.begin() + kOuterBytes, sent.end()) : sent;
    auto got = look<F>(frame);
    if (got.headers.protocol == kProtocolSctp) {
        const auto packet = std::span(frame).subspan(got.headers.l4_offset, got.headers.l4_bytes());
        got.checksums_ok = load<SctpHeader>(packet.data()).checksum == sctp_checksum(packet);
    }
    return got;
}

bool is_tunnelled(const Frame& frame) {
    Headers headers;
    return parse_frame(frame, static_cast<uint32_t>(frame.size()), headers) == Drop::kNone &&
           headers.ip_version == 4 && headers.protocol == kProtocolUdp &&
           flow_key<V4>(frame.data(), headers).dst_port == be16(8472);
}

/// False only for the pod of this node that has no port here.
bool is_reachable(const Target& target) {
    return target.address != RandomObjects::pod_ip(target.address.is_v6(), 1, Subject::kPods);
}

}  // namespace

Pipeline::Pipeline(Subject& subject) : subject_(subject) {
    std::string name = "/dev/shm/contract-XXXXXX";
    folder_ = ::mkdtemp(name.data());
    start();
}

Pipeline::~Pipeline() {
    rig_.reset();
    std::filesystem::remove_all(folder_);
}

void Pipeline::start() {
    // Every other one has another capacity, or other workers: flows are copied, not adopted.
    const unsigned workers = 1 + starts_ / 2 % 2;
    const uint32_t capacity = starts_ % 2 == 0 ? 1024 : 2048;
    ++starts_;
    rig_ = std::make_unique<Rig>(workers, capacity, false,
                                 dataplane::RigMemory{.kept_flows = folder_,
                                                      .first_port = 0,
                                                      .log = {},
                                                      .traffic = false,
                                                      .first = subject_.shared_snapshot()});
    follow();
}

void Pipeline::restart() {
    rig_.reset();
    start();
}

void Pipeline::follow() {
    rig_->change([this](Snapshot& next) { next = subject_.snapshot(); });
}

uint64_t Pipeline::drops(std::initializer_list<Drop> reasons) const {
    uint64_t sum = 0;
    for (const Drop reason : reasons) sum += rig_->drops(reason);
    return sum;
}

template <Family F>
Pipeline::Seen Pipeline::send_in(const Packet& packet) {
    const auto lost = [this] {
        return drops(
            {Drop::kServiceSourceRange, Drop::kServiceNoLocalEndpoints, Drop::kServiceUnallocated});
    };
    const auto refused = [this] {
        return drops({Drop::kServiceNoEndpoints, Drop::kServiceUndefinedPort});
    };
    const uint64_t lost_before = lost();
    const uint64_t refused_before = refused();
    const Rig::Who in = port_of(packet);
    rig_->send(in, whole(coming_by(in, packet.from == From::kOverlay), packet.src, packet.src_port,
                         packet.dst, packet.dst_port, packet.protocol, kTcpSyn));
    std::vector<std::pair<Rig::Who, Frame>> out;
    for (const Rig::Who who : kPorts) {
        for (Frame& frame : rig_->take(who)) out.emplace_back(who, std::move(frame));
    }
    const bool is_lost = lost() != lost_before;
    Seen seen{What::kNoService, {}, fmt::format("{} frames sent", out.size())};
    if (out.empty() && is_lost) seen = {What::kDrop, {}, "dropped"};
    // ICMP errors are rate-limited; resets are not.
    if (out.empty() && refused() != refused_before && packet.protocol != kProtocolTcp) {
        seen = {What::kReject, {}, "rejected"};
        ++untold_;
    }
    if (out.size() != 1 || is_lost) return seen;
    const auto& [who, frame] = out.front();
    const bool tunnelled = is_tunnelled(frame);
    const auto got = unwrap<F>(frame, tunnelled);
    seen.text = fmt::format("{} by port {}", dataplane::text(got.key), static_cast<int>(who));
    if (refused() != refused_before) {
        const bool is_told =
            got.key.dst == packet.src.as<F>() && who == in &&
            (packet.protocol == kProtocolTcp ? (got.headers.tcp_flags & kTcpRst) != 0
                                             : got.headers.has(Headers::kIcmpError));
        if (is_told) seen.what = What::kReject;
        return seen;
    }
    const IpAddress dst(got.key.dst);
    if (dst == packet.dst && got.key.dst_port == be16(packet.dst_port)) return seen;
    seen.target = {dst, got.key.dst_port.host(), IpAddress(got.key.src) != packet.src};
    if (!got.checksums_ok) {
        seen.text += ", its checksum is wrong";
    } else if (!answers<F>(packet, got.key, who, tunnelled)) {
        seen.text += ", its answer does not come back";
    } else {
        seen.what = What::kForward;
    }
    return seen;
}

/// Whether the endpoint's reply reaches the client as from the Service.
template <Family F>
bool Pipeline::answers(const Packet& packet, const FlowKey<F>& forwarded, Rig::Who out,
                       bool tunnelled) {
    rig_->send(out, whole(coming_by(out, tunnelled), IpAddress(forwarded.dst),
                          forwarded.dst_port.host(), IpAddress(forwarded.src),
                          forwarded.src_port.host(), packet.protocol, kTcpSyn | kTcpAck));
    bool comes = false;
    for (const Rig::Who who : kPorts) {
        for (const Frame& frame : rig_->take(who)) {
            const auto got = unwrap<F>(frame, is_tunnelled(frame));
            if (comes || who != port_of(packet)) return false;
            comes = got.checksums_ok && got.key.src == packet.dst.as<F>() &&
                    got.key.dst == packet.src.as<F>() &&
                    got.key.src_port == be16(packet.dst_port) &&
                    got.key.dst_port == be16(packet.src_port);
        }
    }
    return comes;
}

Pipeline::Seen Pipeline::send(const Packet& packet) {
    return packet.dst.is_v4() ? send_in<V4>(packet) : send_in<V6>(packet);
}

std::string Pipeline::judge(const Packet& packet, const Expected& expected, const Seen& seen) {
    bool right = seen.what == expected.what;
    if (expected.what == What::kForward) {
        const auto& targets = expected.targets;
        right = right && std::binary_search(targets.begin(), targets.end(), seen.target);
        // Nothing is sent to a pod without a port here.
        right = right || (seen.what == What::kNoService &&
                          !std::all_of(targets.begin(), targets.end(), is_reachable));
    }
    if (right) return "";
    return fmt::format("{}: expected {}, got {}: {}", to_string(packet), to_string(expected),
                       to_string(Expected{seen.what, {}, {}, 0, {}}), seen.text);
}

std::optional<std::string> Pipeline::open(Packet packet) {
    // So that no reply has the port of another connection.
    packet.src_port = static_cast<uint16_t>(packet.src_port | 0x8000);
    const bool fresh =
        used_.insert({packet.src, packet.dst, packet.protocol, packet.src_port, packet.dst_port})
            .second;
    if (!fresh) return std::nullopt;
    // Packets of another node's pod come only through the tunnel; the guard has its own tests for
    // that.
    if (packet.from == From::kUplink && is_remote_pod(packet.src)) return std::nullopt;
    const Expected expected = expect(subject_.cluster(), packet);
    const Seen seen = send(packet);
    std::string wrong = judge(packet, expected, seen);
    if (!wrong.empty()) return wrong;
    if (seen.what == What::kForward) flows_.push_back({packet, seen.target});
    const bool is_datagram = packet.protocol == kProtocolUdp;
    if (seen.what == What::kNoService && expected.what == What::kNoService && is_datagram) {
        flows_.push_back({packet, std::nullopt});
    }
    return "";
}

std::optional<std::string> Pipeline::go_on() {
    if (flows_.empty()) return std::nullopt;
    Flow& flow = flows_[subject_.random().below(static_cast<unsigned>(flows_.size()))];
    const Packet& packet = flow.packet;
    const bool stays = flow.target && (packet.protocol != kProtocolUdp ||
                                       may_stay(subject_.cluster(), packet, flow.target->address,
                                                flow.target->port));
    Expected expected = expect(subject_.cluster(), packet);
    if (stays) expected = {What::kForward, {*flow.target}, {}, 0, {}};
    const Seen seen = send(packet);
    std::string wrong = judge(packet, expected, seen);
    if (!wrong.empty()) {
        return wrong + (flow.target ? ", at first " + podlane::to_string(flow.target->address,
                                                                         flow.target->port)
                                    : ", no Service's at first");
    }
    if (seen.what == What::kForward) {
        repicked_ += !flow.target || *flow.target != seen.target;
        flow.target = seen.target;
    } else {
        flow.target.reset();
    }
    return "";
}

}  // namespace podlane::contract
