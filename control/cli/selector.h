// kubectl's label selectors: "app=web,tier in (a,b),!old".
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "control/kube/meta.h"
#include "lib/base/result.h"

namespace podlane::control {

/// Reads a selector: key=value, key==value, key!=value, key in (a,b), key notin (a,b), key, !key,
/// joined by commas. An Error says which part is wrong.
[[nodiscard]] Result<LabelSelector> parse_selector(std::string_view text);

/// Whether an object's metadata.labels are selected.
[[nodiscard]] bool is_selected(const LabelSelector& selector, const nlohmann::ordered_json& object);

}  // namespace podlane::control
