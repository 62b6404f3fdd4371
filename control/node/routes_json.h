// The routes of a snapshot as `get routes` shows them (docs/rpc.md).
//
// Called by the listings, control thread.
#pragma once

#include <nlohmann/json.hpp>

#include "control/node/live_view.h"

namespace podlane::control {

/// Both families, IPv4 first; longest prefixes first, then by address.
[[nodiscard]] nlohmann::ordered_json routes_json(const Snapshot& snapshot, const PortNames& names);

}  // namespace podlane::control
