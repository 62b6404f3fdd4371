// Puts the CNI configuration where the container runtime looks for it, whole or not at all.
#pragma once

#include <string>

#include "lib/base/result.h"

namespace podlane::control {

/// Copies `from` to `to` by a temporary file beside it and a rename; does nothing if they are equal
/// already. The runtime may read `to` at any time.
[[nodiscard]] Result<void> install_file(const std::string& from, const std::string& to);

}  // namespace podlane::control
