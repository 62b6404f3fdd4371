// `podlanectl diff`: objects before and after as a unified diff of their YAML.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace podlane::control {

/// A unified diff of two texts, three lines of context; "" where they are equal.
[[nodiscard]] std::string unified_diff(std::string_view before, std::string_view after,
                                       std::string_view before_name, std::string_view after_name);

/// The reply of `diff`, object by object, as kubectl diff shows it.
[[nodiscard]] std::string diff_text(const nlohmann::ordered_json& reply);

}  // namespace podlane::control
