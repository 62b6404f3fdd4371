// Stage 7: the compiled decision is carried out: the rewrite, then the next hop's headers.
//
// Both in one loop, for a packet is in the cache's first level now and will not be when the burst
// is through.
#pragma once

#include "dataplane/stages/stage.h"

namespace podlane::dataplane {

/// Rewrites kForward packets (rewrite.h), gives them and kRouted ones their next hop's headers
/// (encap.h), and leaves kSend.
struct Forward {
    static constexpr const char* kName = "forward";
    static void run(WorkerCtx& ctx, Burst burst) noexcept;
};

}  // namespace podlane::dataplane
