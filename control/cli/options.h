// podlanectl's command line: what the user asks for, or help, or what is wrong with it.
// Pure; main() and tests call it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace podlane::control {

enum class CliCommand : uint8_t {
    kApply,
    kDelete,
    kReplace,
    kValidate,
    kDiff,
    kGet,
    kPodAdd,
    kPodDel,
    kStats,
    kDrops,
    kExplain,
    kIngressConfig,
    kIngressStatus,
    kResolve,
    kHealth,
    kVersion,
};

enum class OutputFormat : uint8_t { kTable, kWide, kJson, kYaml };

/// What `ingress config` is told.
struct IngressConfigOptions {
    std::string folder;
    std::string class_name = "podlane";
    uint16_t http_port = 80;
    uint16_t https_port = 443;
    std::string access_log = "off";
    std::string nginx = "nginx";  ///< the program that tests the configuration
    std::string reload_pid;       ///< file with the process to send SIGHUP; "" = none
    std::string reload_command;   ///< for /bin/sh; "" = none
};

/// A command line that can be carried out; fields of other commands are empty.
struct CliOptions {
    CliCommand command = CliCommand::kVersion;
    std::string socket;
    OutputFormat format = OutputFormat::kTable;
    std::vector<std::string> files;       ///< -f: files, folders, "-"
    std::string kind;                     ///< get, delete: the plural form
    std::string name;                     ///< get, delete, pod: "namespace/name" or "name"; resolve
    std::optional<uint64_t> limit;        ///< get
    std::string netns;                    ///< pod add
    std::vector<std::string> addresses;   ///< pod add
    std::string ifname;                   ///< pod add; empty: the server's default
    bool watch = false;                   ///< stats, ingress config
    std::optional<uint64_t> count;        ///< --watch: how often
    std::string from, to, protocol;       ///< explain
    std::optional<uint16_t> source_port;  ///< explain
    IngressConfigOptions ingress;
    std::string type;  ///< resolve; empty: the server's default
};

/// Text that the user asked for with --help.
struct CliHelp {
    std::string text;
};

/// Wrong usage: exit 2.
struct CliMistake {
    std::string message;  ///< without "error: "
    std::string hint;     ///< where to look, one line
};

/// Parses the arguments behind the program's name. `default_socket` is used without --socket.
[[nodiscard]] std::variant<CliOptions, CliHelp, CliMistake> parse_command_line(
    std::span<const std::string> arguments, std::string_view default_socket);

}  // namespace podlane::control
