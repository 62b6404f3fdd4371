// Stage 6: executes what the slow path compiled: addresses, ports, TTL, checksums.
#pragma once

#include "dataplane/stages/stage.h"

namespace podlane::dataplane {

/// Applies each kForward packet's rewrite; no look-ups.
struct RewriteStage {
    static constexpr const char* kName = "rewrite";
    static void run(WorkerCtx& ctx, Burst burst) noexcept;
};

}  // namespace podlane::dataplane
