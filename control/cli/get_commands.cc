// The rows of `get` and `describe`.
#include <array>
#include <span>
#include <vector>

#include "control/cli/commands.h"
#include "control/cli/flows.h"
#include "control/cli/get.h"

namespace podlane::control {
namespace {

constexpr OptionRow kNamespace{"namespace", 'n', OptionType::kText, "NS",
                               "of this namespace alone; a NAME without one is in it"};
constexpr OptionRow kAllNamespaces{"all-namespaces", 'A', OptionType::kFlag, "",
                                   "of all namespaces, as without -n"};

constexpr auto kGetOptions = std::to_array<OptionRow>({
    kNamespace,
    kAllNamespaces,
    {"selector", 'l', OptionType::kText, "SELECTOR",
     "objects with these labels: app=web, app!=web, 'app in (a,b)', app, '!app'"},
    {"watch", 'w', OptionType::kFlag, "", "keep printing new and changed rows"},
    {"count", 0, OptionType::kNumber, "N",
     "with --watch: end after N looks, a second apart at most"},
    {"no-headers", 0, OptionType::kFlag, "", "no headings"},
    {"refused", 0, OptionType::kFlag, "", "the objects that are refused, and why"},
    {"limit", 0, OptionType::kNumber, "N", "at most so many; 0: all (flows: 10000 unless given)"},
});

/// The options above, and those for flows alone.
std::span<const OptionRow> get_options() {
    static const std::vector<OptionRow> kAll = [] {
        std::vector<OptionRow> all(kGetOptions.begin(), kGetOptions.end());
        const auto flows = flow_options();
        all.insert(all.end(), flows.begin(), flows.end());
        return all;
    }();
    return kAll;
}

constexpr auto kDescribeOptions = std::to_array<OptionRow>({kNamespace, kAllNamespaces});

constexpr std::string_view kGetDetails =
    "Kinds are known by their plural, singular and kubectl's short form; several are joined by "
    "commas. NAME is NAMESPACE/NAME, or NAME in the namespace of -n (default: default); for nodes, "
    "namespaces, ingressclasses and servicecidrs NAME alone. NAMESPACE/ is all of a namespace. "
    "Live state is named by what it is: a port, an address, a MAC address, a prefix, a Service's "
    "NAMESPACE/NAME.";

const std::array kGetCommands{
    CliCommand{.name = "get",
               .synopsis = "KIND[,KIND...] [NAME...] | KIND/NAME...",
               .summary = "list objects or live state",
               .details = kGetDetails,
               .examples = "  podlanectl get services -o wide\n"
                           "  podlanectl get svc,endpointslices -n shop -l app=web\n"
                           "  podlanectl get svc/web -n shop -o yaml\n"
                           "  podlanectl get frontends shop/web -o json\n"
                           "  podlanectl get flows shop/web-0\n"
                           "  podlanectl get flows --service shop/web --state SYN_SENT --sort age\n"
                           "  podlanectl get flows --dropped -o wide",
               .options = get_options(),
               .least_words = 1,
               .most_words = 1000,
               .word_kind = WordKind::kKinds,
               .method = "get",
               .check = get_fault,
               .run = run_get},
    CliCommand{.name = "describe",
               .synopsis = "KIND [NAME...] | KIND/NAME...",
               .summary = "show objects whole, with what this node made of them",
               .details = "A Service comes with its frontends and connections, a pod with its port "
                          "and connections.",
               .examples = "  podlanectl describe svc shop/web\n"
                           "  podlanectl describe pod/web-0 -n shop",
               .options = kDescribeOptions,
               .least_words = 1,
               .most_words = 1000,
               .word_kind = WordKind::kKinds,
               .method = "get",
               .check = describe_fault,
               .run = run_describe},
};

}  // namespace

std::span<const CliCommand> get_commands() noexcept {
    return kGetCommands;
}

}  // namespace podlane::control
