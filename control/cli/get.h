// `podlanectl get` and `podlanectl describe`.
#pragma once

#include "control/cli/command.h"
#include "control/cli/run.h"

namespace podlane::control {

/// Lists what the words name; gives the exit code. With --watch it goes on with what changes.
[[nodiscard]] int run_get(const Invocation& call, CliEnvironment& environment);

/// Shows each item whole, with what the node made of it.
[[nodiscard]] int run_describe(const Invocation& call, CliEnvironment& environment);

/// What is wrong with the words and options of the two; "" if nothing.
[[nodiscard]] std::string get_fault(Invocation& call);
[[nodiscard]] std::string describe_fault(Invocation& call);

}  // namespace podlane::control
