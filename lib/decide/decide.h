// The slow path's decision: what happens to the first packet of a connection, and why.
//
// A pure function over one snapshot, used by the workers for a packet that no flow knows, and by
// control for `explain`, so that what explain says is what the packets get. It changes nothing, but
// for the table of session affinity that a worker hands in: allocating a source port, inserting the
// flow and sending are the worker's.
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

/// What is asked: a packet addressed to the router (the destination MAC is ours).
template <Family F>
struct PathQuery {
    FlowKey<F> key;
    PortKind from = PortKind::kPod;  ///< kind of the port it came in by
    bool overlay = false;            ///< it came out of our tunnel
    uint32_t hash = 0;               ///< service_hash(key): which endpoint
    /// Who had which endpoint last; null: nobody is remembered. A worker's question.
    AffinityTable<F>* affinity = nullptr;
    uint32_t now_s = 0;        ///< the workers' clock, for `affinity`
    PortId in_port = kNoPort;  ///< of the pod that it comes from
    bool is_late = false;      ///< see PolicyQuery
    uint8_t ttl = 64;          ///< TTL or hop limit, as it came in
    /// explain's question: the endpoint that `affinity` would have for this client.
    std::optional<Endpoint<F>> remembered = std::nullopt;

    [[nodiscard]] Arrival arrival() const noexcept { return {from, overlay, in_port, is_late}; }
};

enum class PathVerdict : uint8_t {
    kForward,  ///< to `adjacency`, translated as said
    kResolve,  ///< as kForward once `next_hop` on `port` is resolved: hold the packet and ask
    kLocal,    ///< to the pod gateway itself: answer an echo request
    kDrop,     ///< count `reason`
    kReject,   ///< count `reason` and tell the sender: RST for TCP, ICMP port unreachable otherwise
    kNoRoute,  ///< count `reason` and tell the sender: ICMP network unreachable
    kExpired,  ///< count `reason` and tell the sender: ICMP time exceeded
    /// A query over UDP to the cluster's DNS server: answered in place from the snapshot, or, if
    /// that is not to be had, given to the server by `adjacency`. Makes no flow.
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
    /// The packet's key as it leaves: destination translated, source address too when `masquerade`
    /// is set. The source port is the original one; the caller may have to take another.
    FlowKey<F> to{};
    bool translated = false;  ///< the destination is a service's endpoint
    bool masquerade = false;  ///< the source is ours: any free port may be used
    /// Session affinity had no room for this client: its address chose the endpoint.
    bool affinity_full = false;
    AdjacencyId adjacency = kNoAdjacency;
    AdjacencyId reply_adjacency = kNoAdjacency;  ///< 0: found out when the first reply comes
    PortId port = kNoPort;                       ///< out port; with kResolve, where to ask
    typename F::Address next_hop{};              ///< kResolve: whom to ask for
    ServiceId service = kNoService;
    uint32_t service_epoch = 0;
    bool isolated = false;   ///< a NetworkPolicy selects one of its pods
    bool forwarded = false;  ///< its TTL is decremented: is_forwarded()
    bool makes_flow = true;  ///< with kForward and kResolve; without, it goes as it is
};

/// Whether a packet that goes from a port of one kind to one of the other is forwarded, which costs
/// it one of its TTL. What the node's own kernel sends and gets is not, so that its TTL stays:
/// hosts must be able to speak with a TTL of 1 (eBGP) or to demand 255 (RFC 5082).
[[nodiscard]] constexpr bool is_forwarded(PortKind in, PortKind out) noexcept {
    return in != PortKind::kHost && out != PortKind::kHost;
}

/// RFC 1812 section 5.3.1, RFC 8200 section 3: whether a packet ends here, because it would be sent
/// on with nothing left.
[[nodiscard, gnu::always_inline]] constexpr bool ttl_ends(bool forwarded, uint8_t ttl) noexcept {
    return forwarded && ttl <= 1;
}

/// Which endpoint a connection gets: the same on every node and after a restart.
template <Family F>
[[nodiscard]] uint32_t service_hash(const FlowKey<F>& key) noexcept;

/// The frontend that serves this destination on this node, or nullptr.
template <Family F>
[[nodiscard]] const Frontend<F>* find_frontend(const Snapshot& snapshot,
                                               const FlowKey<F>& key) noexcept;

/// By what session affinity knows a Service port: its names, which outlive the process. Where two
/// have one key, a client of both may lose what was remembered. Cost: its names' bytes.
template <Family F>
[[nodiscard]] uint32_t affinity_key(const Frontend<F>& frontend) noexcept;

/// The next hop towards `destination`: fills verdict, reason, adjacency, port and next_hop.
template <Family F, class Trace>
void decide_route(const Snapshot& snapshot, const typename F::Address& destination,
                  PathDecision<F>& decision, Trace& trace);

/// Decides. Cost: a few hash lookups, no allocation with NoTrace. With StepTrace
/// query.affinity is left alone and query.remembered holds.
/// Instantiated for V4 and V6 with NoTrace and StepTrace.
template <Family F, class Trace>
[[nodiscard]] PathDecision<F> decide(const Snapshot& snapshot, const PathQuery<F>& query,
                                     Trace& trace);

/// The adjacency towards `destination` now, kNoAdjacency when it must be resolved or is no route.
template <Family F>
[[nodiscard]] AdjacencyId adjacency_towards(const Snapshot& snapshot,
                                            const typename F::Address& destination) noexcept;

/// Whose a UDP flow is that was given `endpoint` by `service` (kNoService: by none), if it may keep
/// it: while whoever has its place now would let it, whatever the policies say of new flows, so
/// that a change of a Service disturbs no flow, as with TCP. A flow of none goes on while its place
/// is nobody's.
template <Family F>
[[nodiscard]] std::optional<ServiceId> service_that_keeps(const Snapshot& snapshot,
                                                          const FlowKey<F>& original,
                                                          ServiceId service,
                                                          const Endpoint<F>& endpoint) noexcept;

}  // namespace podlane
