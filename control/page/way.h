// The packet's way as the page draws it: the stages in their order, which of the node's counters
// tells how many packets each saw, and which reasons to drop a packet are a stage's.
//
// Names alone: the numbers are those of `stats` (control/show/stats_json.h). Pure values.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "lib/base/drop.h"

namespace podlane::control {

/// A count of a stage: what it means, and where `stats` has it.
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

/// The place in way_stages() where packets are dropped for this reason: the first that does so. The
/// slow path, where all is decided that is not plain, for those that are not named.
[[nodiscard]] size_t stage_of(Drop reason) noexcept;

}  // namespace podlane::control
