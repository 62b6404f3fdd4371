#include "control/daemon/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/program_options.hpp>
#include <sstream>
#include <string_view>

#include "lib/base/join.h"

namespace podlane::control {

namespace {

namespace po = boost::program_options;

constexpr std::array<std::string_view, 4> kLogLevels{"error", "warning", "info", "debug"};

po::options_description described(DaemonOptions& options) {
    po::options_description all("Options");
    auto add = all.add_options();
    add("config", po::value(&options.config)->value_name("FILE"), "the node's configuration");
    add("check", po::bool_switch(&options.check),
        "check FILE, print what would be done, touch no device");
    add("log-level", po::value(&options.log_level)->value_name("LEVEL"),
        "error, warning, info (default) or debug");
    add("version", po::bool_switch(&options.version), "print the version");
    add("help", po::bool_switch(&options.help), "print this");
    return all;
}

}  // namespace

Result<DaemonOptions> parse_daemon_options(int argc, const char* const* argv) {
    DaemonOptions options;
    std::vector<std::string> words(argv + 1, argv + argc);
    // Everything behind the first bare `--` is for DPDK, as it stands.
    const auto separator = std::find(words.begin(), words.end(), "--");
    if (separator != words.end()) {
        options.eal_arguments.assign(separator + 1, words.end());
        words.erase(separator, words.end());
    }
    try {
        po::variables_map values;
        const po::options_description all = described(options);
        const po::positional_options_description none;
        po::store(
            po::command_line_parser(words)
                .options(all)
                .positional(none)
                .style(po::command_line_style::unix_style & ~po::command_line_style::allow_guessing)
                .run(),
            values);
        po::notify(values);
    } catch (const po::error& error) {
        return Error{error.what()};
    }
    if (options.help || options.version) return options;
    if (options.config.empty()) return Error{"--config FILE is missing"};
    if (std::find(kLogLevels.begin(), kLogLevels.end(), options.log_level) == kLogLevels.end()) {
        return Error{
            fmt::format("--log-level: {} is none of {}", options.log_level, join(kLogLevels))};
    }
    return options;
}

std::string daemon_usage() {
    DaemonOptions unused;
    std::ostringstream text;
    text << "podlaned --config FILE [--check] [--log-level LEVEL] [--version] "
            "[-- EAL-ARGUMENT...]\n\n"
         << described(unused);
    return text.str();
}

}  // namespace podlane::control
