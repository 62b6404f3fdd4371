// The bridge's decision: where a frame between pods goes, by its MAC addresses, and whether a
// connection may go that way.
//
// find_destination() runs for every bridged frame, decide_bridged() once for a connection.
// `explain` runs the same code.
#pragma once

#include <fmt/format.h>

#include <optional>

#include "lib/decide/decide.h"
#include "lib/decide/trace.h"
#include "lib/model/snapshot.h"

namespace podlane {

enum class BridgeVerdict : uint8_t {
    kSend,   ///< by `port`
    kFlood,  ///< no port is known for the MAC address
    kDrop,   ///< count `reason`
};

/// A frame's addresses in the form of MacAddress::as_u64().
struct BridgeQuery {
    uint64_t src = 0;
    uint64_t dst = 0;
    PortId in_port = kNoPort;
};

struct BridgeDecision {
    BridgeVerdict verdict = BridgeVerdict::kSend;
    Drop reason = Drop::kNone;
    PortId port = kNoPort;
    bool new_source = false;  ///< the source is not known yet: it may be learned
};

/// Whether a frame may have its source address, which is not the MAC address of its port's pod:
/// kSend or kDrop. Out of line, since it is rare.
[[nodiscard, gnu::noinline]] inline BridgeDecision judge_source(const Fdb& fdb,
                                                                const BridgeQuery& query) noexcept {
    const uint16_t known = fdb.find(query.src);
    if (known == Fdb::kMissing) return {BridgeVerdict::kSend, Drop::kNone, kNoPort, true};
    const bool is_its_own = known == index_of(query.in_port);
    return is_its_own ? BridgeDecision{} : BridgeDecision{BridgeVerdict::kDrop, Drop::kMacSpoofed};
}

/// Where a frame with a permitted source goes. Cost: a look-up.
[[nodiscard, gnu::always_inline]] inline BridgeDecision find_destination(const Fdb& fdb,
                                                                         uint64_t dst,
                                                                         PortId in_port) noexcept {
    const uint16_t port = fdb.find(dst);
    if (port == Fdb::kMissing) [[unlikely]]
        return {BridgeVerdict::kFlood};
    if (port == index_of(in_port)) [[unlikely]]
        return {BridgeVerdict::kDrop, Drop::kBridgeSamePort};
    return {BridgeVerdict::kSend, Drop::kNone, PortId{port}};
}

/// Both decisions with a trace, as bridge_from() in dataplane/stages/bridge.h makes them in its
/// loop. `peer`: the MAC address of the pod behind the port, if it has one.
template <class Trace>
[[nodiscard]] BridgeDecision decide_bridge(const Fdb& fdb, uint64_t peer, const BridgeQuery& query,
                                           Trace& trace) {
    BridgeDecision decision;
    if (query.src != peer) decision = judge_source(fdb, query);
    if (decision.verdict == BridgeVerdict::kSend) {
        const bool new_source = decision.new_source;
        decision = find_destination(fdb, query.dst, query.in_port);
        decision.new_source = new_source;
    }
    if constexpr (Trace::kEnabled) {
        if (decision.verdict == BridgeVerdict::kDrop) {
            trace.step("bridge", "drop", std::string(drop_info(decision.reason).help));
        } else if (decision.verdict == BridgeVerdict::kFlood) {
            trace.step("bridge", "to all ports", "no port is known to have the MAC address");
        }
    }
    return decision;
}

/// Whether a NetworkPolicy applies to frames between these ports.
[[nodiscard]] inline bool is_isolated(const Snapshot& snapshot, PortId in, PortId out) noexcept {
    return snapshot.polices(in) || snapshot.polices(out);
}

/// The drop reason for an isolated frame with a MAC that leads to another pod than its IP address.
[[nodiscard]] inline Drop misled_drop(const Snapshot& snapshot, PortId out) noexcept {
    return snapshot.polices(out) ? Drop::kPolicyIngress : Drop::kPolicyEgress;
}

/// Decides about a connection from the pod of query.in_port to the pod of `out`, where the bridge
/// sends it. It is neither translated nor forwarded: kForward or kDrop; without makes_flow it goes
/// as a plain frame. Instantiated for V4 and V6 with NoTrace and StepTrace.
template <Family F, class Trace>
[[nodiscard]] PathDecision<F> decide_bridged(const Snapshot& snapshot, const PathQuery<F>& query,
                                             PortId out, Trace& trace);

}  // namespace podlane
