#include "dataplane/stages/rewrite.h"

namespace podlane::dataplane {

void RewriteStage::run(WorkerCtx&, Burst burst) noexcept {
    for (Packet& packet : burst) {
        if (packet.verdict != Verdict::kForward) continue;
        if (packet.headers.ip_version == 4) {
            apply_rewrite<V4>(packet.frame, packet.headers, packet.flow<V4>().rewrite, packet.csum);
        } else {
            apply_rewrite<V6>(packet.frame, packet.headers, packet.flow<V6>().rewrite, packet.csum);
        }
    }
}

static_assert(Stage<RewriteStage>);

}  // namespace podlane::dataplane
