// Stage between look-up and slow path, run while more comes in than the worker can look at: known
// flows go on, first packets of new ones wait their turn in a queue of the worker's own.
//
// A new flow costs many times what a packet of a known one does. Without this a flood of new flows
// fills the device's ring, where known flows are lost as likely as the flood.
#pragma once

#include "dataplane/stages/stage.h"

namespace podlane::dataplane {

struct Defer {
    static constexpr const char* kName = "defer";
    static void run(WorkerCtx& ctx, Burst burst) noexcept;
};

/// Of one port: half of the queue, so that another flooded port has the rest.
inline constexpr uint16_t kMostDeferred = 512;

/// What waits: the ring from a worker to itself. Packets as they came in, oldest first.
[[nodiscard]] inline HandoffRing& deferred(WorkerCtx& ctx) noexcept {
    return ctx.handoff->ring(ctx.id, ctx.id);
}

}  // namespace podlane::dataplane
