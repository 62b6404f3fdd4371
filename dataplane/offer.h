// Tells control of a connection that the node's kernel could carry by itself.
//
// Called for a connection's first packets, and when it was routed again; not for the others.
#pragma once

#include "dataplane/worker_ctx.h"
#include "lib/flow/entry.h"

namespace podlane::dataplane {

/// Offers the connection if it is TCP or UDP between two ports that the kernel can serve, and both
/// ends have been heard. Control takes offers with its next tick, so that short connections cost it
/// nothing; one is lost if the ring is half full: workers then go on carrying the connection.
template <Family F>
void offer_flow(WorkerCtx& ctx, FlowEntry<F>& entry) noexcept;

}  // namespace podlane::dataplane
