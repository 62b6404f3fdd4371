// Stage 3: strips the tunnel from frames that are addressed to our VTEP.
#pragma once

#include "dataplane/stages/stage.h"

namespace podlane::dataplane {

/// Any format of lib/proto/overlay.h, over either family. The inner frame is parsed and treated as
/// addressed to the router; only one level is stripped. Cost without an overlay: one branch a
/// burst.
struct Decap {
    static constexpr const char* kName = "decap";
    static void run(WorkerCtx& ctx, Burst burst) noexcept;
};

}  // namespace podlane::dataplane
