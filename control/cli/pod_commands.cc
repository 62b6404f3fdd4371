// The rows of `pod add` and `pod del`.
#include <fmt/format.h>

#include <array>

#include "control/cli/commands.h"
#include "control/cli/report.h"
#include "control/cli/target.h"

namespace podlane::control {
namespace {

using Json = nlohmann::ordered_json;

constexpr auto kAddOptions = std::to_array<OptionRow>({
    kNamespaceOption,
    {"netns", 0, OptionType::kText, "PATH", "the pod's network namespace", "", "netns", true},
    {"address", 0, OptionType::kTexts, "IP...", "the pod's addresses, at most one a family", "",
     "addresses", true},
    {"ifname", 0, OptionType::kText, "NAME", "the interface's name in the pod (default eth0)", "",
     "ifname"},
    {"container", 0, OptionType::kText, "ID",
     "the container's id: with the interface's name the port's key, in place of the pod's name", "",
     "container"},
});

constexpr auto kDelOptions = std::to_array<OptionRow>({
    kNamespaceOption,
    {"container", 0, OptionType::kText, "ID", "the port of this container alone", "", "container"},
    {"ifname", 0, OptionType::kText, "NAME", "the interface's name in the pod (default eth0)", "",
     "ifname"},
});

std::string show_added(const Invocation&, const Json& reply, const Screen&) {
    return pod_add_text(reply);
}
std::string show_removed(const Invocation& call, const Json& reply, const Screen&) {
    return fmt::format("port {} {}\n", printable(call.words.front()),
                       reply.value("removed", true) ? "removed" : "was not there");
}
Json port_of(Json reply) {
    return reply.contains("port") ? std::move(reply["port"]) : std::move(reply);
}

constexpr std::array kPodCommands{
    CliCommand{.name = "pod add",
               .synopsis = "[NAMESPACE/]NAME --netns PATH --address IP...",
               .summary = "make a pod's port in its network namespace",
               .details = "An interface in the namespace, named, addressed, with default route and "
                          "MTU, lo up. Repeating it with the same arguments changes nothing.",
               .examples = "  podlanectl pod add shop/web-0 --netns /run/netns/web "
                           "--address 10.244.1.10",
               .options = kAddOptions,
               .least_words = 1,
               .most_words = 1,
               .word_kind = WordKind::kObjectName,
               .method = "pod.add",
               .word_param = "pod",
               .render = show_added,
               .data = port_of},
    CliCommand{.name = "pod del",
               .synopsis = "[NAMESPACE/]NAME",
               .summary = "remove a pod's port, with its neighbours and connections",
               .details = "It is no error if the port does not exist.",
               .examples = "  podlanectl pod del shop/web-0",
               .options = kDelOptions,
               .least_words = 1,
               .most_words = 1,
               .word_kind = WordKind::kObjectName,
               .method = "pod.del",
               .word_param = "pod",
               .render = show_removed},
};

}  // namespace

std::span<const CliCommand> pod_commands() noexcept {
    return kPodCommands;
}

}  // namespace podlane::control
