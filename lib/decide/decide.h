// The slow path's decision: what happens to the first packet of a connection, and why.
//
// A pure function over one snapshot. Workers use it for a packet without a flow, control for
// `explain`, so that explain says what packets really get. It changes nothing but the session
// affinity table that a worker passes in. The worker then allocates a source port, inserts the flow
// and sends.
#pragma once

#include <cstdint>
#include <optional>

#include "lib/base/drop.h"
#include "lib/decide/policy.h"
#include "lib/decide/trace.h"
#include "lib/lb/affinity.h"
#include "lib/model/snapshot.h"
#include "lib/proto/flow_key.h"

namespace podlane {

/// The question: a packet addressed to the router (the destination MAC is ours).
template <Family F>
struct PathQuery {
    FlowKey<F> key;
    PortKind from = PortKind::kPod;  ///< kind of the port it came in by
    bool overlay = false;            ///< it came out of our tunnel
    uint32_t hash = 0;               ///< service_hash(key): chooses the endpoint
    /// Which client had which endpoint last, for a worker's question; null: nothing is remembered.
    AffinityTable<F>* affinity = nullptr;
    uint32_t now_s = 0;        ///< the workers' clock, for `affinity`
    PortId in_port = kNoPort;  ///< the port of the sending pod
    bool is_late = false;      ///< see PolicyQuery
    uint8_t ttl = 64;          ///< TTL or hop limit, as it came in
    /// For explain's question: the endpoint that `affinity` has for this client.
    std::optional<Endpoint<F>> remembered = std::nullopt;

    [[nodiscard]] Arrival arrival() const noexcept { return {from, overlay, in_port, is_late}; }
};

enum class PathVerdict : uint8_t {
    kForward,  ///< to `adjacency`, with the key `to`
    kResolve,  ///< as kForward once `next_hop` on `port` is resolved: hold the packet and ask
    kLocal,    ///< to the pod gateway itself: answer an echo request
    kDrop,     ///< count `reason`
    kReject,   ///< count `reason` and tell the sender: RST for TCP, ICMP port unreachable otherwise
    kNoRoute,  ///< count `reason` and tell the sender: ICMP network unreachable
    kExpired,  ///< count `reason` and tell the sender: ICMP time exceeded
    /// A query over UDP to the cluster's DNS server: answered in place from the snapshot or, if the
    /// snapshot cannot, sent to the server by `adjacency`. Makes no flow.
    kDns,
};

[[nodiscard]] constexpr const char* to_string(PathVerdict verdict) noexcept {
    switch (verdict) {
        case PathVerdict::kForward:
            return "forward";
        case PathVerdict::kResolve:
            return "resolve";
        case PathVerdict::kLocal:
            return "local";
        case PathVerdict::kDrop:
            return "drop";
        case PathVerdict::kReject:
            return "reject";
        case PathVerdict::kNoRoute:
            return "no-route";
        case PathVerdict::kExpired:
            return "expired";
        case PathVerdict::kDns:
            return "dns";
    }
    return "";
}

template <Family F>
struct PathDecision {
    PathVerdict verdict = PathVerdict::kDrop;
    Drop reason = Drop::kNone;
    /// The packet's key as it leaves: destination translated, and the source address too if
    /// `masquerade` is set. The source port is the original one; the caller may have to choose
    /// another.
    FlowKey<F> to{};
    bool translated = false;  ///< the destination is a service's endpoint
    bool masquerade = false;  ///< the source is ours: any free port may be used
    /// Session affinity had no room for this client, so its address chose the endpoint.
    bool affinity_full = false;
    AdjacencyId adjacency = kNoAdjacency;
    AdjacencyId reply_adjacency = kNoAdjacency;  ///< 0: found when the first reply comes
    PortId port = kNoPort;                       ///< out port; with kResolve, where to resolve
    typename F::Address next_hop{};              ///< kResolve: the address to resolve
    ServiceId service = kNoService;
    uint32_t service_epoch = 0;
    bool isolated = false;   ///< a NetworkPolicy selects one of its pods
    bool forwarded = false;  ///< its TTL is decremented: is_forwarded()
    bool makes_flow = true;  ///< with kForward and kResolve; false: sent unchanged
};

/// Whether a packet between two kinds of port is forwarded, which costs one of its TTL. Packets of
/// the node's own kernel, in or out, are not: hosts must be able to use a TTL of 1 (eBGP) or to
/// require 255 (RFC 5082).
[[nodiscard]] constexpr bool is_forwarded(PortKind in, PortKind out) noexcept {
    return in != PortKind::kHost && out != PortKind::kHost;
}

/// RFC 1812 section 5.3.1, RFC 8200 section 3: whether a packet ends here because forwarding would
/// leave it no TTL.
[[nodiscard, gnu::always_inline]] constexpr bool ttl_ends(bool forwarded, uint8_t ttl) noexcept {
    return forwarded && ttl <= 1;
}

/// Chooses a connection's endpoint: the same on every node and after a restart.
template <Family F>
[[nodiscard]] uint32_t service_hash(const FlowKey<F>& key) noexcept;

/// The frontend that serves this destination on this node, or nullptr.
template <Family F>
[[nodiscard]] const Frontend<F>* find_frontend(const Snapshot& snapshot,
                                               const FlowKey<F>& key) noexcept;

/// The number of a Service port in session affinity: a hash of its names, which outlive the
/// process. If two ports get the same key, a client of both may lose what was remembered. Cost:
/// hashes the names.
template <Family F>
[[nodiscard]] uint32_t affinity_key(const Frontend<F>& frontend) noexcept;

/// The next hop towards `destination`: fills verdict, reason, adjacency, port and next_hop.
template <Family F, class Trace>
void decide_route(const Snapshot& snapshot, const typename F::Address& destination,
                  PathDecision<F>& decision, Trace& trace);

/// Decides. Cost: a few hash look-ups, no allocation with NoTrace. StepTrace leaves query.affinity
/// alone and uses query.remembered. Instantiated for V4 and V6 with NoTrace and StepTrace.
template <Family F, class Trace>
[[nodiscard]] PathDecision<F> decide(const Snapshot& snapshot, const PathQuery<F>& query,
                                     Trace& trace);

/// The present adjacency towards `destination`; kNoAdjacency if it must be resolved or has no
/// route.
template <Family F>
[[nodiscard]] AdjacencyId adjacency_towards(const Snapshot& snapshot,
                                            const typename F::Address& destination) noexcept;

/// The Service that a UDP flow to `endpoint` belongs to now, or none if the flow must end. It was
/// made by `service` (kNoService: by none). The flow goes on while the frontend at its destination
/// may keep the endpoint, whatever policies say of new flows, so that a change of a Service
/// disturbs no flow, as with TCP. A flow of no Service goes on while its destination has no
/// frontend.
template <Family F>
[[nodiscard]] std::optional<ServiceId> service_that_keeps(const Snapshot& snapshot,
                                                          const FlowKey<F>& original,
                                                          ServiceId service,
                                                          const Endpoint<F>& endpoint) noexcept;

}  // namespace podlane
