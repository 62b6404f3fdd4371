// Running on behind the command that has started the daemon, when it is ready: for `--background`.
#pragma once

#include <functional>

#include "lib/base/result.h"

namespace podlane::control {

struct Background {
    /// In the process that runs on: tells the one that was called. Empty in that one, whose life
    /// is over: it ends with exit_code.
    std::function<void()> tell_ready;
    int exit_code = 0;
};

/// Forks. The process that was called returns when the other one is ready, or has ended; where
/// there is a service manager, it says which process is the main one now. Before any thread is
/// started.
[[nodiscard]] Result<Background> run_in_background();

}  // namespace podlane::control
