// YAML from JSON, for podlanectl's -o yaml.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace podlane::control {

/// `value` as one YAML document in block style, ended by a line end. Strings that a YAML 1.1 reader
/// could take for something else are quoted.
[[nodiscard]] std::string to_yaml(const nlohmann::ordered_json& value);

}  // namespace podlane::control
