// `podlanectl ingress status`: what an Ingress controller would write into the Ingresses' status.
#pragma once

#include "control/cli/command.h"
#include "control/cli/run.h"

namespace podlane::control {

/// Prints a List with the status of each Ingress of the class: the addresses of the Service in
/// front of the proxy. Prints JSON, or YAML on request; returns the exit code.
[[nodiscard]] int run_ingress_status(const Invocation& call, CliEnvironment& environment);

}  // namespace podlane::control
