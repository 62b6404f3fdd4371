// The live state as lists: `get ports|neighbors|fdb|routes|flows|workers|frontends` (docs/rpc.md).
//
// Called by the node, control thread.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "control/show/live_view.h"

namespace podlane::control {

/// The items of a live kind, all of them, or nothing when `kind` is none of the live ones.
/// `flow_limit`: how many connections are looked at, for `flows`; 0 is all.
[[nodiscard]] std::optional<nlohmann::ordered_json> list_live(const LiveView& live,
                                                              std::string_view kind,
                                                              size_t flow_limit);

/// Whether an item of that kind is what `name` asks for.
[[nodiscard]] bool is_named(std::string_view kind, const nlohmann::ordered_json& item,
                            std::string_view name);

/// Whether an unknown `name` is an error for that kind, or an empty list.
[[nodiscard]] bool has_unique_names(std::string_view kind);

}  // namespace podlane::control
