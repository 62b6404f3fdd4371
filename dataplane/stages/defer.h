// Stage between Lookup and SlowPath, used while more packets come in than the worker can process:
// packets of known flows go on, first packets of new flows wait in a queue of the worker.
//
// A new flow costs many times as much as a packet of a known one. Without this stage, a flood of
// new flows would fill the device's ring, and known flows would lose packets as often as the flood
// does.
#pragma once

#include "dataplane/stages/stage.h"

namespace podlane::dataplane {

struct Defer {
    static constexpr const char* kName = "defer";
    static void run(WorkerCtx& ctx, Burst burst) noexcept;
};

/// The most for one port: half of the queue, so that another flooded port has the rest.
inline constexpr uint16_t kMostDeferred = 512;

/// The packets that wait, as they came in, oldest first: the ring from a worker to itself.
[[nodiscard]] inline HandoffRing& deferred(WorkerCtx& ctx) noexcept {
    return ctx.handoff->ring(ctx.id, ctx.id);
}

}  // namespace podlane::dataplane
