#include "control/cli/since.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>
#include <utility>

namespace podlane::control {

namespace {

constexpr uint64_t kDayMs = 86'400'000;

/// All of `text` as a number.
std::optional<unsigned> number(std::string_view text) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

std::optional<uint64_t> time_of_day(std::string_view text, uint64_t now_ms) {
    std::array<unsigned, 3> parts{};  // hours, minutes, seconds
    size_t count = 0;
    for (size_t begin = 0; begin <= text.size(); ++count) {
        const size_t end = std::min(text.find(':', begin), text.size());
        const auto part = number(text.substr(begin, end - begin));
        if (!part || count == parts.size()) return std::nullopt;
        parts[count] = *part;
        begin = end + 1;
    }
    if (count < 2 || parts[0] > 23 || parts[1] > 59 || parts[2] > 59) return std::nullopt;
    const auto now = static_cast<std::time_t>(now_ms / 1000);
    std::tm local{};
    ::localtime_r(&now, &local);
    local.tm_hour = static_cast<int>(parts[0]);
    local.tm_min = static_cast<int>(parts[1]);
    local.tm_sec = static_cast<int>(parts[2]);
    local.tm_isdst = -1;
    const auto then = static_cast<uint64_t>(std::mktime(&local)) * 1000;
    return then > now_ms ? then - kDayMs : then;
}

}  // namespace

std::optional<uint64_t> parse_since(std::string_view text, uint64_t now_ms) {
    constexpr std::pair<char, uint64_t> kUnits[] = {
        {'s', 1000}, {'m', 60'000}, {'h', 3'600'000}, {'d', kDayMs}};
    if (text.empty()) return std::nullopt;
    for (const auto& [unit, ms] : kUnits) {
        if (text.back() != unit) continue;
        const auto count = number(text.substr(0, text.size() - 1));
        if (!count || *count * ms > now_ms) return std::nullopt;
        return now_ms - *count * ms;
    }
    return time_of_day(text, now_ms);
}

}  // namespace podlane::control
