// The table of podlanectl's commands, joined from the files of its subjects, and the help that is
// made from it.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "control/cli/command.h"

namespace podlane::control {

// A file each.
[[nodiscard]] std::span<const CliCommand> change_commands() noexcept;
[[nodiscard]] std::span<const CliCommand> get_commands() noexcept;
[[nodiscard]] std::span<const CliCommand> pod_commands() noexcept;
[[nodiscard]] std::span<const CliCommand> counter_commands() noexcept;
[[nodiscard]] std::span<const CliCommand> explain_commands() noexcept;
[[nodiscard]] std::span<const CliCommand> capture_commands() noexcept;
[[nodiscard]] std::span<const CliCommand> doctor_commands() noexcept;
[[nodiscard]] std::span<const CliCommand> ingress_commands() noexcept;
[[nodiscard]] std::span<const CliCommand> node_commands() noexcept;

/// All of them, in the order of the help.
[[nodiscard]] const std::vector<const CliCommand*>& cli_commands();
/// By its name; null if there is none.
[[nodiscard]] const CliCommand* find_command(std::string_view name);
/// Those of every command.
[[nodiscard]] std::span<const OptionRow> global_options() noexcept;
/// The words of -o, in the order of OutputFormat.
inline constexpr std::string_view kFormats = "table wide json yaml name";

/// The program's help: usage, one line for each command, the global options.
[[nodiscard]] std::string general_help();
/// The help of a word that begins several commands, such as "pod".
[[nodiscard]] std::string group_help(std::string_view word);
/// A command's help with all of its options.
[[nodiscard]] std::string command_help(const CliCommand& command);

}  // namespace podlane::control
