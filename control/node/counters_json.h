// The counters of all workers as JSON: `stats`, `drops`.
//
// Called by the node, control thread; reads what workers write, without disturbing them.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>

#include "control/node/live_view.h"

namespace podlane::control {

/// What `stats` answers (docs/rpc.md).
[[nodiscard]] nlohmann::ordered_json stats_json(const LiveView& live);
/// `snat` of `stats`.
[[nodiscard]] nlohmann::ordered_json snat_json(const Dataplane& dataplane);
/// What `drops` answers: every reason in the order of the code, with its help.
[[nodiscard]] nlohmann::ordered_json drops_json(const Dataplane& dataplane);
/// Lost packets by Drop, over all workers and devices.
[[nodiscard]] std::array<uint64_t, kDropCount> drop_sums(const Dataplane& dataplane);
/// What each destination was refused for want of a source port, by all workers.
[[nodiscard]] std::map<SnatTarget, uint64_t> snat_refusals(const Dataplane& dataplane);

}  // namespace podlane::control
