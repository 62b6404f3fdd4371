// `upgrade`: another podlaned takes the place of the one that runs, which goes on if that fails.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "control/cli/command.h"

namespace podlane::control {

/// What to run for it, by what the podlaned that runs says of itself (`process`): the new one with
/// its arguments. `added` come first of what it is told. `binary`: "" for the file that the running
/// one was started from, which another may stand at by now.
[[nodiscard]] std::vector<std::string> upgrade_words(const nlohmann::ordered_json& process,
                                                     const std::string& binary,
                                                     const std::vector<std::string>& added);

/// The command. Gives the exit code.
int run_upgrade(const Invocation& call, CliEnvironment& environment);

}  // namespace podlane::control
