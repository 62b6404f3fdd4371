// Stage 7: carries out the compiled decision: the rewrite, then the next hop's headers.
//
// Both in one loop, because a packet is in the first-level cache now, and no longer after a whole
// burst.
#pragma once

#include "dataplane/stages/stage.h"

namespace podlane::dataplane {

/// Rewrites kForward packets (rewrite.h), gives kForward and kRouted ones their next hop's headers
/// (encap.h), and leaves kSend.
struct Forward {
    static constexpr const char* kName = "forward";
    static void run(WorkerCtx& ctx, Burst burst) noexcept;
};

}  // namespace podlane::dataplane
