#include "control/cli/moment.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <ctime>
#include <system_error>
#include <utility>

namespace podlane::control {

namespace {

constexpr uint64_t kDayMs = 86'400'000;
constexpr uint64_t kMinuteMs = 60'000;

/// All of `text` as one number.
std::optional<unsigned> number(std::string_view text) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

/// The parts of "14:02:30" or "2026-11-29": from `least` to three numbers.
std::optional<std::array<unsigned, 3>> parts_of(std::string_view text, char mark, size_t least) {
    std::array<unsigned, 3> parts{};
    size_t count = 0;
    for (size_t begin = 0; begin <= text.size(); ++count) {
        const size_t end = std::min(text.find(mark, begin), text.size());
        const auto part = number(text.substr(begin, end - begin));
        if (!part || count == parts.size()) return std::nullopt;
        parts[count] = *part;
        begin = end + 1;
    }
    return count < least ? std::nullopt : std::optional(parts);
}

std::tm local_of(uint64_t ms) {
    const auto seconds = static_cast<std::time_t>(ms / 1000);
    std::tm local{};
    ::localtime_r(&seconds, &local);
    return local;
}

bool set_time(std::string_view text, std::tm& to) {
    const auto parts = parts_of(text, ':', 2);
    if (!parts || (*parts)[0] > 23 || (*parts)[1] > 59 || (*parts)[2] > 59) return false;
    to.tm_hour = static_cast<int>((*parts)[0]);
    to.tm_min = static_cast<int>((*parts)[1]);
    to.tm_sec = static_cast<int>((*parts)[2]);
    to.tm_isdst = -1;
    return true;
}

std::optional<uint64_t> time_of_day(std::string_view text, uint64_t now_ms) {
    std::tm local = local_of(now_ms);
    if (!set_time(text, local)) return std::nullopt;
    const auto then = static_cast<uint64_t>(std::mktime(&local)) * 1000;
    return then > now_ms ? then - kDayMs : then;
}

std::optional<uint64_t> date_and_time(std::string_view text) {
    constexpr size_t kDateBytes = 10;  // 2026-11-29
    if (text.size() <= kDateBytes + 1) return std::nullopt;
    const char between = text[kDateBytes];
    if (between != ' ' && between != 'T') return std::nullopt;
    const auto date = parts_of(text.substr(0, kDateBytes), '-', 3);
    std::string_view time = text.substr(kDateBytes + 1);
    const bool is_utc = time.ends_with('Z');
    if (is_utc) time.remove_suffix(1);
    // Fractions of a second, as printed by `events -o json`.
    uint64_t ms = 0;
    if (const size_t point = time.find('.'); point != std::string_view::npos) {
        const auto fraction = number(time.substr(point + 1));
        if (!fraction || time.size() != point + 4) return std::nullopt;
        ms = *fraction;
        time = time.substr(0, point);
    }
    std::tm then{};
    if (!date || (*date)[0] < 1970 || (*date)[0] > 9999 || (*date)[1] < 1 || (*date)[1] > 12 ||
        (*date)[2] < 1 || (*date)[2] > 31 || !set_time(time, then)) {
        return std::nullopt;
    }
    then.tm_year = static_cast<int>((*date)[0]) - 1900;
    then.tm_mon = static_cast<int>((*date)[1]) - 1;
    then.tm_mday = static_cast<int>((*date)[2]);
    const std::time_t seconds = is_utc ? ::timegm(&then) : std::mktime(&then);
    if (seconds < 0) return std::nullopt;
    return static_cast<uint64_t>(seconds) * 1000 + ms;
}

}  // namespace

std::optional<uint64_t> parse_span_ms(std::string_view text) {
    constexpr std::array<std::pair<char, uint64_t>, 4> kUnits{
        {{'s', 1000}, {'m', 60'000}, {'h', 3'600'000}, {'d', kDayMs}}};
    for (const auto& [unit, ms] : kUnits) {
        if (!text.ends_with(unit)) continue;
        const auto count = number(text.substr(0, text.size() - 1));
        return count ? std::optional(*count * ms) : std::nullopt;
    }
    return std::nullopt;
}

std::optional<uint64_t> parse_moment(std::string_view text, uint64_t now_ms) {
    if (const auto span = parse_span_ms(text)) {
        return *span <= now_ms ? std::optional(now_ms - *span) : std::nullopt;
    }
    const auto time = time_of_day(text, now_ms);
    return time ? time : date_and_time(text);
}

std::optional<uint64_t> parse_end(std::string_view text, uint64_t since_ms, uint64_t now_ms) {
    auto end = parse_moment(text, now_ms);
    if (!end) return end;
    if (std::ranges::count(text, ':') == 1) *end += kMinuteMs;
    const bool is_time_of_day = time_of_day(text, now_ms).has_value();
    const std::tm then = local_of(*end - 1), now = local_of(now_ms);
    if (is_time_of_day && then.tm_yday != now.tm_yday && *end <= since_ms) *end += kDayMs;
    return end;
}

std::string moment_text(uint64_t ms, uint64_t now_ms) {
    const std::tm then = local_of(ms), now = local_of(now_ms);
    const bool is_today = then.tm_year == now.tm_year && then.tm_yday == now.tm_yday;
    return fmt::format("{}{:%H:%M:%S}.{:03}",
                       is_today ? std::string() : fmt::format("{:%Y-%m-%d }", then), then,
                       ms % 1000);
}

uint64_t wall_clock_ms() {
    return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                     std::chrono::system_clock::now().time_since_epoch())
                                     .count());
}

}  // namespace podlane::control
