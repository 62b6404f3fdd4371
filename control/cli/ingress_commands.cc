// The rows of `ingress config` and `ingress status`.
#include <fmt/format.h>

#include <array>

#include "control/cli/commands.h"
#include "control/cli/ingress.h"
#include "control/cli/ingress_status.h"
#include "control/cli/target.h"

namespace podlane::control {
namespace {

constexpr OptionRow kClass{"class", 0, OptionType::kText, "NAME",
                           "the Ingress class to serve (default podlane)"};

constexpr auto kConfigOptions = std::to_array<OptionRow>({
    {"out", 0, OptionType::kText, "DIR", "the folder to write nginx.conf and tls/ into", "", "",
     true},
    kClass,
    {"http-port", 0, OptionType::kPort, "N", "default 80"},
    {"https-port", 0, OptionType::kPort, "N", "default 443"},
    {"access-log", 0, OptionType::kText, "FILE", "nginx's log of requests (default off)"},
    {"nginx", 0, OptionType::kText, "PROGRAM", "tests the configuration (default nginx)"},
    {"reload-pid", 0, OptionType::kText, "FILE", "after a change: SIGHUP to the nginx in FILE"},
    {"reload-command", 0, OptionType::kText, "COMMAND", "after a change: run COMMAND with /bin/sh"},
    {"watch", 'w', OptionType::kFlag, "", "stay, and follow the objects"},
    {"count", 0, OptionType::kNumber, "N", "with --watch: end after N times"},
});
constexpr auto kStatusOptions = std::to_array<OptionRow>({kClass, kNamespaceOption});

std::string config_fault(Invocation& call) {
    if (call.has("reload-pid") && call.has("reload-command")) {
        return "either --reload-pid or --reload-command, not both";
    }
    const uint64_t https = call.options.number("https-port").value_or(443);
    if (call.options.number("http-port").value_or(80) == https) {
        return fmt::format("--https-port: {} is the port of http, too", https);
    }
    return {};
}

constexpr std::array kIngressCommands{
    CliCommand{.name = "ingress config",
               .synopsis = "--out DIR",
               .summary = "write nginx's configuration for the Ingresses, test it and reload",
               .examples = "  podlanectl ingress config --out /etc/podlane/ingress --watch \\\n"
                           "      --reload-pid /etc/podlane/ingress/nginx.pid",
               .options = kConfigOptions,
               .method = "ingress.objects",
               .check = config_fault,
               .run = run_ingress_config},
    CliCommand{.name = "ingress status",
               .synopsis = "[NAMESPACE/]SERVICE",
               .summary = "print the Ingresses' status, with the addresses of the Service before "
                          "the proxy",
               .examples = "  podlanectl ingress status ingress/proxy",
               .options = kStatusOptions,
               .least_words = 1,
               .most_words = 1,
               .word_kind = WordKind::kObjectName,
               .method = "ingress.objects",
               .run = run_ingress_status},
};

}  // namespace

std::span<const CliCommand> ingress_commands() noexcept {
    return kIngressCommands;
}

}  // namespace podlane::control
