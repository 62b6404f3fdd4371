#include "tests/property/contract/judge.h"

#include <fmt/format.h>

#include <algorithm>

#include "lib/decide/decide.h"

namespace podlane::contract {

namespace {

PortKind port_kind(From from) noexcept {
    switch (from) {
        case From::kPod:
            return PortKind::kPod;
        case From::kHost:
            return PortKind::kHost;
        case From::kUplink:
        case From::kOverlay:
            break;
    }
    return PortKind::kUplink;
}

bool is_service_drop(Drop reason) noexcept {
    return reason == Drop::kServiceSourceRange || reason == Drop::kServiceNoLocalEndpoints ||
           reason == Drop::kServiceUnallocated;
}

}  // namespace

template <Family F>
std::string Judge::judge(const Snapshot& snapshot, const Expected& expected, const Packet& packet) {
    const FlowKey<F> key{packet.src.as<F>(),
                         packet.dst.as<F>(),
                         be16(packet.src_port),
                         be16(packet.dst_port),
                         packet.protocol,
                         0,
                         0};
    const bool overlay = packet.from == From::kOverlay;
    const PathQuery<F> query{
        key, port_kind(packet.from), overlay, service_hash(key), &tables_.of<F>(), now_s_};
    NoTrace trace;
    const PathDecision<F> decision = decide(snapshot, query, trace);
    const std::string seen = fmt::format(
        "{} ({}), to {}{}", to_string(decision.verdict), drop_info(decision.reason).name,
        podlane::to_string(IpAddress(decision.to.dst), decision.to.dst_port.host()),
        decision.masquerade ? " masqueraded" : "");
    switch (expected.what) {
        case What::kNoService:
            if (decision.translated || decision.verdict == PathVerdict::kReject) return seen;
            return is_service_drop(decision.reason) ? seen : "";
        case What::kReject:
            return decision.verdict == PathVerdict::kReject ? "" : seen;
        case What::kDrop:
            return decision.verdict == PathVerdict::kDrop && is_service_drop(decision.reason)
                       ? ""
                       : seen;
        case What::kForward:
            break;
    }
    const Target got{decision.to.dst, decision.to.dst_port.host(), decision.masquerade};
    if (!decision.translated ||
        !std::binary_search(expected.targets.begin(), expected.targets.end(), got)) {
        return seen;
    }
    if (!keeps_affinity(expected, packet, got)) return seen + ", not the client's";
    // The decision picks one endpoint; the others must be possible, too, and no more.
    const Frontend<F>* frontend = find_frontend(snapshot, key);
    const bool inside = packet.from == From::kPod || packet.from == From::kHost;
    const EndpointSet<F>& set = inside ? *frontend->inside : *frontend->outside;
    std::vector<std::pair<IpAddress, uint16_t>> have, wanted;
    for (const auto& endpoint : set.endpoints) {
        have.emplace_back(endpoint.address, endpoint.port.host());
    }
    for (const Target& target : expected.targets) wanted.emplace_back(target.address, target.port);
    std::sort(have.begin(), have.end());
    std::sort(wanted.begin(), wanted.end());
    if (have == wanted) return "";
    std::string list = seen + ", of";
    for (const auto& [address, port] : have) list += " " + podlane::to_string(address, port);
    return list;
}

bool Judge::keeps_affinity(const Expected& expected, const Packet& packet, const Target& got) {
    if (expected.affinity_seconds == 0) return true;
    Memory& memory = clients_[{packet.src, expected.service_port}];
    const bool usable =
        std::any_of(expected.targets.begin(), expected.targets.end(), [&](const Target& target) {
            return target.address == memory.address && target.port == memory.port;
        });
    // A Service that was changed or made anew may choose afresh.
    const bool bound = memory.service == expected.service && now_s_ <= memory.until_s && usable;
    const bool kept = got.address == memory.address && got.port == memory.port;
    met_ += bound && expected.targets.size() > 1;
    memory = {got.address, got.port, now_s_ + expected.affinity_seconds, expected.service};
    return kept || !bound;
}

std::string Judge::compare(const Cluster& cluster, const Snapshot& snapshot, const Packet& packet,
                           uint32_t seconds) {
    now_s_ += seconds;
    const Expected expected = expect(cluster, packet);
    const std::string seen = packet.dst.is_v4() ? judge<V4>(snapshot, expected, packet)
                                                : judge<V6>(snapshot, expected, packet);
    if (seen.empty()) return "";
    return fmt::format("{}: expected {}, got {}", to_string(packet), to_string(expected), seen);
}

}  // namespace podlane::contract
