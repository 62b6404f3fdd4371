#include "lib/decide/policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "lib/base/ip_address.h"

namespace podlane {

namespace {

enum class Direction : uint8_t { kIngress, kEgress };

template <Family F>
bool matches(const PolicySets<F>& sets, const CompiledRule& rule, const PolicyQuery<F>& query,
             Direction direction) noexcept {
    const FlowKey<F>& key = query.key;
    const auto& peer = direction == Direction::kIngress ? key.src : key.dst;
    const bool is_nobody = direction == Direction::kIngress && query.is_unproven;
    const bool peer_matches =
        rule.any_peer ||
        (!is_nobody &&
         (std::any_of(rule.peers.begin(), rule.peers.end(),
                      [&](PolicySetId id) { return sets.has_pod(id, peer); }) ||
          std::any_of(rule.blocks<F>().begin(), rule.blocks<F>().end(),
                      [&](const PolicyBlock<F>& block) { return block.contains(peer); })));
    if (!peer_matches) return false;
    const uint16_t port = key.dst_port.host();
    return rule.any_port ||
           std::any_of(rule.ports.begin(), rule.ports.end(), [&](const PolicyPortRange& range) {
               if (range.protocol != key.protocol) return false;
               if (range.named != PolicySetId{}) {
                   return sets.has_port(range.named, {key.dst, key.dst_port});
               }
               return range.first <= port && port <= range.last;
           });
}

/// The policy that allows the connection; nullptr if none does.
template <Family F>
const CompiledPolicy* who_allows(const Snapshot& snapshot, const PodPolicies::List& policies,
                                 const PolicyQuery<F>& query, Direction direction) noexcept {
    const PolicySets<F>& sets = snapshot.family<F>().policy_sets;
    for (const auto& policy : policies) {
        const auto& rules = direction == Direction::kIngress ? policy->ingress : policy->egress;
        for (const CompiledRule& rule : rules) {
            if (matches(sets, rule, query, direction)) return policy.get();
        }
    }
    return nullptr;
}

std::string names_of(const PodPolicies::List& policies) {
    std::string text;
    for (const auto& policy : policies) text += (text.empty() ? "" : ", ") + policy->name;
    return text;
}

/// Whether one end allows it. `policies` may be null, or have none for this direction.
template <Family F, class Trace>
bool allows(const Snapshot& snapshot, const PodPolicies* policies, const PolicyQuery<F>& query,
            Direction direction, Trace& trace) {
    if (policies == nullptr) return true;
    const bool in = direction == Direction::kIngress;
    const PodPolicies::List& list = in ? policies->ingress : policies->egress;
    if (list.empty()) return true;
    const CompiledPolicy* by = who_allows(snapshot, list, query, direction);
    if constexpr (Trace::kEnabled) {
        const char* what = in ? "ingress of" : "egress of";
        trace.step("policy", by != nullptr ? "allowed" : "drop",
                   by != nullptr
                       ? fmt::format("{} {}: policy {} allows it", what, policies->pod, by->name)
                       : fmt::format("{} {}: none of its policies allows it: {}", what,
                                     policies->pod, names_of(list)));
    }
    return by != nullptr;
}

template <class Trace>
void tell(Trace& trace, const char* what, const char* why) {
    if constexpr (Trace::kEnabled) trace.step("policy", what, why);
}

template <Family F, class Trace>
Drop judge_ends(const Snapshot& snapshot, const PolicyQuery<F>& query, Trace& trace) {
    const PodPolicies* sender =
        query.to_node ? nullptr : snapshot.pod_policies[index_of(query.from)].get();
    const PodPolicies* receiver =
        query.from_node ? nullptr : snapshot.pod_policies[index_of(query.to)].get();
    if (!allows(snapshot, sender, query, Direction::kEgress, trace)) {
        return Drop::kPolicyEgress;
    }
    if (!allows(snapshot, receiver, query, Direction::kIngress, trace)) {
        return Drop::kPolicyIngress;
    }
    return Drop::kNone;
}

}  // namespace

template <Family F, class Trace>
Drop judge_policies(const Snapshot& snapshot, const PolicyQuery<F>& query, Trace& trace) {
    if (!snapshot.polices(query.from) && !snapshot.polices(query.to)) return Drop::kNone;
    if (query.from == query.to) {
        tell(trace, "allowed", "a pod always reaches itself");
        return Drop::kNone;
    }
    if (query.from_node || query.to_node) {
        tell(trace, "allowed", "between a pod and its own node");
    }
    // Policies know a peer by its address. A pod that sends from another address fits no rule.
    if (query.from != kNoPort && pod_port_of<F>(snapshot, query.key.src) != query.from) {
        tell(trace, "drop", "the source address is not the sending pod's own");
        return snapshot.polices(query.from) ? Drop::kPolicyEgress : Drop::kPolicyIngress;
    }
    const Drop drop = judge_ends(snapshot, query, trace);
    if (drop != Drop::kNone || !query.is_late) return drop;
    // From the lower port to the higher, the segment looks like a reply. Then the receiver must
    // have been allowed to connect to the sender; otherwise a connection would outlive the policy
    // that forbids it.
    if (query.key.src_port.host() >= query.key.dst_port.host()) return drop;
    NoTrace none;
    const PolicyQuery<F> asked{query.key.reversed(), query.to, query.from, query.to_node,
                               query.from_node};
    return judge_ends(snapshot, asked, none);
}

template <Family F>
PortId pod_port_of(const Snapshot& snapshot, const typename F::Address& address) noexcept {
    const Route<F>* route = snapshot.family<F>().routes->find(address);
    const bool is_pod = route != nullptr && route->kind == RouteKind::kAdjacency &&
                        snapshot.port(route->port).kind == PortKind::kPod;
    return is_pod ? route->port : kNoPort;
}

template <Family F>
PolicyQuery<F> policy_query(const Snapshot& snapshot, const Arrival& arrival, const FlowKey<F>& key,
                            PortId to) noexcept {
    const FamilyState<F>& state = snapshot.family<F>();
    const bool is_pods = arrival.from == PortKind::kPod && !arrival.overlay;
    PolicyQuery<F> query{key, is_pods ? arrival.in_port : kNoPort, to};
    query.from_node = is_nodes_own(arrival.from);
    query.is_late = arrival.is_late;
    query.is_unproven = arrival.from == PortKind::kUplink && !arrival.overlay &&
                        state.tunnel_sources->find(key.src) != nullptr &&
                        state.tunnel_peers->find(key.src) == nullptr;
    if (to != kNoPort) {
        query.to_node = to == snapshot.host_port;
    } else {
        const Route<F>* route = snapshot.family<F>().routes->find(key.dst);
        query.to_node = route != nullptr && route->kind == RouteKind::kHost;
    }
    return query;
}

template <Family F>
PolicyQuery<F> policy_query_of(const Snapshot& snapshot, const FlowKey<F>& key,
                               PortKind from) noexcept {
    Arrival arrival;
    arrival.from = from;
    if (from == PortKind::kPod) arrival.in_port = pod_port_of<F>(snapshot, key.src);
    return policy_query(snapshot, arrival, key, pod_port_of<F>(snapshot, key.dst));
}

#define PODLANE_INSTANTIATE(F)                                                                  \
    template Drop judge_policies<F, NoTrace>(const Snapshot&, const PolicyQuery<F>&, NoTrace&); \
    template Drop judge_policies<F, StepTrace>(const Snapshot&, const PolicyQuery<F>&,          \
                                               StepTrace&);                                     \
    template PortId pod_port_of<F>(const Snapshot&, const F::Address&) noexcept;                \
    template PolicyQuery<F> policy_query<F>(const Snapshot&, const Arrival&, const FlowKey<F>&, \
                                            PortId) noexcept;                                   \
    template PolicyQuery<F> policy_query_of<F>(const Snapshot&, const FlowKey<F>&,              \
                                               PortKind) noexcept;
PODLANE_INSTANTIATE(V4)
PODLANE_INSTANTIATE(V6)
#undef PODLANE_INSTANTIATE

}  // namespace podlane
