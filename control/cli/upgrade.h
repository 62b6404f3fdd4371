// `upgrade`: a new podlaned takes over from the running one, which continues if that fails.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "control/cli/command.h"

namespace podlane::control {

/// The command that starts the new podlaned, from what the running one reports (`process`). `added`
/// come first among its arguments. `binary`: "" for the path that the running one was started from,
/// where there may be another file by now.
[[nodiscard]] std::vector<std::string> upgrade_words(const nlohmann::ordered_json& process,
                                                     const std::string& binary,
                                                     const std::vector<std::string>& added);

/// Runs the command. Returns the exit code.
int run_upgrade(const Invocation& call, CliEnvironment& environment);

}  // namespace podlane::control
