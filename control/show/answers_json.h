// Answers to single questions as JSON, for the config socket (docs/rpc.md).
//
// The socket's bindings call it, on the control thread.
#pragma once

#include <nlohmann/json.hpp>

#include "control/show/answers.h"

namespace podlane::control {

[[nodiscard]] nlohmann::ordered_json to_json(const Explanation& explanation);
[[nodiscard]] nlohmann::ordered_json to_json(const Resolution& resolution);
[[nodiscard]] nlohmann::ordered_json to_json(const FlannelFacts& facts);
/// Secrets with their contents.
[[nodiscard]] nlohmann::ordered_json to_json(const IngressObjects& objects);

}  // namespace podlane::control
