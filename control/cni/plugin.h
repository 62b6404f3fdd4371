// podlane-cni: the CNI plugin that gives pods their Podlane ports.
//
// A container runtime runs it with environment variables and a configuration, once for each
// command; main.cc is only a wrapper. docs/cni.md says what it does.
#pragma once

#include <iosfwd>
#include <string_view>

#include "control/cni/request.h"

namespace podlane::cni {

/// Carries out one call. The answer or the error goes to `out`; the exit code.
[[nodiscard]] int run(const Environment& environment, std::string_view input, std::ostream& out);

}  // namespace podlane::cni
