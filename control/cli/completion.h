// Completion scripts for shells, made from the table of commands. `podlanectl completion` prints
// them, and the build installs its output.
#pragma once

#include <string>

namespace podlane::control {

[[nodiscard]] std::string bash_completion();
[[nodiscard]] std::string zsh_completion();

}  // namespace podlane::control
