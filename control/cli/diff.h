// `podlanectl diff`: objects before and after as a unified diff of their YAML.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace podlane::control {

/// A unified diff of two texts, three lines of context; "" where they are equal.
[[nodiscard]] std::string unified_diff(std::string_view before, std::string_view after,
                                       std::string_view before_name, std::string_view after_name);

/// Fills in what each object of a reply of `diff` was and is going to be, `before` and `after`:
/// from podlaned's own objects by `live`, a call of `get`, and from the `files` of the request.
using LiveObject = std::function<nlohmann::ordered_json(const nlohmann::ordered_json& item)>;
void add_before_and_after(nlohmann::ordered_json& reply, const nlohmann::ordered_json& files,
                          const LiveObject& live);

/// The reply of `diff`, object by object, as kubectl diff shows it.
[[nodiscard]] std::string diff_text(const nlohmann::ordered_json& reply);

}  // namespace podlane::control
