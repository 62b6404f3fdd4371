// What probes and the history answer, as JSON for the config socket (docs/rpc.md).
//
// The socket's bindings call it, on the control thread.
#pragma once

#include <nlohmann/json.hpp>

#include "control/show/history_view.h"
#include "control/show/probe_view.h"

namespace podlane::control {

[[nodiscard]] nlohmann::ordered_json to_json(const ProbeStarted& started);
[[nodiscard]] nlohmann::ordered_json to_json(const ProbeView& view);
[[nodiscard]] nlohmann::ordered_json to_json(const HistoryPage& page);

}  // namespace podlane::control
