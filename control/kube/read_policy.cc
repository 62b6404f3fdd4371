// NetworkPolicy (networking.k8s.io/v1), with the rules of Kubernetes' ValidateNetworkPolicy.
#include <fmt/format.h>

#include "control/kube/read.h"

namespace podlane::control {

namespace {

enum class PolicyType : uint8_t { kIngress, kEgress };
constexpr auto kPolicyTypes = std::to_array<Word<PolicyType>>(
    {{"Ingress", PolicyType::kIngress}, {"Egress", PolicyType::kEgress}});

PolicyPort read_policy_port(const Value& item, Problems& problems) {
    Fields fields(&item, problems, Keys::kLax);
    PolicyPort port;
    port.protocol = fields.word("protocol", kProtocolWords, Protocol::kTcp);
    if (const Value* value = fields.get("port")) port.port = read_port_ref(*value, problems);
    const Value* end = fields.get("endPort");
    if (end == nullptr) return port;
    port.end_port = fields.integer<uint16_t>("endPort", kPortNumbers, 0);
    if (!fields.has("port") || (port.port && port.port->is_name())) {
        problems.add(*end, "may be set only together with a port's number");
    } else if (port.port && port.end_port != 0 && port.end_port < port.port->number) {
        problems.add(*end, fmt::format("{} is below the range's first port, {}", port.end_port,
                                       port.port->number));
    }
    return port;
}

IpBlock read_ip_block(const Value& value, Problems& problems) {
    Fields fields(&value, problems, Keys::kLax);
    IpBlock block;
    const Value* cidr = fields.require("cidr", "an address prefix such as 10.0.0.0/8");
    const auto prefix = cidr == nullptr ? std::nullopt : read_cidr(*cidr, problems);
    if (prefix) block.cidr = *prefix;
    for (const Value& item : fields.list("except")) {
        const auto except = read_cidr(item, problems);
        if (!except) continue;
        const bool is_within =
            prefix && prefix->contains(except->address) && except->length > prefix->length;
        if (prefix && !is_within) {
            problems.add(item, fmt::format("{} is not a smaller part of {}", shown(item),
                                           to_string(*prefix)));
        }
        block.except.push_back(*except);
    }
    return block;
}

PolicyPeer read_peer(const Value& item, Problems& problems) {
    Fields fields(&item, problems, Keys::kLax);
    PolicyPeer peer;
    if (const Value* value = fields.get("podSelector")) {
        peer.pod_selector = read_selector(*value, problems);
    }
    if (const Value* value = fields.get("namespaceSelector")) {
        peer.namespace_selector = read_selector(*value, problems);
    }
    if (const Value* value = fields.get("ipBlock")) peer.ip_block = read_ip_block(*value, problems);
    const bool has_selector = peer.pod_selector || peer.namespace_selector;
    if (peer.ip_block && has_selector) {
        problems.add(item, "ipBlock may not be given together with a selector");
    } else if (!peer.ip_block && !has_selector && fields) {
        problems.add(item, "one of podSelector, namespaceSelector and ipBlock is needed");
    }
    return peer;
}

std::vector<PolicyRule> read_rules(std::span<const Value> items, std::string_view peers_key,
                                   Problems& problems) {
    std::vector<PolicyRule> rules;
    for (const Value& item : items) {
        // A null rule is an empty rule: it allows everything.
        Fields fields(item.is_null() ? nullptr : &item, problems, Keys::kLax);
        PolicyRule rule;
        for (const Value& port : fields.list("ports")) {
            rule.ports.push_back(read_policy_port(port, problems));
        }
        for (const Value& peer : fields.list(peers_key)) {
            rule.peers.push_back(read_peer(peer, problems));
        }
        rules.push_back(std::move(rule));
    }
    return rules;
}

}  // namespace

ObjectPtr<NetworkPolicy> read_object(std::type_identity<NetworkPolicy>, const Value& root,
                                     Meta meta, Problems& problems) {
    auto policy = std::make_shared<NetworkPolicy>();
    policy->meta = std::move(meta);
    Fields fields(&root, problems, Keys::kLax);
    Fields spec = fields.fields("spec");
    if (const Value* selector = spec.get("podSelector")) {
        const size_t problems_before = problems.size();
        policy->pod_selector = read_selector(*selector, problems);
        // Half a selector might select nothing, and then the replacement policy would isolate
        // nothing.
        if (problems.size() != problems_before) policy->pod_selector = {};
    }
    policy->ingress = read_rules(spec.list("ingress"), "from", problems);
    policy->egress = read_rules(spec.list("egress"), "to", problems);
    // Without policyTypes a policy affects ingress, and egress if it has such rules.
    policy->affects_egress = !policy->egress.empty();
    const auto types = spec.list("policyTypes");
    if (!types.empty()) policy->affects_ingress = policy->affects_egress = false;
    for (const Value& item : types) {
        const auto type = as_word(item, kPolicyTypes, problems);
        if (!type) continue;
        (*type == PolicyType::kIngress ? policy->affects_ingress : policy->affects_egress) = true;
    }
    return policy;
}

}  // namespace podlane::control
