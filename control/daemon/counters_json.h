// The counters of all workers as JSON: `stats`, `drops`, and the sums of one port.
//
// Called by the controller, control thread; reads what workers write, without disturbing them.
#pragma once

#include <nlohmann/json.hpp>

#include "control/daemon/live_view.h"

namespace podlane::control {

/// What `stats` answers (docs/rpc.md).
[[nodiscard]] nlohmann::ordered_json stats_json(const LiveView& live);
/// What `drops` answers: every reason in the order of the code, with its help.
[[nodiscard]] nlohmann::ordered_json drops_json(const Dataplane& dataplane);
/// The sums over all workers since the process began.
[[nodiscard]] PortTotals port_totals(const Dataplane& dataplane, PortId port);

}  // namespace podlane::control
