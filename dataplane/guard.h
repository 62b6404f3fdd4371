// The source guard: checks a packet's source against the port, or the tunnel, that it came by.
//
// Packets of known flows are not checked here: a flow's direction is valid for one ingress, and the
// look-up compares that together with the epoch. On workers; no state.
#pragma once

#include "dataplane/packet.h"
#include "dataplane/worker_ctx.h"

namespace podlane::dataplane {

/// Why a parsed frame's source is not allowed on its port; Drop::kNone when it is allowed. Pods:
/// their own MAC and IP addresses, in ARP and neighbour discovery too, and no messages of a router
/// or a DHCP server. Uplinks: no address of this node, of its pods or of pods behind the tunnel.
/// The tunnel: the sending Node's own addresses and its pods'.
[[nodiscard]] Drop judge_sender(const WorkerCtx& ctx, const Packet& packet) noexcept;

/// The ingress of replies to what leaves by `adjacency` for `destination`; kUnknownIngress when it
/// cannot be told.
template <Family F>
[[nodiscard]] uint16_t ingress_behind(const Snapshot& snapshot, const Adjacency& adjacency,
                                      const typename F::Address& destination) noexcept;

}  // namespace podlane::dataplane
