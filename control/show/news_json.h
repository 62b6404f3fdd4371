// What has happened as JSON, for the config socket (docs/rpc.md).
//
// The socket's bindings call it, on the control thread.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "control/show/news.h"

namespace podlane::control {

[[nodiscard]] nlohmann::ordered_json to_json(const History& history);

/// "ADDED", as `watch` and `events` have it.
[[nodiscard]] const char* word_of(NewsType type) noexcept;

/// RFC 3339, in UTC, to the millisecond: "2026-11-29T14:02:11.123Z".
[[nodiscard]] std::string time_text(uint64_t ms_since_1970);

}  // namespace podlane::control
