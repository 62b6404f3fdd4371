// podlanectl without its process: arguments in, text and an exit code out.
#pragma once

#include <functional>
#include <iosfwd>
#include <span>
#include <string>

#include "control/cli/command.h"
#include "control/cli/table.h"
#include "control/rpc/client.h"
#include "lib/base/result.h"

namespace podlane::control {

/// What the program needs from its environment; tests supply their own.
struct CliEnvironment {
    std::istream& in;
    std::ostream& out;
    std::ostream& err;
    std::string default_socket;
    bool is_terminal = false;             ///< of `out`: stats --watch then redraws in place
    Screen screen = {};                   ///< of `out`
    std::function<void()> pause = [] {};  ///< a second, between two turns of what watches
};

namespace exit_code {
inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;  ///< refused, failed, or podlaned does not answer
inline constexpr int kWrongUsage = 2;
inline constexpr int kDegraded = 3;  ///< health, doctor
}  // namespace exit_code

/// Carries out a command line without the program's name. Gives the exit code.
[[nodiscard]] int run_podlanectl(std::span<const std::string> arguments,
                                 CliEnvironment& environment);

// For commands that do more than one call.

/// Connects within a few seconds, however long calls may take then.
[[nodiscard]] Result<RpcClient> connect(const Invocation& call);
/// The same, to this one of call.sockets.
[[nodiscard]] Result<RpcClient> connect(const Invocation& call, const std::string& socket);
/// Says on stderr what went wrong; gives kFailed.
int fail(CliEnvironment& environment, const Error& error);
/// Flushes the output; kDone, or kFailed where it could not be written.
int finish(CliEnvironment& environment);
/// Notices about a result go to stderr, so that stdout can be piped.
void show_notices(const nlohmann::ordered_json& reply, CliEnvironment& environment);
/// A value as JSON text with a line end; `indent` -1 for one line.
[[nodiscard]] std::string json_text(const nlohmann::ordered_json& value, int indent = 2);
/// `value` as -o json or yaml has it.
[[nodiscard]] std::string data_text(OutputFormat format, const nlohmann::ordered_json& value);
/// The screen, with -o wide and --no-headers.
[[nodiscard]] Screen screen_of(const Invocation& call, const CliEnvironment& environment);

}  // namespace podlane::control
