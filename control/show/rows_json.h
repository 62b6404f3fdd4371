// Lists as JSON, for `get` of the config socket (docs/rpc.md).
//
// The socket's bindings call it, on the control thread.
#pragma once

#include <nlohmann/json.hpp>

#include "control/show/rows.h"

namespace podlane::control {

/// Adds a connection's traffic, the same in `get flows` and in the flow log.
void add_traffic(nlohmann::ordered_json& item, const FlowTraffic& traffic);

/// {kind, items[, next][, total]}.
[[nodiscard]] nlohmann::ordered_json to_json(const Listing& listing);

}  // namespace podlane::control
