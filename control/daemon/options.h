// podlaned's command line, read by its table of options.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "control/options/table.h"
#include "lib/base/result.h"
#include "lib/border/log_level.h"

namespace podlane::control {

struct DaemonOptions {
    std::string config;  ///< path of the node's configuration
    LogLevel log_level = LogLevel::kInfo;
    bool check = false;      ///< print what would be done, change nothing
    bool dry_run = false;    ///< print what the take-over of the uplinks' interfaces would move
    bool give_back = false;  ///< undo what a killed podlaned has left, and exit
    bool give_back_at_end = false;  ///< undo what this one would leave there, however it ends
    bool state = false;             ///< with check: also checks what an earlier podlaned left
    bool take_over = false;         ///< from the podlaned running at the same socket
    bool background = false;
    bool version = false;
    bool help = false;
    std::vector<std::string> eal_arguments;  ///< the arguments after `--`
};

/// The table: help, man page and parsing are made from it.
[[nodiscard]] std::span<const OptionRow> daemon_options() noexcept;

/// Reads the command line. An Error says which option is wrong, without the program's name.
[[nodiscard]] Result<DaemonOptions> parse_daemon_options(int argc, const char* const* argv);

/// What `--help` prints.
[[nodiscard]] std::string daemon_usage();

}  // namespace podlane::control
