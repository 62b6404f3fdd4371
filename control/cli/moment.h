// Points in time as operators write them: how long ago, a time of day, a date with a time.
//
// For options of podlanectl. Pure but for the time zone.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace podlane::control {

/// "90s", "5m", "2h", "1d" in milliseconds; nothing for other texts.
[[nodiscard]] std::optional<uint64_t> parse_span_ms(std::string_view text);

/// "90s", "5m", "2h", "1d" before `now_ms`; the last time that this machine's clock showed "14:02"
/// or "14:02:30"; "2026-11-29 14:02" of this machine's clock, or with `T` and a `Z` at its end of
/// UTC. Milliseconds since 1970; nothing for other texts.
[[nodiscard]] std::optional<uint64_t> parse_moment(std::string_view text, uint64_t now_ms);

/// parse_moment() for the end of a stretch of time that begins at `since_ms` (0: any): of "14:02"
/// the end of that minute; a time of day that has not come yet today is meant where yesterday's
/// would be before the beginning.
[[nodiscard]] std::optional<uint64_t> parse_end(std::string_view text, uint64_t since_ms,
                                                uint64_t now_ms);

/// Of the machine's clock, "14:02:11.123"; with the date before it where that is not the day of
/// `now_ms`.
[[nodiscard]] std::string moment_text(uint64_t ms, uint64_t now_ms);

/// Milliseconds since 1970.
[[nodiscard]] uint64_t wall_clock_ms();

}  // namespace podlane::control
