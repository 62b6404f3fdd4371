// Whether NetworkPolicies allow a connection.
//
// Asked once for a connection, by decide() and by what the workers bridge; again when
// Snapshot::isolated_epoch says so. Rules: Kubernetes' networking.k8s.io/v1 and its documentation,
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
    PortId in_port = kNoPort;        ///< of the pod that it comes from
    bool is_late = false;            ///< see PolicyQuery
};

/// Whether this node itself sends by such a port: its kernel, its DNS server.
[[nodiscard]] constexpr bool is_nodes_own(PortKind kind) noexcept {
    return kind == PortKind::kHost || kind == PortKind::kDns;
}

/// A connection as its two ends know it.
template <Family F>
struct PolicyQuery {
    /// The source before masquerading, the destination after the Service chose it.
    FlowKey<F> key;
    PortId from = kNoPort;   ///< the port of this node's pod that it comes from, if it does
    PortId to = kNoPort;     ///< of this node's pod that it is for
    bool from_node = false;  ///< from this node itself: its kernel, its DNS server
    bool to_node = false;    ///< for this node itself
    /// A TCP segment that does not begin a connection, of one that is not known: its sender may be
    /// the one who was asked.
    bool is_late = false;
};

/// Drop::kNone, kPolicyEgress or kPolicyIngress. A pod always reaches itself, and is always reached
/// by its node. Cost: nothing where no policy selects either pod; else the rules of those that do,
/// a binary search for each set.
/// Instantiated for V4 and V6 with NoTrace and StepTrace.
template <Family F, class Trace>
[[nodiscard]] Drop judge_policies(const Snapshot& snapshot, const PolicyQuery<F>& query,
                                  Trace& trace);

/// The question about a packet, or the connection that it begins, which came in as `arrival` says
/// and goes to the port `to`. kNoPort: to no port that is known here, its address says whether it
/// is the node's. Where a port is known the address has no say, for a frame on the bridge goes by
/// MAC.
template <Family F>
[[nodiscard]] PolicyQuery<F> policy_query(const Snapshot& snapshot, const Arrival& arrival,
                                          const FlowKey<F>& key, PortId to) noexcept;

/// The port of this node's pod that has the address, else kNoPort.
template <Family F>
[[nodiscard]] PortId pod_port_of(const Snapshot& snapshot,
                                 const typename F::Address& address) noexcept;

/// The same connection asked about by its addresses alone, as a flow knows it.
template <Family F>
[[nodiscard]] PolicyQuery<F> policy_query_of(const Snapshot& snapshot, const FlowKey<F>& key,
                                             bool from_node) noexcept;

}  // namespace podlane
