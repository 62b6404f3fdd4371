#include "control/cli/commands.h"

#include <fmt/format.h>
#include <algorithm>
#include <array>

namespace podlane::control {
namespace {

constexpr std::string_view kFilesDetails =
    "FILE is a file or a folder (its *.yaml, *.yml and *.json files, in the order of their "
    "names),\n"
    "or - for standard input; several may follow one -f.\n";

constexpr auto kCommands = std::to_array<CliCommandInfo>({
    {CliCommand::kApply, "apply", "-f FILE...", "add or change objects; all or nothing",
     "Example: podlanectl apply -f configs/demo/ -f extra.yml", true},
    {CliCommand::kDelete, "delete", "-f FILE... | KIND NAMESPACE/NAME", "remove objects",
     "Examples: podlanectl delete -f web.yml\n"
     "          podlanectl delete service default/web",
     true, 0, 2},
    {CliCommand::kReplace, "replace", "-f FILE...",
     "make the set of objects exactly this; what is absent goes",
     "Example: kubectl get svc,endpointslices -A -o json | podlanectl replace -f -", true},
    {CliCommand::kValidate, "validate", "-f FILE...", "check objects; change nothing",
     "Example: podlanectl validate -f web.yml", true},
    {CliCommand::kDiff, "diff", "-f FILE...", "show what apply would change; change nothing",
     "Example: podlanectl diff -f web.yml", true},
    {CliCommand::kGet, "get", "KIND [NAME]", "list objects or live state",
     "Objects: nodes pods services endpointslices endpoints networkpolicies namespaces ingresses\n"
     "ingressclasses secrets; NAME is NAMESPACE/NAME (or NAME alone for nodes, namespaces and\n"
     "ingressclasses), or NAMESPACE/ for all of a namespace. Live state: ports neighbors fdb\n"
     "routes flows workers frontends addresses; NAME is a port, an address, a MAC address, a\n"
     "prefix, a Service's NAMESPACE/NAME.\n"
     "Examples: podlanectl get services -o wide\n"
     "          podlanectl get frontends default/web -o json",
     false, 1, 2},
    {CliCommand::kPodAdd, "pod add", "NAMESPACE/NAME --netns PATH --address IP...",
     "make a pod's port in its network namespace",
     "Example: podlanectl pod add default/web --netns /run/netns/web --address 10.244.1.10", false,
     1, 1},
    {CliCommand::kPodDel, "pod del", "NAMESPACE/NAME",
     "remove a pod's port, with its neighbours and flows",
     "Example: podlanectl pod del default/web", false, 1, 1},
    {CliCommand::kStats, "stats", "[--watch]", "counters by port, worker and service",
     "Example: podlanectl stats --watch"},
    {CliCommand::kDrops, "drops", "", "lost packets by reason, with help",
     "Shows the reasons that have occurred; -o wide shows all.\n"
     "Example: podlanectl drops"},
    {CliCommand::kExplain, "explain", "--from NAMESPACE/POD|IP|port:NAME --to IP:PORT",
     "what would happen to a packet, step by step, and why",
     "Changes nothing and sends nothing.\n"
     "Example: podlanectl explain --from default/web --to 10.96.0.10:3306"},
    {CliCommand::kIngressConfig, "ingress config", "--out DIR",
     "write nginx's configuration for the Ingresses, test it and reload",
     "Example: podlanectl ingress config --out /etc/podlane/ingress --watch \\\n"
     "             --reload-pid /etc/podlane/ingress/nginx.pid"},
    {CliCommand::kIngressStatus, "ingress status", "NAMESPACE/SERVICE",
     "print the Ingresses' status, with the addresses of the Service before the proxy",
     "Example: podlanectl ingress status ingress/proxy", false, 1, 1},
    {CliCommand::kResolve, "resolve", "NAME [--type TYPE]",
     "what the cluster's DNS server answers, from the live generation",
     "NAME is whole, without search domains. Names outside of the cluster are not asked for.\n"
     "Examples: podlanectl resolve web.default.svc.cluster.local\n"
     "          podlanectl resolve _http._tcp.web.default.svc.cluster.local --type SRV",
     false, 1, 1},
    {CliCommand::kHealth, "health", "", "whether podlaned is well, and what is wrong if not",
     "Example: podlanectl health"},
    {CliCommand::kVersion, "version", "", "versions of podlanectl, podlaned and DPDK",
     "Example: podlanectl version"},
});

}  // namespace

std::span<const CliCommandInfo> cli_commands() noexcept {
    return kCommands;
}

std::string general_help() {
    std::string text = "Usage: podlanectl [--socket PATH] [-o table|wide|json|yaml] COMMAND\n\n";
    size_t width = 0;
    for (const CliCommandInfo& command : kCommands) width = std::max(width, command.name.size());
    for (const CliCommandInfo& command : kCommands) {
        text += fmt::format("  {:<{}}  {}\n", command.name, width, command.summary);
    }
    return text + "\n\"podlanectl COMMAND --help\" tells more about a command.\n\n";
}

std::string command_help(const CliCommandInfo& command) {
    return fmt::format("Usage: podlanectl {}{}{} [OPTION...]\n\n{}.\n{}{}\n\n", command.name,
                       command.synopsis.empty() ? "" : " ", command.synopsis, command.summary,
                       command.takes_files ? kFilesDetails : "", command.details);
}

}  // namespace podlane::control
