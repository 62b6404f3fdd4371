// `podlanectl get` and `podlanectl describe`.
#pragma once

#include "control/cli/command.h"
#include "control/cli/run.h"

namespace podlane::control {

/// Lists the items that the words name and returns the exit code. With --watch it then follows
/// changes.
[[nodiscard]] int run_get(const Invocation& call, CliEnvironment& environment);

/// Shows each item in full, with the node's state for it.
[[nodiscard]] int run_describe(const Invocation& call, CliEnvironment& environment);

/// Says what is wrong with the words and options of either command; "" if they are valid.
[[nodiscard]] std::string get_fault(Invocation& call);
[[nodiscard]] std::string describe_fault(Invocation& call);

}  // namespace podlane::control
