// The live state as lists: `get ports|neighbors|fdb|routes|flows|workers|frontends` (docs/rpc.md).
//
// Called by the node, control thread.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "control/node/live_view.h"

namespace podlane::control {

/// The items of a live kind, all of them, or nothing when `kind` is none of the live ones.
[[nodiscard]] std::optional<nlohmann::ordered_json> list_live(const LiveView& live,
                                                              std::string_view kind);

/// Connections, and where to go on where there may be more.
struct FlowList {
    nlohmann::ordered_json items = nlohmann::ordered_json::array();
    FlowCursor next = 0;
};

/// Up to `limit` connections (0: as many as one answer may pass) from `from` on. `name`: those of
/// one Service, pod or address, the last one with or without its port; none: all.
[[nodiscard]] FlowList list_flows(const LiveView& live, std::optional<std::string_view> name,
                                  size_t limit, FlowCursor from);

/// Whether an item of that kind is what `name` asks for.
[[nodiscard]] bool is_named(std::string_view kind, const nlohmann::ordered_json& item,
                            std::string_view name);

}  // namespace podlane::control
