// The bridge's decision: where a frame between pods goes, by its MAC addresses, and what is asked
// before a connection may go that way.
//
// decide_bridge() is on every bridged frame's way, in place; decide_bridged() once for a
// connection. Both run in `explain` as well.
#pragma once

#include <fmt/format.h>

#include <optional>

#include "lib/decide/decide.h"
#include "lib/decide/trace.h"
#include "lib/model/snapshot.h"

namespace podlane {

enum class BridgeVerdict : uint8_t {
    kSend,   ///< by `port`
    kFlood,  ///< nobody is known by that MAC address
    kDrop,   ///< count `reason`
};

/// A frame's addresses as MacAddress::as_u64() gives them.
struct BridgeQuery {
    uint64_t src = 0;
    uint64_t dst = 0;
    PortId in_port = kNoPort;
};

struct BridgeDecision {
    BridgeVerdict verdict = BridgeVerdict::kSend;
    Drop reason = Drop::kNone;
    PortId port = kNoPort;
    bool new_source = false;  ///< the source is nobody's yet: it may be learned
};

/// Whether a frame may have its source, which is not the MAC address of its port's pod: kSend or
/// kDrop. Out of line: hardly ever.
[[nodiscard, gnu::noinline]] inline BridgeDecision judge_source(const Fdb& fdb,
                                                                const BridgeQuery& query) noexcept {
    const uint16_t known = fdb.find(query.src);
    if (known == Fdb::kMissing) return {BridgeVerdict::kSend, Drop::kNone, kNoPort, true};
    const bool is_its_own = known == index_of(query.in_port);
    return is_its_own ? BridgeDecision{} : BridgeDecision{BridgeVerdict::kDrop, Drop::kMacSpoofed};
}

/// Where a frame goes whose source may be. Cost: a look-up.
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

/// Both, in words: what bridge_from() of dataplane/stages/bridge.h does in its loop. `peer`: the
/// MAC address of the pod behind the port, where it has one.
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

/// Whether a NetworkPolicy has a say about frames between these ports.
[[nodiscard]] inline bool is_isolated(const Snapshot& snapshot, PortId in, PortId out) noexcept {
    return snapshot.polices(in) || snapshot.polices(out);
}

/// Why an isolated frame is dropped that leads to another pod than its addresses say.
[[nodiscard]] inline Drop misled_drop(const Snapshot& snapshot, PortId out) noexcept {
    return snapshot.polices(out) ? Drop::kPolicyIngress : Drop::kPolicyEgress;
}

/// Decides about a connection between the pods of query.in_port and `out`, to where the bridge
/// sends it. It is neither translated nor forwarded: kForward or kDrop, and without makes_flow it
/// goes as a frame. Instantiated for V4 and V6 with NoTrace and StepTrace.
template <Family F, class Trace>
[[nodiscard]] PathDecision<F> decide_bridged(const Snapshot& snapshot, const PathQuery<F>& query,
                                             PortId out, Trace& trace);

}  // namespace podlane
