// The log's level as spdlog has it.
//
// For main, and for the node model that changes it while running; any thread.
#pragma once

#include <spdlog/common.h>

#include "lib/border/log_level.h"

namespace podlane::control {

[[nodiscard]] constexpr spdlog::level::level_enum spdlog_level(LogLevel level) noexcept {
    switch (level) {
        case LogLevel::kError:
            return spdlog::level::err;
        case LogLevel::kWarning:
            return spdlog::level::warn;
        case LogLevel::kInfo:
            return spdlog::level::info;
        case LogLevel::kDebug:
            return spdlog::level::debug;
    }
    return spdlog::level::info;
}

/// Our level that logs the same messages as `level`.
[[nodiscard]] constexpr LogLevel log_level_of(spdlog::level::level_enum level) noexcept {
    if (level <= spdlog::level::debug) return LogLevel::kDebug;
    if (level == spdlog::level::info) return LogLevel::kInfo;
    return level == spdlog::level::warn ? LogLevel::kWarning : LogLevel::kError;
}

}  // namespace podlane::control
