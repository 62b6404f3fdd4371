// Installs the CNI configuration atomically where the container runtime looks for it.
#pragma once

#include <string>

#include "lib/base/result.h"

namespace podlane::control {

/// Copies `from` to `to` through a temporary file beside it and a rename; does nothing if they are
/// equal already. The runtime may read `to` at any time.
[[nodiscard]] Result<void> install_file(const std::string& from, const std::string& to);

}  // namespace podlane::control
