#include "control/cli/habits.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

#include "control/cli/commands.h"
#include "control/cli/kinds.h"

namespace podlane::control {
namespace {

struct Habit {
    std::string_view word;
    std::string_view here;  ///< what to do instead
};

constexpr std::string_view kKubectls = "that is kubectl's; podlanectl events shows its effect here";

constexpr auto kCommands = std::to_array<Habit>({
    {"create", "use podlanectl apply -f FILE"},
    {"add", "use podlanectl apply -f FILE, or pod add"},
    {"edit", "use podlanectl get KIND NAME -o yaml > FILE, then apply -f FILE"},
    {"patch", "use podlanectl get KIND NAME -o yaml > FILE, then apply -f FILE"},
    {"remove", "use podlanectl delete"},
    {"list", "use podlanectl get"},
    {"ls", "use podlanectl get"},
    {"show", "use podlanectl get or describe"},
    {"api-resources", "podlanectl get --help has the kinds"},
    {"cluster-info", "use podlanectl health, or get nodes"},
    {"status", "use podlanectl health"},
    {"check", "use podlanectl health or doctor; for a file validate -f FILE"},
    {"logs", "use podlanectl events; podlaned's log: journalctl -u podlaned"},
    {"log", "use podlanectl events; podlaned's log: journalctl -u podlaned"},
    {"history", "use podlanectl events"},
    {"watch", "use podlanectl get KIND -w, or events -f"},
    {"conntrack", "use podlanectl get flows"},
    {"connections", "use podlanectl get flows"},
    {"tcpdump", "use podlanectl capture | tcpdump -nr -"},
    {"monitor", "use podlanectl top, or events -f"},
    {"counters", "use podlanectl stats"},
    {"ping", "use podlanectl explain --proto icmp"},
    {"traceroute", "use podlanectl explain or trace"},
    {"why", "use podlanectl explain"},
    {"dig", "use podlanectl resolve"},
    {"nslookup", "use podlanectl resolve"},
    {"restart", "use podlanectl upgrade, or shutdown and a start"},
    {"exec", kKubectls},
    {"run", kKubectls},
    {"expose", kKubectls},
    {"scale", kKubectls},
    {"rollout", kKubectls},
    {"label", kKubectls},
    {"annotate", kKubectls},
    {"cordon", kKubectls},
    {"drain", kKubectls},
    {"port-forward", kKubectls},
});

constexpr auto kKinds = std::to_array<Habit>({
    {"ev", "use podlanectl events"},
    {"event", "use podlanectl events"},
    {"all", "name the kinds: podlanectl get services,endpointslices,pods"},
    {"connection", "use podlanectl get flows"},
    {"connections", "use podlanectl get flows"},
    {"conntrack", "use podlanectl get flows"},
    {"backends", "use podlanectl get frontends; INSIDE has the endpoints"},
    {"vips", "use podlanectl get frontends"},
    {"loadbalancers", "use podlanectl get addresses"},
    {"interfaces", "use podlanectl get ports"},
    {"links", "use podlanectl get ports"},
    {"uplinks", "use podlanectl get ports"},
    {"arp", "use podlanectl get neighbors"},
    {"macs", "use podlanectl get fdb"},
    {"threads", "use podlanectl get workers"},
    {"counters", "use podlanectl stats"},
    {"status", "use podlanectl health"},
});

constexpr auto kElsewhere = std::to_array<Habit>({
    {"pods", "these are Pod objects; attached pods are ports: podlanectl get ports"},
    {"addresses",
     "these are load balancer addresses; Services': podlanectl get frontends, pods': get ports"},
    {"endpoints",
     "Services': podlanectl get endpointslices; those in use: podlanectl get frontends"},
    {"secrets", "only those of type kubernetes.io/tls are kept"},
});

std::string_view here(std::span<const Habit> habits, std::string_view word) {
    const auto found = std::ranges::find(habits, word, &Habit::word);
    return found == habits.end() ? std::string_view() : found->here;
}

}  // namespace

std::string command_meant(std::string_view word) {
    if (const auto found = here(kCommands, word); !found.empty()) return std::string(found);
    if (const CliKind* kind = find_kind(word)) {
        return fmt::format("use podlanectl get {}", kind->plural);
    }
    return {};
}

std::string kind_meant(std::string_view word) {
    if (const auto found = here(kKinds, word); !found.empty()) return std::string(found);
    const CliCommand* command = find_command(word);
    return command == nullptr ? std::string() : fmt::format("use podlanectl {}", command->name);
}

std::string_view elsewhere_of(std::string_view plural) {
    return here(kElsewhere, plural);
}

}  // namespace podlane::control
