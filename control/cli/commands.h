// The table of podlanectl's commands: names, help and which options belong to them.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "control/cli/options.h"

namespace podlane::control {

/// One command, as it is typed and as help shows it.
struct CliCommandInfo {
    CliCommand command;
    std::string_view name;      ///< one word, or two ("pod add")
    std::string_view synopsis;  ///< what stands behind the name
    std::string_view summary;   ///< one line
    std::string_view details;   ///< more for --help, examples included
    bool takes_files = false;   ///< -f
    size_t least_words = 0;     ///< of positional arguments
    size_t most_words = 0;
};

[[nodiscard]] std::span<const CliCommandInfo> cli_commands() noexcept;

/// The program's help: usage and one line for each command, in front of the global options.
[[nodiscard]] std::string general_help();

/// A command's help, in front of its options.
[[nodiscard]] std::string command_help(const CliCommandInfo& command);

}  // namespace podlane::control
