// For `--background`: the started command returns once the daemon is ready, which runs on.
#pragma once

#include <functional>

#include "lib/base/result.h"

namespace podlane::control {

struct Background {
    /// In the daemon's process: tells the original process that it is ready. Empty in the original
    /// process, which must end with exit_code.
    std::function<void()> tell_ready;
    int exit_code = 0;
};

/// Forks. In the original process, returns when the other one is ready or has ended; it tells the
/// service manager, if there is one, which process is the main one now. Call before any thread is
/// started.
[[nodiscard]] Result<Background> run_in_background();

}  // namespace podlane::control
