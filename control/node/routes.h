// The routes of a snapshot, row by row: `get routes`.
//
// Called by the listings, control thread.
#pragma once

#include <vector>

#include "control/node/live_view.h"
#include "control/show/rows.h"

namespace podlane::control {

/// Both families, IPv4 first; longest prefixes first, then by address.
[[nodiscard]] std::vector<RouteRow> route_rows(const Snapshot& snapshot, const PortNames& names);

}  // namespace podlane::control
