#include "dataplane/stages/forward.h"

#include <array>

#include "dataplane/stages/encap.h"
#include "dataplane/stages/rewrite.h"

namespace podlane::dataplane {

void Forward::run(WorkerCtx& ctx, Burst burst) noexcept {
    std::array<const Packet*, kBurst> unsummed;
    unsigned count = 0;
    for (Packet& packet : burst) {
        if (packet.verdict == Verdict::kForward) [[likely]] {
            rewrite(packet);
        } else if (packet.verdict != Verdict::kRouted) {
            continue;
        }
        if (encap(ctx, packet)) unsummed[count++] = &packet;
    }
    for (unsigned i = 0; i < count; ++i) sum_outer_ipv6(*unsummed[i]);
}

static_assert(Stage<Forward>);

}  // namespace podlane::dataplane
