// A moment as operators say it: how long ago, or a time of day.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace podlane::control {

/// "90s", "5m", "2h", "1d" before `now_ms`, or the last time that this machine's clock showed
/// "14:02" or "14:02:30". Milliseconds since 1970; nothing for other texts.
[[nodiscard]] std::optional<uint64_t> parse_since(std::string_view text, uint64_t now_ms);

}  // namespace podlane::control
