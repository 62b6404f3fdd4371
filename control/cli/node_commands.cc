// The rows of `health`, `flannel`, `log-level`, `shutdown`, `upgrade`, `version` and `completion`.
#include <fmt/format.h>

#include <array>
#include <ostream>

#include "control/cli/commands.h"
#include "control/cli/completion.h"
#include "control/cli/report.h"
#include "control/cli/run.h"
#include "control/cli/upgrade.h"

namespace podlane::control {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::chrono::seconds kHealthTimeout{5};

constexpr auto kShutdownOptions = std::to_array<OptionRow>({
    {"forget", 0, OptionType::kFlag, "",
     "remove pods' ports, the host interface and kept state as well", "", "forget"},
});

constexpr auto kUpgradeOptions = std::to_array<OptionRow>({
    {"binary", 0, OptionType::kText, "PATH",
     "the new podlaned; without it the file that the running one was started from"},
});

constexpr auto kFlannelOptions = std::to_array<OptionRow>({
    {"subnet-file", 0, OptionType::kFlag, "", "this node's /run/flannel/subnet.env in its place"},
});

constexpr auto kVersionOptions = std::to_array<OptionRow>({
    {"client", 0, OptionType::kFlag, "", "podlanectl's own only; does not contact podlaned"},
});

constexpr auto kHealthOptions = std::to_array<OptionRow>({
    {"live", 0, OptionType::kFlag, "", "only whether it need not be restarted"},
    {"ready", 0, OptionType::kFlag, "", "only whether it can carry traffic"},
});

std::string health_defaults(Invocation& call) {
    if (!call.has("timeout")) call.timeout = kHealthTimeout;
    return call.has("live") && call.has("ready") ? "--live and --ready exclude each other" : "";
}
Result<void> health_probe(const Invocation& call, CliEnvironment&, Json& params) {
    if (call.has("live")) params["probe"] = "live";
    if (call.has("ready")) params["probe"] = "ready";
    return {};
}
std::string show_health(const Invocation&, const Json& reply, const Screen& screen) {
    return health_text(reply, screen);
}
std::string show_log_level(const Invocation&, const Json& reply, const Screen&) {
    return printable(reply.value("level", "?")) + '\n';
}
int health_code(const Json& reply) {
    return reply.value("status", "") == "ok" ? exit_code::kDone : exit_code::kDegraded;
}

std::string show_shutdown(const Invocation&, const Json&, const Screen&) {
    return "podlaned is stopping\n";
}

std::string show_flannel(const Invocation& call, const Json& reply, const Screen&) {
    return call.has("subnet-file") ? reply.value("subnetFile", "") : flannel_text(reply);
}

// The client's version needs no podlaned, and is shown even if podlaned does not answer.
int run_version(const Invocation& call, CliEnvironment& environment) {
    std::optional<Error> error;
    Json both{{"client", PODLANE_VERSION}};
    if (!call.has("client")) {
        auto client = connect(call);
        auto reply = client ? client->call("version") : Result<Json>(client.error());
        if (reply) {
            both["server"] = std::move(reply).value();
        } else {
            error = reply.error();
        }
    }
    if (call.format == OutputFormat::kTable || call.format == OutputFormat::kWide) {
        environment.out << "podlanectl " << PODLANE_VERSION << '\n';
        if (both.contains("server")) {
            environment.out << printable(fmt::format("podlaned {} ({})",
                                                     both["server"].value("version", "?"),
                                                     both["server"].value("dpdk", "?")))
                            << '\n';
        }
    } else {
        environment.out << data_text(call.format, both);
    }
    const int code = finish(environment);
    return error ? fail(environment, *error) : code;
}

std::string completion_fault(Invocation& call) {
    const std::string& shell = call.words.front();
    if (shell == "bash" || shell == "zsh") return {};
    return fmt::format("\"{}\" is not bash or zsh", shell);
}
int run_completion(const Invocation& call, CliEnvironment& environment) {
    environment.out << (call.words.front() == "bash" ? bash_completion() : zsh_completion());
    return finish(environment);
}

constexpr std::array kNodeCommands{
    CliCommand{.name = "health",
               .synopsis = "",
               .summary = "whether podlaned works, and what is wrong if not",
               .details = "Exit code 0: ok; 3: degraded, with the reasons; 1: no answer within "
                          "--timeout (5 seconds unless given). --live and --ready ask one thing "
                          "each, as a kubelet's probes do.",
               .examples = "  podlanectl health --timeout 2\n"
                           "  podlanectl health --ready",
               .options = kHealthOptions,
               .method = "health",
               .check = health_defaults,
               .add_params = health_probe,
               .render = show_health,
               .exit_code = health_code},
    CliCommand{.name = "flannel",
               .synopsis = "",
               .summary = "what flannel's nodes must know of this one, ready to paste",
               .details = "Prints the kubectl command that puts this node's VTEP into its Node "
                          "object, as flannel does for its own nodes. --subnet-file prints the "
                          "file from which flannel takes the subnet that the node had.",
               .examples = "  podlanectl flannel\n"
                           "  podlanectl flannel -o json | jq .annotations\n"
                           "  podlanectl flannel --subnet-file > /run/flannel/subnet.env",
               .options = kFlannelOptions,
               .method = "flannel",
               .render = show_flannel},
    CliCommand{.name = "log-level",
               .synopsis = "[LEVEL]",
               .summary = "how much podlaned logs, DPDK's messages included",
               .details = "LEVEL changes it first: error, warning, info or debug.",
               .examples = "  podlanectl log-level debug",
               .most_words = 1,
               .word_kind = WordKind::kText,
               .method = "log.level",
               .word_param = "level",
               .render = show_log_level},
    CliCommand{.name = "shutdown",
               .synopsis = "",
               .summary = "end podlaned, for a restart or for good",
               .details =
                   "Like SIGTERM: pods' interfaces, the host interface and the journal stay, "
                   "and the next podlaned takes them over. With --forget they are removed.",
               .examples = "  podlanectl shutdown --forget",
               .options = kShutdownOptions,
               .method = "shutdown",
               .render = show_shutdown},
    CliCommand{.name = "upgrade",
               .synopsis = "",
               .summary = "another podlaned takes the place of the one that runs",
               .details =
                   "The new one checks itself, the configuration, the journal and the connections "
                   "first, gets ready beside the running one, and takes its interfaces and "
                   "connections over in one step. Where it fails, the running one goes on.",
               .examples = "  podlanectl upgrade\n"
                           "  podlanectl upgrade --binary /opt/podlane/podlaned",
               .options = kUpgradeOptions,
               .method = "process",
               .run = run_upgrade},
    CliCommand{.name = "version",
               .synopsis = "",
               .summary = "versions of podlanectl, podlaned and DPDK",
               .examples = "  podlanectl version",
               .options = kVersionOptions,
               .method = "version",
               .run = run_version},
    CliCommand{.name = "completion",
               .synopsis = "bash|zsh",
               .summary = "print a completion script for a shell",
               .examples = "  source <(podlanectl completion bash)",
               .least_words = 1,
               .most_words = 1,
               .word_kind = WordKind::kText,
               .check = completion_fault,
               .run = run_completion},
};

}  // namespace

std::span<const CliCommand> node_commands() noexcept {
    return kNodeCommands;
}

}  // namespace podlane::control
