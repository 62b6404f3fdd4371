// The live state as rows: `get ports|neighbors|fdb|routes|flows|workers|frontends|addresses`.
//
// Called by the node, control thread.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "control/node/live_view.h"
#include "control/show/rows.h"

namespace podlane::control {

/// The rows of a live kind, all of them or those that `name` asks for; nothing when `kind` is none
/// of the live ones, or flows.
[[nodiscard]] std::optional<Rows> list_live(const LiveView& live, std::string_view kind,
                                            std::optional<std::string_view> name);

/// Connections, and where to go on where there may be more.
struct FlowList {
    std::vector<FlowRow> rows;
    FlowCursor next = 0;
};

/// Up to `limit` connections (0: as many as one answer may pass) from `from` on. `name`: those of
/// one Service, pod or address, the last one with or without its port; none: all.
[[nodiscard]] FlowList list_flows(const LiveView& live, std::optional<std::string_view> name,
                                  size_t limit, FlowCursor from);

}  // namespace podlane::control
