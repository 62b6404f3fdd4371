#include "dataplane/stages/forward.h"

#include "dataplane/stages/encap.h"
#include "dataplane/stages/rewrite.h"

namespace podlane::dataplane {

void Forward::run(WorkerCtx& ctx, Burst burst) noexcept {
    for (Packet& packet : burst) {
        if (packet.verdict == Verdict::kForward) [[likely]] {
            rewrite(packet);
        } else if (packet.verdict != Verdict::kRouted) {
            continue;
        }
        encap(ctx, packet);
    }
}

static_assert(Stage<Forward>);

}  // namespace podlane::dataplane
