// The stages of the packet path, in order. To add one, write its file and put it here.
//
// One list: workers run it as it is, or with an observer between the stages (probe/observer.h)
// while a probe is on.
#pragma once

#include <array>
#include <string_view>

#include "dataplane/slowpath/slow_path.h"
#include "dataplane/stages/decap.h"
#include "dataplane/stages/defer.h"
#include "dataplane/stages/forward.h"
#include "dataplane/stages/join.h"
#include "dataplane/stages/lookup.h"
#include "dataplane/stages/parse.h"
#include "dataplane/stages/tx.h"
#include "lib/telemetry/stages.h"

namespace podlane::dataplane {

/// Sees a burst before its first stage and after each one. A packet with kConsumed, and after Tx
/// every packet, has no mbuf that may be looked at.
template <class O>
concept StageObserver = requires(O& observer, std::span<const Packet> burst) {
    { observer.begin(burst) }
    noexcept;
    { observer.template after<Tx>(burst) }
    noexcept;
};

/// Sees nothing, and costs nothing.
struct NoObserver {
    static void begin(std::span<const Packet>) noexcept {}
    template <Stage>
    static void after(std::span<const Packet>) noexcept {}
};

/// Runs a burst through the stages, one after the other.
template <Stage... Stages>
struct PipelineOf {
    static void run(WorkerCtx& ctx, Burst burst) noexcept {
        NoObserver nobody;
        run(ctx, burst, nobody);
    }

    /// The same, with an observer.
    template <StageObserver Observer>
    static void run(WorkerCtx& ctx, Burst burst, Observer& observer) noexcept {
        const PortId port = burst.empty() ? kNoPort : burst.front().in_port;
        observer.begin(burst);
        ((running_stage = pipeline_stage(Stages::kName), ctx.place.at(Stages::kName, port),
          Stages::run(ctx, burst), observer.template after<Stages>(burst)),
         ...);
    }
};

using Pipeline = PipelineOf<Parse, Decap, Lookup, SlowPath, Join, Forward, Tx>;
/// For a worker that gets more packets than it can process.
using CrowdedPipeline = PipelineOf<Parse, Decap, Lookup, Defer, SlowPath, Join, Forward, Tx>;

template <Stage... Stages>
[[nodiscard]] consteval bool are_counted(PipelineOf<Stages...>) {
    return kPipelineStages == std::array{std::string_view(Stages::kName)...};
}
static_assert(are_counted(CrowdedPipeline()), "lib/telemetry/stages.h has each stage, in order");

}  // namespace podlane::dataplane
