// The counters as JSON, for `stats`, `drops` and the like of the config socket (docs/rpc.md).
//
// The socket's bindings call it, on the control thread.
#pragma once

#include <nlohmann/json.hpp>

#include "control/show/logged_flow.h"
#include "control/show/node_stats.h"

namespace podlane::control {

[[nodiscard]] nlohmann::ordered_json to_json(const NodeStats& stats);
/// Every reason in the order of the code, with its help.
[[nodiscard]] nlohmann::ordered_json to_json(const DropStats& drops);
[[nodiscard]] nlohmann::ordered_json to_json(const NewFlowReport& report);
[[nodiscard]] nlohmann::ordered_json to_json(const PeerReport& report);

}  // namespace podlane::control
