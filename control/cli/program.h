// Runs another program to its end.
#pragma once

#include <string>
#include <vector>

#include "lib/base/result.h"

namespace podlane::control {

struct ProgramEnd {
    int code = 0;        ///< exit code; 128 and the signal's number if one ended it
    std::string output;  ///< of stdout and stderr, as they came
};

/// Runs a program: `words` is its name, looked up in PATH, and its arguments. Its standard input is
/// empty; it runs in `folder` if that is given. An Error says why it could not be started.
[[nodiscard]] Result<ProgramEnd> run_program(const std::vector<std::string>& words,
                                             const std::string& folder = {});

}  // namespace podlane::control
