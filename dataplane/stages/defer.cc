#include "dataplane/stages/defer.h"

namespace podlane::dataplane {

void Defer::run(WorkerCtx& ctx, Burst burst) noexcept {
    HandoffRing& queue = deferred(ctx);
    unsigned in = 0;
    for (Packet& packet : burst) {
        // A packet out of the tunnel has lost its outer headers already, and another Node vouches
        // for it.
        const bool is_new = packet.verdict == Verdict::kSlow && packet.slow == SlowReason::kMiss &&
                            !packet.is(kFromOverlay | kHeldBefore);
        if (!is_new) [[likely]]
            continue;
        ++in;
        uint16_t& waiting = ctx.budgets.of(packet.in_port).deferred;
        if (waiting < kMostDeferred && queue.push({packet.mbuf, packet.in_port, true, 0})) {
            ++waiting;
            packet.verdict = Verdict::kConsumed;
        } else {
            packet.drop(Drop::kNewFlowOverload);
        }
    }
    if (in > 0) ctx.counters->at(PipelineStage::kDefer).in.add(in);
}

static_assert(Stage<Defer>);

}  // namespace podlane::dataplane
