// `podlanectl ingress config`: from podlaned's objects to a proxy that serves them.
#pragma once

#include "control/cli/command.h"
#include "control/cli/run.h"

namespace podlane::control {

/// Carries the command out, once or for as long as it watches; gives the exit code. Watching, it
/// outlives failures: the configuration stays as it is, and the next turn tries again.
[[nodiscard]] int run_ingress_config(const Invocation& call, CliEnvironment& environment);

/// The class of Ingresses that a command line is about.
[[nodiscard]] std::string ingress_class(const Invocation& call);

}  // namespace podlane::control
