// Whether NetworkPolicies allow a connection.
//
// Evaluated once for a connection, by decide() and for bridged frames; again when
// Snapshot::isolated_epoch changes. Rules: Kubernetes' networking.k8s.io/v1 and its documentation,
// in docs/network-policy.md.
#pragma once

#include "lib/base/drop.h"
#include "lib/decide/trace.h"
#include "lib/model/snapshot.h"
#include "lib/proto/flow_key.h"

namespace podlane {

/// How a packet came in.
struct Arrival {
    PortKind from = PortKind::kPod;  ///< kind of the port
    bool overlay = false;            ///< out of our tunnel
    PortId in_port = kNoPort;        ///< the port of the sending pod
    bool is_late = false;            ///< see PolicyQuery
};

/// Whether packets from such a port are this node's own: from its kernel or its DNS server.
[[nodiscard]] constexpr bool is_nodes_own(PortKind kind) noexcept {
    return kind == PortKind::kHost || kind == PortKind::kDns;
}

/// A connection as both ends know it.
template <Family F>
struct PolicyQuery {
    /// The source before masquerading, the destination after the Service chose the endpoint.
    FlowKey<F> key;
    PortId from = kNoPort;   ///< the sender's port, if it is a pod of this node
    PortId to = kNoPort;     ///< the receiver's port, if it is a pod of this node
    bool from_node = false;  ///< from this node itself: its kernel, its DNS server
    bool to_node = false;    ///< for this node itself
    /// The source is a pod's behind the tunnel, but the packet came by the wire, where anybody can
    /// have written that. It fits only rules for all peers.
    bool is_unproven = false;
    /// A TCP segment that does not begin a connection, of an unknown connection: its sender may be
    /// the end that was connected to.
    bool is_late = false;
};

/// Drop::kNone, kPolicyEgress or kPolicyIngress. A pod always reaches itself, and is always reached
/// by its node. Cost: nothing if no policy selects either pod; else the rules of those that do,
/// with a binary search for each set. Instantiated for V4 and V6 with NoTrace and StepTrace.
template <Family F, class Trace>
[[nodiscard]] Drop judge_policies(const Snapshot& snapshot, const PolicyQuery<F>& query,
                                  Trace& trace);

/// The question about a packet, or about the connection that it begins, with its arrival and the
/// port `to` that it goes to. kNoPort: to no known port; then its address says whether it is for
/// the node. With a known port the address does not matter, since a bridged frame goes by MAC.
template <Family F>
[[nodiscard]] PolicyQuery<F> policy_query(const Snapshot& snapshot, const Arrival& arrival,
                                          const FlowKey<F>& key, PortId to) noexcept;

/// The port of the pod of this node that has the address, else kNoPort.
template <Family F>
[[nodiscard]] PortId pod_port_of(const Snapshot& snapshot,
                                 const typename F::Address& address) noexcept;

/// The question about a connection by its addresses, as a flow knows it. `from`: kHost if this node
/// itself opened it, kUplink if its packets come by an uplink and not out of the tunnel, else kPod.
template <Family F>
[[nodiscard]] PolicyQuery<F> policy_query_of(const Snapshot& snapshot, const FlowKey<F>& key,
                                             PortKind from) noexcept;

}  // namespace podlane
