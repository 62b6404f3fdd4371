// `podlanectl top`: a terminal that is redrawn once a second, and its keys.
#pragma once

#include "control/cli/command.h"

namespace podlane::control {

/// Until q, --count or an error. Gives the exit code.
[[nodiscard]] int run_top(const Invocation& call, CliEnvironment& environment);

}  // namespace podlane::control
