#include "control/daemon/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "control/document/fields.h"
#include "control/options/help.h"
#include "control/options/parse.h"

namespace podlane::control {

namespace {

constexpr auto kOptions = std::to_array<OptionRow>({
    {"config", 0, OptionType::kText, "FILE", "the node's configuration", "", "", true},
    {"check", 0, OptionType::kFlag, "", "check FILE, print what would be done, touch no device"},
    {"state", 0, OptionType::kFlag, "",
     "with --check: also whether this podlaned can go on with what is kept over a restart"},
    {"dry-run", 0, OptionType::kFlag, "",
     "print what would move from the uplinks' interfaces to the host interface, change nothing"},
    {"give-back", 0, OptionType::kFlag, "",
     "put back what a podlaned that has ended left on the uplinks' interfaces, and end"},
    {"give-back-at-end", 0, OptionType::kFlag, "",
     "do that at each end of this one, where no service manager does; what else is kept stays"},
    {"take-over", 0, OptionType::kFlag, "",
     "take the place of the podlaned that runs, which goes on if this one fails"},
    {"background", 0, OptionType::kFlag, "", "return when it is ready, and run on"},
    {"log-level", 0, OptionType::kWord, "LEVEL",
     "error, warning, info (default) or debug; of podlaned and DPDK", "error warning info debug"},
    {"version", 0, OptionType::kFlag, "", "print the version"},
    {"help", 'h', OptionType::kFlag, "", "print this"},
});

}  // namespace

std::span<const OptionRow> daemon_options() noexcept {
    return kOptions;
}

Result<DaemonOptions> parse_daemon_options(int argc, const char* const* argv) {
    DaemonOptions options;
    std::vector<std::string> words(argv + 1, argv + argc);
    // Everything after the first bare `--` is passed to DPDK unchanged.
    const auto separator = std::find(words.begin(), words.end(), "--");
    if (separator != words.end()) {
        options.eal_arguments.assign(separator + 1, words.end());
        words.erase(separator, words.end());
    }
    const auto values = parse_options(kOptions, words);
    if (!values) return values.error();
    if (!values->words().empty()) {
        return Error{fmt::format("unexpected {}", in_quotes(values->words().front()))};
    }
    options.config = values->text("config");
    options.check = values->has("check");
    options.dry_run = values->has("dry-run");
    options.give_back = values->has("give-back");
    options.give_back_at_end = values->has("give-back-at-end");
    options.state = values->has("state");
    options.take_over = values->has("take-over");
    options.background = values->has("background");
    options.version = values->has("version");
    options.help = values->has("help");
    if (values->has("log-level")) {
        // One of the words that the row allows.
        options.log_level = parse_log_level(values->text("log-level")).value_or(LogLevel::kInfo);
    }
    if (options.help || options.version) return options;
    if (const OptionRow* missing = missing_option(kOptions, *values)) {
        return Error{fmt::format("{} is missing", option_usage(*missing))};
    }
    return options;
}

std::string daemon_usage() {
    return "Usage: podlaned --config FILE [--check [--state]|--dry-run|--give-back|--take-over]\n"
           "                [--background] [--log-level LEVEL] [-- EAL-ARGUMENT...]\n\n"
           "Options:\n" +
           options_help(kOptions) +
           "\nWhat stands behind -- is added to the arguments of DPDK's EAL.\n";
}

}  // namespace podlane::control
