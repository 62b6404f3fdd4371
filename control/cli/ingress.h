// `podlanectl ingress config`: from podlaned's objects to a proxy that serves them.
#pragma once

#include "control/cli/command.h"
#include "control/cli/run.h"

namespace podlane::control {

/// Runs the command, once or for as long as it watches, and returns the exit code. While watching
/// it survives failures: the configuration stays unchanged, and the next round tries again.
[[nodiscard]] int run_ingress_config(const Invocation& call, CliEnvironment& environment);

/// The class of Ingresses that a command line is about.
[[nodiscard]] std::string ingress_class(const Invocation& call);

}  // namespace podlane::control
