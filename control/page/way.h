// The packet path as the page draws it: the stages in order, the counter for the packets of each
// stage, and the drop reasons of each stage.
//
// Only names: the numbers are those of `stats` (control/show/stats_json.h). Pure values.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "lib/base/drop.h"

namespace podlane::control {

/// A counter of a stage: its meaning, and its place in `stats`.
struct WayCount {
    std::string_view what;
    std::string_view where;  ///< RFC 6901, into the JSON of `stats`
    bool grows = true;       ///< else it is a number of now
};

struct WayStage {
    std::string_view name;  ///< as in docs/packet-walk.md
    std::string_view does;
    std::span<const WayCount> counts;
};

[[nodiscard]] std::span<const WayStage> way_stages() noexcept;

/// The index in way_stages() of the first stage that drops packets for this reason. Reasons without
/// a named stage belong to the slow path, which decides everything that is not plain.
[[nodiscard]] size_t stage_of(Drop reason) noexcept;

}  // namespace podlane::control
