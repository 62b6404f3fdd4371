// The meaning of a YAML scalar in Kubernetes: YAML 1.1 as sigs.k8s.io/yaml reads it. Internal to
// control/document/; a separate file so that its rules can be tested one by one.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "control/document/value.h"

namespace podlane::control {

struct YamlScalar {
    ValueType type = ValueType::kString;
    std::string text;  ///< integers in decimal, bools "true" or "false", null ""
};

/// `tag` as yaml-cpp has it: "?" or "" for a plain scalar, "!" for a quoted one, else the tag in
/// full. None if the tag is unknown or does not fit the text.
[[nodiscard]] std::optional<YamlScalar> resolve_yaml_scalar(std::string_view tag,
                                                            std::string_view text);

}  // namespace podlane::control
