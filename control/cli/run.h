// podlanectl without its process: arguments in, text and an exit code out.
#pragma once

#include <functional>
#include <iosfwd>
#include <span>
#include <string>

namespace podlane::control {

/// What the program needs of its surroundings; tests give their own.
struct CliEnvironment {
    std::istream& in;
    std::ostream& out;
    std::ostream& err;
    std::string default_socket;
    bool is_terminal = false;             ///< of `out`: stats --watch then redraws in place
    std::function<void()> pause = [] {};  ///< a second, between two turns of stats --watch
};

/// Carries out a command line without the program's name. Gives the exit code: 0 done, 1 refused or
/// failed, 2 wrong usage.
[[nodiscard]] int run_podlanectl(std::span<const std::string> arguments,
                                 CliEnvironment& environment);

}  // namespace podlane::control
