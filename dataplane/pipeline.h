// The packet's way: the stages in their order. To add one, write its file and put it here.
#pragma once

#include "dataplane/slowpath/slow_path.h"
#include "dataplane/stages/decap.h"
#include "dataplane/stages/forward.h"
#include "dataplane/stages/lookup.h"
#include "dataplane/stages/parse.h"
#include "dataplane/stages/tx.h"

namespace podlane::dataplane {

/// Runs a burst through the stages, one after the other.
template <Stage... Stages>
struct PipelineOf {
    static void run(WorkerCtx& ctx, Burst burst) noexcept { (Stages::run(ctx, burst), ...); }
};

using Pipeline = PipelineOf<Parse, Decap, Lookup, SlowPath, Forward, Tx>;

}  // namespace podlane::dataplane
