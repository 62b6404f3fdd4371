// The rows of `explain` and `resolve`.
#include <array>

#include "control/cli/cell.h"
#include "control/cli/commands.h"
#include "control/cli/report.h"
#include "control/cli/target.h"
#include "control/document/fields.h"
#include "lib/base/ip_address.h"

namespace podlane::control {
namespace {

using Json = nlohmann::ordered_json;

constexpr auto kExplainOptions = std::to_array<OptionRow>({
    {"from", 0, OptionType::kText, "[NAMESPACE/]POD|IP|port:NAME", "who sends the packet", "",
     "from", true},
    {"to", 0, OptionType::kText, "IP:PORT|[NAMESPACE/]SERVICE:PORT|NAME:PORT",
     "where it is addressed: an address, a Service, a pod, or a name of the cluster's DNS; without "
     "port for icmp",
     "", "to", true},
    kNamespaceOption,
    {"proto", 0, OptionType::kWord, "PROTOCOL", "tcp (default), udp, sctp or icmp",
     "tcp udp sctp icmp", "protocol"},
    {"sport", 0, OptionType::kPort, "N", "source port (default: any)", "", "sourcePort"},
    {"bytes", 0, OptionType::kNumber, "N", "length of the IP packet: whether it fits the MTU", "",
     "bytes"},
});

constexpr auto kResolveOptions = std::to_array<OptionRow>({
    {"type", 0, OptionType::kText, "TYPE",
     "A (default), AAAA, CNAME, NS, PTR, SOA, SRV, TXT or ANY", "", "type"},
});

/// The steps that involve NetworkPolicies, and the verdict.
Json of_policies(const Json& reply) {
    Json out = reply;
    Json steps = Json::array();
    for (const Json& step : at(reply, "/steps")) {
        if (at(step, "/stage") == "policy") steps.push_back(step);
    }
    if (steps.empty()) {
        steps.push_back({{"stage", "policy"},
                         {"what", "none has a say"},
                         {"why",
                          "no NetworkPolicy selects the pods of this node that it concerns, "
                          "or it comes to no decision: see explain without policy"}});
    }
    out["steps"] = std::move(steps);
    return out;
}

/// --from client is default/client, and with -n both ends are of that namespace.
Result<void> explain_names(const Invocation& call, CliEnvironment&, Json& params) {
    const std::string from = call.text("from"), to = call.text("to");
    if (!parse_ip(from) && !from.starts_with("port:")) params["from"] = whole_name(call, from);
    const std::string host = to.substr(0, to.find(':'));
    const bool is_bare = host.find_first_of("/.[") == std::string::npos && !parse_ip(to);
    if (call.has("namespace") && is_bare) params["to"] = whole_name(call, to);
    return {};
}

std::string show_explanation(const Invocation& call, const Json& reply, const Screen& screen) {
    if (call.words.empty()) return explain_text(reply, screen);
    return explain_text(of_policies(reply), screen);
}
std::string policy_fault(Invocation& call) {
    const bool is_known = call.words.empty() || call.words.front() == "policy";
    return is_known ? std::string() : in_quotes(call.words.front()) + " is not policy";
}
std::string show_answer(const Invocation&, const Json& reply, const Screen&) {
    return resolve_text(reply);
}

constexpr std::array kExplainCommands{
    CliCommand{
        .name = "explain",
        .synopsis = "[policy] --from WHO --to WHERE",
        .summary = "what would happen to a packet, step by step, and why",
        .details = "Changes nothing and sends nothing. With policy only what NetworkPolicies "
                   "say, by name.",
        .examples = "  podlanectl explain --from shop/web-0 --to 10.96.0.10:3306\n"
                    "  podlanectl explain --from shop/web-0 --to shop/db:3306\n"
                    "  podlanectl explain --from 10.244.1.9 --to db.shop.svc.cluster.local:mysql\n"
                    "  podlanectl explain policy --from shop/web-0 --to shop/db-0:3306",
        .options = kExplainOptions,
        .most_words = 1,
        .word_kind = WordKind::kText,
        .method = "explain",
        .check = policy_fault,
        .add_params = explain_names,
        .render = show_explanation},
    CliCommand{.name = "resolve",
               .synopsis = "NAME [--type TYPE]",
               .summary = "what the cluster's DNS server answers, from the live generation",
               .details = "NAME is whole, without search domains. Names outside of the cluster are "
                          "not asked for.",
               .examples = "  podlanectl resolve web.shop.svc.cluster.local\n"
                           "  podlanectl resolve _http._tcp.web.shop.svc.cluster.local --type SRV",
               .options = kResolveOptions,
               .least_words = 1,
               .most_words = 1,
               .word_kind = WordKind::kText,
               .method = "resolve",
               .word_param = "name",
               .render = show_answer},
};

}  // namespace

std::span<const CliCommand> explain_commands() noexcept {
    return kExplainCommands;
}

}  // namespace podlane::control
