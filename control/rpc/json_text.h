// Parses a message of the config socket in place, within bounds that keep a hostile one from taking
// the daemon's memory or stack. Used by methods.cc alone, on the control thread.
#pragma once

#include <rapidjson/document.h>

#include <cstddef>
#include <optional>
#include <string>

#include "control/rpc/request.h"

namespace podlane::control {

inline constexpr size_t kMaxJsonValues = 1'000'000;  ///< in one message; member names count
inline constexpr size_t kMaxJsonDepth = 64;          ///< of arrays and objects

/// Decodes `message` in place: strings of `document` point into it, so it must stay. Checks UTF-8.
/// Gives what is wrong with it (kParseError, or kInvalidRequest for a limit), if anything.
[[nodiscard]] std::optional<RpcFailure> parse_in_place(std::string& message,
                                                       rapidjson::Document& document);

}  // namespace podlane::control
