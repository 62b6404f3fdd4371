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

[[nodiscard]] constexpr std::string_view to_string(PipelineStage stage) noexcept {
    return kPipelineStages[static_cast<size_t>(stage)];
}

/// Packets of one stage. A packet that waits, or is sent in pieces, passes stages more than once.
struct StageCounts {
    Counter in;   ///< that it had something to do with
    Counter out;  ///< of those, what it gave on; the rest was dropped, taken or put aside

    void add(uint64_t came, uint64_t went) noexcept {
        in.add(came);
        out.add(went);
    }
};

}  // namespace podlane
