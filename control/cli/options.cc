#include "control/cli/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/program_options.hpp>
#include <sstream>
#include <utility>

#include "control/cli/commands.h"
#include "control/cli/kinds.h"

namespace podlane::control {
namespace {

namespace po = boost::program_options;
using Parsed = std::variant<CliOptions, CliHelp, CliMistake>;

constexpr std::string_view kGeneralHint = "\"podlanectl --help\" lists the commands";

po::options_description global_options() {
    po::options_description options("Options of all commands");
    options.add_options()  //
        ("socket", po::value<std::string>()->value_name("PATH"),
         "podlaned's socket; $PODLANE_SOCKET, or /run/podlane/podlane.sock")  //
        ("output,o", po::value<std::string>()->value_name("FORMAT"),
         "table (default), wide, json or yaml")  //
        ("help,h", "this text");
    return options;
}

po::options_description own_options(const CliCommandInfo& info) {
    po::options_description options("Options");
    const auto text = [](const char* name) { return po::value<std::string>()->value_name(name); };
    const auto texts = [](const char* name) {
        return po::value<std::vector<std::string>>()->value_name(name)->multitoken();
    };
    auto add = options.add_options();
    if (info.takes_files)
        add("filename,f", texts("FILE..."), "files, folders, - for standard input");
    switch (info.command) {
        case CliCommand::kGet:
            add("limit", po::value<uint64_t>()->value_name("N"),
                "at most so many; 0: all (flows: 10000 unless given)");
            break;
        case CliCommand::kPodAdd:
            add("netns", text("PATH")->required(), "the pod's network namespace");
            add("address", texts("IP...")->required(), "the pod's addresses, at most one a family");
            add("ifname", text("NAME"), "the interface's name in the pod (default eth0)");
            break;
        case CliCommand::kStats:
            add("watch,w", "show again each second, with rates");
            add("count", po::value<uint64_t>()->value_name("N"), "with --watch: end after N times");
            break;
        case CliCommand::kIngressConfig:
            add("out", text("DIR")->required(), "the folder to write nginx.conf and tls/ into");
            add("class", text("NAME"), "the Ingress class to serve (default podlane)");
            add("http-port", po::value<uint64_t>()->value_name("N"), "default 80");
            add("https-port", po::value<uint64_t>()->value_name("N"), "default 443");
            add("access-log", text("FILE"), "nginx's log of requests (default off)");
            add("nginx", text("PROGRAM"), "tests the configuration (default nginx)");
            add("reload-pid", text("FILE"), "after a change: SIGHUP to the nginx in FILE");
            add("reload-command", text("COMMAND"), "after a change: run COMMAND with /bin/sh");
            add("watch,w", "stay, and follow the objects");
            add("count", po::value<uint64_t>()->value_name("N"), "with --watch: end after N times");
            break;
        case CliCommand::kIngressStatus:
            add("class", text("NAME"), "the class of the Ingresses (default podlane)");
            break;
        case CliCommand::kExplain:
            add("from", text("NAMESPACE/POD|IP|port:NAME")->required(), "who sends the packet");
            add("to", text("IP:PORT")->required(), "where it is addressed; IP alone for icmp");
            add("proto", text("PROTOCOL"), "tcp (default), udp, sctp or icmp");
            add("sport", po::value<uint64_t>()->value_name("N"), "source port (default: any)");
            break;
        case CliCommand::kResolve:
            add("type", text("TYPE"), "A (default), AAAA, CNAME, NS, PTR, SOA, SRV, TXT or ANY");
            break;
        case CliCommand::kApply:
        case CliCommand::kDelete:
        case CliCommand::kReplace:
        case CliCommand::kValidate:
        case CliCommand::kDiff:
        case CliCommand::kPodDel:
        case CliCommand::kDrops:
        case CliCommand::kHealth:
        case CliCommand::kVersion:
            break;
    }
    return options;
}

std::string text_of(const po::options_description& options) {
    if (options.options().empty()) return {};
    std::ostringstream out;
    out << options << '\n';
    return out.str();
}

// The index of the first word from `at` on that is neither an option nor a global option's value.
size_t next_word(std::span<const std::string> arguments, size_t at) {
    for (; at < arguments.size(); ++at) {
        const std::string& argument = arguments[at];
        if (argument == "-o" || argument == "--output" || argument == "--socket") {
            ++at;
        } else if (argument.empty() || argument.front() != '-') {
            break;
        }
    }
    return at;
}

CliMistake unknown_command(std::string_view word) {
    std::vector<std::string_view> names;
    for (const CliCommandInfo& info : cli_commands()) names.push_back(info.name);
    names.emplace_back("pod");
    names.emplace_back("ingress");
    const auto meant = nearest(word, names);
    return {fmt::format("unknown command \"{}\"{}", word,
                        meant ? fmt::format("; did you mean \"{}\"?", *meant) : ""),
            std::string(kGeneralHint)};
}

// Takes the command's words out of `arguments`.
std::variant<const CliCommandInfo*, CliMistake> take_command(std::vector<std::string>& arguments) {
    const size_t first = next_word(arguments, 0);
    if (first >= arguments.size()) {
        return CliMistake{"a command is missing", std::string(kGeneralHint)};
    }
    const auto commands = cli_commands();
    std::string name = arguments[first];
    arguments.erase(arguments.begin() + static_cast<std::ptrdiff_t>(first));
    if (name == "pod" || name == "ingress") {
        const size_t second = next_word(arguments, first);
        if (second >= arguments.size()) {
            const char* words = name == "pod" ? "add or del" : "config";
            return CliMistake{fmt::format("{}: {} is missing", name, words),
                              std::string(kGeneralHint)};
        }
        name += ' ' + arguments[second];
        arguments.erase(arguments.begin() + static_cast<std::ptrdiff_t>(second));
    }
    const auto found = std::ranges::find(commands, name, &CliCommandInfo::name);
    if (found == commands.end()) return unknown_command(name);
    return &*found;
}

std::optional<OutputFormat> format_of(std::string_view word) {
    constexpr std::array<std::string_view, 4> kNames{"table", "wide", "json", "yaml"};
    const auto found = std::ranges::find(kNames, word);
    if (found == kNames.end()) return std::nullopt;
    return static_cast<OutputFormat>(found - kNames.begin());
}

// Resolves KIND and NAME; gives what is wrong with them.
std::string take_kind_and_name(const std::vector<std::string>& words, CliOptions& options) {
    const bool is_delete = options.command == CliCommand::kDelete;
    const CliKind* kind = find_kind(words[0]);
    if (kind == nullptr || (is_delete && !kind->is_object)) {
        std::vector<std::string_view> names;
        std::string list;
        for (const CliKind& known : cli_kinds()) {
            if (is_delete && !known.is_object) continue;
            names.push_back(known.plural);
            names.push_back(known.singular);
            list += (list.empty() ? "" : ", ") + std::string(known.plural);
        }
        const auto meant = kind == nullptr ? nearest(words[0], names) : std::nullopt;
        return fmt::format("unknown kind \"{}\"; {}", words[0],
                           meant ? fmt::format("did you mean \"{}\"?", *meant)
                                 : fmt::format("there are {}", list));
    }
    options.kind = kind->plural;
    if (words.size() < 2) return {};
    options.name = words[1];
    const bool has_slash = options.name.find('/') != std::string::npos;
    if (kind->is_object && kind->is_namespaced && !has_slash) {
        return fmt::format("{}: a NAMESPACE/NAME is needed, such as default/{}", options.name,
                           options.name);
    }
    return {};
}

// Checks what belongs together and what the words are; gives what is wrong.
std::string take_words(const CliCommandInfo& info, const std::vector<std::string>& words,
                       CliOptions& options) {
    if (info.command == CliCommand::kDelete) {
        if (options.files.empty() && words.size() != 2) {
            return "either -f FILE, or KIND and NAMESPACE/NAME are needed";
        }
        if (!options.files.empty() && !words.empty()) return "either -f FILE or KIND, not both";
    } else if (info.takes_files && options.files.empty()) {
        return "-f FILE is needed";
    }
    if (words.size() < info.least_words) return fmt::format("{} is needed", info.synopsis);
    if (words.size() > info.most_words) {
        return fmt::format("unexpected \"{}\"", words[info.most_words]);
    }
    if (words.empty()) return {};
    if (info.command == CliCommand::kPodAdd || info.command == CliCommand::kPodDel ||
        info.command == CliCommand::kIngressStatus) {
        options.name = words[0];
        const size_t slash = options.name.find('/');
        const bool is_whole =
            slash != std::string::npos && slash > 0 && slash + 1 < options.name.size();
        return is_whole ? std::string()
                        : fmt::format("{}: a NAMESPACE/NAME is needed", options.name);
    }
    if (info.command == CliCommand::kResolve) {
        options.name = words[0];
        return {};
    }
    return take_kind_and_name(words, options);
}

// Gives what is wrong with a port among the options.
std::string take_port(const po::variables_map& values, const char* name, uint16_t& to) {
    if (values.count(name) == 0) return {};
    const uint64_t port = values[name].as<uint64_t>();
    if (port < 1 || port > 65535) return fmt::format("--{}: {} is no port (1-65535)", name, port);
    to = static_cast<uint16_t>(port);
    return {};
}

// An option's value, where it was given.
template <class T>
void take(const po::variables_map& values, const char* name, T& to) {
    if (values.count(name) != 0) to = values[name].as<T>();
}

// The options of `ingress config`; gives what is wrong with them.
std::string take_ingress_values(const po::variables_map& values, IngressConfigOptions& to) {
    const auto text = [&](const char* name, std::string& where) { take(values, name, where); };
    text("out", to.folder);
    text("access-log", to.access_log);
    text("nginx", to.nginx);
    text("reload-pid", to.reload_pid);
    text("reload-command", to.reload_command);
    if (!to.reload_pid.empty() && !to.reload_command.empty()) {
        return "either --reload-pid or --reload-command, not both";
    }
    std::string wrong = take_port(values, "http-port", to.http_port);
    if (wrong.empty()) wrong = take_port(values, "https-port", to.https_port);
    if (wrong.empty() && to.http_port == to.https_port) {
        wrong = fmt::format("--https-port: {} is the port of http, too", to.https_port);
    }
    return wrong;
}

// Takes the values of options that need more than a type; gives what is wrong.
std::string take_values(const po::variables_map& values, CliOptions& options) {
    const auto text = [&](const char* name, std::string& to) { take(values, name, to); };
    const auto texts = [&](const char* name, std::vector<std::string>& to) {
        take(values, name, to);
    };
    text("socket", options.socket);
    text("netns", options.netns);
    text("ifname", options.ifname);
    text("from", options.from);
    text("to", options.to);
    text("proto", options.protocol);
    text("type", options.type);
    text("class", options.ingress.class_name);
    texts("filename", options.files);
    texts("address", options.addresses);
    options.watch = values.count("watch") != 0;
    if (values.count("limit") != 0) options.limit = values["limit"].as<uint64_t>();
    if (values.count("count") != 0) options.count = values["count"].as<uint64_t>();
    if (options.count && !options.watch) return "--count goes with --watch";
    if (values.count("sport") != 0) {
        std::string wrong = take_port(values, "sport", options.source_port.emplace());
        if (!wrong.empty()) return wrong;
    }
    if (options.command == CliCommand::kIngressConfig) {
        std::string wrong = take_ingress_values(values, options.ingress);
        if (!wrong.empty()) return wrong;
    }
    constexpr std::array<std::string_view, 4> kProtocols{"tcp", "udp", "sctp", "icmp"};
    if (!options.protocol.empty() &&
        std::ranges::find(kProtocols, options.protocol) == kProtocols.end()) {
        return fmt::format("--proto: {} is none of tcp, udp, sctp, icmp", options.protocol);
    }
    if (values.count("output") != 0) {
        const auto& word = values["output"].as<std::string>();
        const auto format = format_of(word);
        if (!format) return fmt::format("-o: {} is none of table, wide, json, yaml", word);
        options.format = *format;
    }
    return {};
}

Parsed parse_command(const CliCommandInfo& info, const std::vector<std::string>& arguments,
                     std::string_view default_socket) {
    po::options_description visible = own_options(info);
    po::options_description all;
    all.add(visible)
        .add(global_options())
        .add_options()("words", po::value<std::vector<std::string>>(), "");
    po::positional_options_description positions;
    positions.add("words", -1);
    const int style = po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;

    po::variables_map values;
    po::store(
        po::command_line_parser(arguments).options(all).positional(positions).style(style).run(),
        values);
    if (values.count("help") != 0) {
        return CliHelp{command_help(info) + text_of(visible) + text_of(global_options())};
    }
    po::notify(values);

    const CliMistake mistake{"", fmt::format("see \"podlanectl {} --help\"", info.name)};
    CliOptions options{.command = info.command, .socket = std::string(default_socket)};
    std::vector<std::string> words;
    if (values.count("words") != 0) words = values["words"].as<std::vector<std::string>>();
    std::string wrong = take_values(values, options);
    if (wrong.empty()) wrong = take_words(info, words, options);
    if (!wrong.empty()) return CliMistake{fmt::format("{}: {}", info.name, wrong), mistake.hint};
    return options;
}

}  // namespace

Parsed parse_command_line(std::span<const std::string> given, std::string_view default_socket) {
    std::vector<std::string> arguments(given.begin(), given.end());
    const auto is_help = [](const std::string& a) { return a == "-h" || a == "--help"; };
    if (!arguments.empty() && (is_help(arguments[0]) || arguments[0] == "help")) {
        return CliHelp{general_help() + text_of(global_options())};
    }
    const auto command = take_command(arguments);
    if (const auto* mistake = std::get_if<CliMistake>(&command)) return *mistake;
    const CliCommandInfo& info = *std::get<const CliCommandInfo*>(command);
    try {
        return parse_command(info, arguments, default_socket);
    } catch (const po::error& error) {
        return CliMistake{fmt::format("{}: {}", info.name, error.what()),
                          fmt::format("see \"podlanectl {} --help\"", info.name)};
    }
}

}  // namespace podlane::control
