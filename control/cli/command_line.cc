#include "control/cli/command_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "control/cli/commands.h"
#include "control/cli/habits.h"
#include "control/cli/target.h"
#include "control/document/fields.h"

namespace podlane::control {
namespace {

using Parsed = std::variant<Invocation, CliHelp, CliMistake>;
using std::chrono::seconds;

// How long a call may take unless --timeout says otherwise: podlaned answers questions at once, and
// compiles a large cluster's objects in seconds.
constexpr seconds kQueryTimeout{10};
constexpr seconds kChangeTimeout{300};

CliMistake mistake(std::string message) {
    return {std::move(message), "see \"podlanectl --help\""};
}

// Every option that some command takes, to find the command's word among them.
std::vector<OptionRow> all_options() {
    std::vector<OptionRow> rows(global_options().begin(), global_options().end());
    for (const CliCommand* command : cli_commands()) {
        rows.insert(rows.end(), command->options.begin(), command->options.end());
    }
    return rows;
}

CliMistake unknown_command(std::string_view word) {
    if (const std::string use = command_meant(word); !use.empty()) {
        return mistake(fmt::format("unknown command {}; {}", in_quotes(word), use));
    }
    std::vector<std::string_view> names;
    for (const CliCommand* command : cli_commands()) {
        names.push_back(command->name);
        if (const size_t blank = command->name.find(' '); blank != std::string_view::npos) {
            names.push_back(command->name.substr(0, blank));
        }
    }
    const std::string_view meant = closest(word, names);
    return mistake(fmt::format(
        "unknown command {}{}", in_quotes(word),
        meant.empty() ? std::string() : fmt::format("; did you mean {}?", in_quotes(meant))));
}

bool is_help(std::string_view argument) {
    return argument == "-h" || argument == "--help";
}

// The second words of commands such as "pod add".
std::vector<std::string_view> second_words(std::string_view first) {
    std::vector<std::string_view> words;
    for (const CliCommand* command : cli_commands()) {
        if (command->name.starts_with(first) && command->name.size() > first.size() &&
            command->name[first.size()] == ' ') {
            words.push_back(command->name.substr(first.size() + 1));
        }
    }
    return words;
}

// Takes the command's words out of `arguments`.
std::variant<const CliCommand*, CliHelp, CliMistake> take_command(
    std::vector<std::string>& arguments) {
    const std::vector<OptionRow> rows = all_options();
    const auto take = [&](size_t at) {
        std::string word = arguments[at];
        arguments.erase(arguments.begin() + static_cast<std::ptrdiff_t>(at));
        return word;
    };
    size_t at = first_word(rows, arguments);
    if (at < arguments.size() && arguments[at] == "help") {
        take(at);
        arguments.emplace_back("--help");
        at = first_word(rows, arguments);
    }
    const bool wants_help = std::ranges::any_of(arguments, is_help);
    if (at >= arguments.size()) {
        if (wants_help) return CliHelp{general_help()};
        // kubectl has only the command; most programs have the option.
        if (const auto option = std::ranges::find(arguments, "--version");
            option != arguments.end()) {
            *option = "--client";
            return find_command("version");
        }
        // An unknown option is a better message than a missing command.
        const auto read = parse_options(global_options(), arguments);
        return mistake(read ? "a command is missing" : read.error().message);
    }
    std::string name = take(at);
    if (const auto seconds_of = second_words(name); !seconds_of.empty()) {
        at = first_word(rows, arguments, at);
        if (at >= arguments.size()) {
            if (wants_help) return CliHelp{group_help(name)};
            return CliMistake{fmt::format("{}: {} is missing", name, any_of(seconds_of)),
                              fmt::format("see \"podlanectl {} --help\"", name)};
        }
        name += ' ' + take(at);
    }
    const CliCommand* command = find_command(name);
    if (command == nullptr) return unknown_command(name);
    return command;
}

std::optional<OutputFormat> format_of(std::string_view word) {
    const auto formats = words_of(kFormats);
    const auto found = std::ranges::find(formats, word);
    if (found == formats.end()) return std::nullopt;
    return static_cast<OutputFormat>(found - formats.begin());
}

// Says what is wrong with the number of words; "" if it is right.
std::string word_fault(const CliCommand& command, const std::vector<std::string>& words) {
    if (words.size() < command.least_words) return fmt::format("{} is needed", command.synopsis);
    if (words.size() > command.most_words) {
        return fmt::format("unexpected {}", in_quotes(words[command.most_words]));
    }
    if (command.word_kind != WordKind::kObjectName || words.empty()) return {};
    const std::string& name = words.front();
    const size_t slash = name.find('/');
    const bool is_whole = slash != std::string::npos && slash > 0 && slash + 1 < name.size();
    return is_whole ? std::string()
                    : fmt::format("{} is not NAMESPACE/NAME, such as default/web", in_quotes(name));
}

// Fills in what all commands share; returns what is wrong with it.
std::string take_common(Invocation& call, std::string_view default_socket) {
    call.sockets = call.options.texts("socket");
    if (call.sockets.empty()) call.sockets.emplace_back(default_socket);
    if (call.sockets.size() > 1 && !call.command->takes_sockets) return "--socket is given twice";
    call.socket = call.sockets.front();
    if (call.has("output")) call.format = format_of(call.text("output")).value_or(call.format);
    const auto takes = [&call](std::string_view option) {
        const auto& rows = call.command->options;
        return std::ranges::find(rows, option, &OptionRow::name) != rows.end();
    };
    if (call.format == OutputFormat::kName && !takes("no-headers")) return "-o name goes with get";
    call.timeout = call.command->is_change ? kChangeTimeout : kQueryTimeout;
    if (const auto given = call.options.number("timeout")) {
        if (*given == 0 || *given > 86400) return "--timeout: a number of seconds (1-86400)";
        call.timeout = seconds(*given);
    }
    if (call.has("count") && takes("watch") && !call.has("watch"))
        return "--count goes with --watch";
    return {};
}

Parsed parse_command(const CliCommand& command, const std::vector<std::string>& arguments,
                     std::string_view default_socket) {
    const auto wrong = [&](std::string_view what) {
        return CliMistake{fmt::format("{}: {}", command.name, what),
                          fmt::format("see \"podlanectl {} --help\"", command.name)};
    };
    if (std::ranges::any_of(arguments, is_help)) return CliHelp{command_help(command)};
    std::vector<OptionRow> rows(global_options().begin(), global_options().end());
    rows.insert(rows.end(), command.options.begin(), command.options.end());
    auto values = parse_options(rows, arguments);
    if (!values) return wrong(values.error().message);
    Invocation call{.command = &command, .options = std::move(values).value()};
    call.words = call.options.words();
    if (const OptionRow* missing = missing_option(rows, call.options)) {
        return wrong(fmt::format("{} is needed", option_usage(*missing)));
    }
    std::string fault = take_common(call, default_socket);
    if (command.word_kind == WordKind::kObjectName && !call.words.empty()) {
        call.words.front() = whole_name(call, std::move(call.words.front()));
    }
    if (fault.empty()) fault = word_fault(command, call.words);
    if (fault.empty() && command.check != nullptr) fault = command.check(call);
    if (!fault.empty()) return wrong(fault);
    return call;
}

}  // namespace

Parsed parse_command_line(std::span<const std::string> given, std::string_view default_socket) {
    std::vector<std::string> arguments(given.begin(), given.end());
    auto command = take_command(arguments);
    if (auto* help = std::get_if<CliHelp>(&command)) return std::move(*help);
    if (auto* wrong = std::get_if<CliMistake>(&command)) return std::move(*wrong);
    return parse_command(*std::get<const CliCommand*>(command), arguments, default_socket);
}

}  // namespace podlane::control
