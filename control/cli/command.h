// A command of podlanectl as a row of a table: name, options, help, method and renderer.
//
// The rows stand in control/cli/*_commands.cc, a file for each subject; commands.h joins them.
// Parsing, help, man page and completion are made from them. A new command is a row.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "control/cli/table.h"
#include "control/options/parse.h"
#include "control/options/table.h"
#include "lib/base/result.h"

namespace podlane::control {

struct CliEnvironment;
struct CliCommand;

enum class OutputFormat : uint8_t { kTable, kWide, kJson, kYaml, kName };

/// A command line that can be carried out.
struct Invocation {
    const CliCommand* command = nullptr;
    OptionValues options;
    std::vector<std::string> words;    ///< after the command
    std::string socket;                ///< the first one
    std::vector<std::string> sockets;  ///< one, except for commands that take several
    OutputFormat format = OutputFormat::kTable;
    std::chrono::milliseconds timeout{};  ///< of a call

    [[nodiscard]] bool has(std::string_view option) const { return options.has(option); }
    [[nodiscard]] std::string text(std::string_view option) const { return options.text(option); }
};

/// What words stand behind a command.
enum class WordKind : uint8_t { kNone, kKinds, kObjectName, kText };

struct CliCommand {
    std::string_view name;      ///< one word, or two ("pod add")
    std::string_view synopsis;  ///< the text after the name
    std::string_view summary;   ///< one line, without a full stop
    std::string_view details;   ///< more for --help
    std::string_view examples;  ///< lines
    std::span<const OptionRow> options = {};
    size_t least_words = 0;
    size_t most_words = 0;
    WordKind word_kind = WordKind::kNone;
    std::string_view method = {};      ///< of the config socket
    std::string_view word_param = {};  ///< the parameter that the first word becomes
    bool takes_sockets = false;        ///< of several nodes
    bool is_change = false;            ///< may take long: a large set of objects is compiled

    /// Says what is wrong with options and words together; "" or a null function: they are valid.
    std::string (*check)(Invocation& call) = nullptr;
    /// Parameters beyond those that the options' rows name; null: none.
    Result<void> (*add_params)(const Invocation& call, CliEnvironment& environment,
                               nlohmann::ordered_json& params) = nullptr;
    /// The reply as text; null if `run` prints it.
    std::string (*render)(const Invocation& call, const nlohmann::ordered_json& reply,
                          const Screen& screen) = nullptr;
    /// The part of the reply that -o json and yaml show; null: all of it.
    nlohmann::ordered_json (*data)(nlohmann::ordered_json reply) = nullptr;
    /// The exit code by the reply; null: 0.
    int (*exit_code)(const nlohmann::ordered_json& reply) = nullptr;
    /// Does all of it instead of one call of `method`; gives the exit code. May be null.
    int (*run)(const Invocation& call, CliEnvironment& environment) = nullptr;
};

}  // namespace podlane::control
