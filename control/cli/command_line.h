// podlanectl's command line, parsed: a command, a request for help, or an error.
// Pure; run.cc and tests call it.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "control/cli/command.h"

namespace podlane::control {

/// Text that the user asked for with --help.
struct CliHelp {
    std::string text;
};

/// Wrong usage: exit 2.
struct CliMistake {
    std::string message;  ///< without "error: "
    std::string hint;     ///< where to look
};

/// Parses the arguments behind the program's name. `default_socket` is used without --socket.
[[nodiscard]] std::variant<Invocation, CliHelp, CliMistake> parse_command_line(
    std::span<const std::string> arguments, std::string_view default_socket);

}  // namespace podlane::control
