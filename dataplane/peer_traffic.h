// Counts the packets from and to each other Node, while somebody looks (WorkerCtx::peers).
//
// Stage Forward calls both, once a burst each: before it has changed the packets, and after.
// Workers only; they cost nothing but a test of a pointer while nobody looks. What the kernel
// carries is control's to add.
#pragma once

#include "dataplane/packet.h"
#include "dataplane/worker_ctx.h"
#include "lib/border/carried.h"

namespace podlane::dataplane {

/// Counts the packets to be sent on that came from another Node: by the tunnel that they came out
/// of, or from an uplink with a Node's source address. A packet that is large or was joined counts
/// as its pieces. Cost: a route look-up for each packet from an uplink that no tunnel brought.
/// ctx.peers must be set, here and below.
void count_from_peers(const WorkerCtx& ctx, Burst burst) noexcept;

/// Counts the packets that leave by an uplink for an address of another Node, in a tunnel or not,
/// those that were made here as well. Cost: a route look-up for each that leaves by an uplink.
void count_to_peers(const WorkerCtx& ctx, Burst burst) noexcept;

/// Counts what the kernel has carried of a connection from and to another Node; a large frame is
/// one packet. Control's row.
template <Family F>
void count_carried_peers(PeerCounts::Row& peers, const Snapshot& snapshot,
                         const Connection<F>& connection, const CarriedTraffic& traffic) noexcept;

}  // namespace podlane::dataplane
