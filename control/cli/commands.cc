#include "control/cli/commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "control/options/help.h"

namespace podlane::control {
namespace {

constexpr auto kGlobalOptions = std::to_array<OptionRow>({
    {"socket", 0, OptionType::kRepeated, "PATH",
     "podlaned's socket; $PODLANE_SOCKET, or /run/podlane/podlane.sock"},
    {"output", 'o', OptionType::kWord, "FORMAT",
     "table (default), wide, json, yaml; get has name, too", kFormats},
    {"timeout", 0, OptionType::kNumber, "SECONDS",
     "how long to wait for podlaned (default 10; for changes 300; for health 5)"},
    {"help", 'h', OptionType::kFlag, "", "this text"},
});

std::string command_lines(std::string_view prefix) {
    size_t width = 0;
    for (const CliCommand* command : cli_commands()) width = std::max(width, command->name.size());
    std::string text;
    for (const CliCommand* command : cli_commands()) {
        if (!command->name.starts_with(prefix)) continue;
        text += fmt::format("  {:<{}}  {}\n", command->name, width, command->summary);
    }
    return text;
}

}  // namespace

const std::vector<const CliCommand*>& cli_commands() {
    static const std::vector<const CliCommand*> kAll = [] {
        std::vector<const CliCommand*> all;
        for (const auto part :
             {change_commands(), get_commands(), pod_commands(), counter_commands(),
              event_commands(), explain_commands(), capture_commands(), doctor_commands(),
              ingress_commands(), node_commands()}) {
            for (const CliCommand& command : part) all.push_back(&command);
        }
        return all;
    }();
    return kAll;
}

const CliCommand* find_command(std::string_view name) {
    const auto& all = cli_commands();
    const auto found = std::ranges::find(all, name, &CliCommand::name);
    return found == all.end() ? nullptr : *found;
}

std::span<const OptionRow> global_options() noexcept {
    return kGlobalOptions;
}

std::string general_help() {
    return "Usage: podlanectl [OPTION...] COMMAND\n\nCommands:\n" + command_lines("") +
           "\nOptions of all commands:\n" + options_help(kGlobalOptions) +
           "\n\"podlanectl COMMAND --help\" tells more about a command.\n";
}

std::string group_help(std::string_view word) {
    return fmt::format("Usage: podlanectl {} COMMAND\n\nCommands:\n{}\n", word,
                       command_lines(fmt::format("{} ", word)));
}

std::string command_help(const CliCommand& command) {
    std::string text = fmt::format("Usage: podlanectl {}{}{} [OPTION...]\n\n", command.name,
                                   command.synopsis.empty() ? "" : " ", command.synopsis);
    text += wrapped(fmt::format("{}.", command.summary), 0);
    if (!command.details.empty()) text += '\n' + wrapped(command.details, 0);
    if (!command.examples.empty()) text += fmt::format("\nExamples:\n{}\n", command.examples);
    if (!command.options.empty()) text += "\nOptions:\n" + options_help(command.options);
    return text + "\nOptions of all commands:\n" + options_help(kGlobalOptions);
}

}  // namespace podlane::control
