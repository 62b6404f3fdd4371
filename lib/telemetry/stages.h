// The stages of the packet's way as they are counted: what each had to do, and what it passed on.
//
// Each stage adds once a burst (dataplane/stages); control shows them in `stats`, metrics and the
// page.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "lib/telemetry/counter.h"

namespace podlane {

/// In their order; dataplane/pipeline.h compares.
enum class PipelineStage : uint8_t {
    kParse,
    kDecap,
    kLookup,
    kDefer,
    kSlowPath,
    kJoin,
    kForward,
    kTx,
};
inline constexpr std::array<std::string_view, 8> kPipelineStages = {
    "parse", "decap", "lookup", "defer", "slow_path", "join", "forward", "tx"};

/// kParse for any other name.
[[nodiscard]] constexpr PipelineStage pipeline_stage(std::string_view name) noexcept {
    for (size_t i = 0; i < kPipelineStages.size(); ++i) {
        if (kPipelineStages[i] == name) return static_cast<PipelineStage>(i);
    }
    return PipelineStage::kParse;
}

[[nodiscard]] constexpr std::string_view to_string(PipelineStage stage) noexcept {
    return kPipelineStages[static_cast<size_t>(stage)];
}

/// Packets of one stage. A packet that waits, or is sent in pieces, passes stages more than once.
struct StageCounts {
    Counter in;    ///< packets that the stage had something to do with
    Counter kept;  ///< of those, the dropped and taken ones: few, so that counting costs no more

    /// Packets that it passed on. For any thread; not less than at the time of the call.
    [[nodiscard]] uint64_t out() const noexcept {
        const uint64_t kept_so_far = kept.get();
        const uint64_t came = in.get();
        return came > kept_so_far ? came - kept_so_far : 0;
    }
};

}  // namespace podlane
