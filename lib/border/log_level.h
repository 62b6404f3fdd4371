// How much is logged: podlaned's own lines, and DPDK's, which go to the same log.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

namespace podlane {

enum class LogLevel : uint8_t { kError, kWarning, kInfo, kDebug };

/// Takes a line without its line end, on any thread.
using LogReceiver = std::function<void(LogLevel, std::string_view)>;

/// By LogLevel, as --log-level and `log.level` spell them.
inline constexpr std::array<std::string_view, 4> kLogLevelNames = {"error", "warning", "info",
                                                                   "debug"};

[[nodiscard]] constexpr std::string_view to_string(LogLevel level) noexcept {
    return kLogLevelNames[static_cast<size_t>(level)];
}

[[nodiscard]] constexpr std::optional<LogLevel> parse_log_level(std::string_view text) noexcept {
    for (size_t i = 0; i < kLogLevelNames.size(); ++i) {
        if (kLogLevelNames[i] == text) return static_cast<LogLevel>(i);
    }
    return std::nullopt;
}

}  // namespace podlane
