#include "control/compile/policies.h"

#include <algorithm>
#include <utility>

namespace podlane::control {

namespace {

NamespacedName pod_name(const std::string& text) {
    const size_t slash = text.find('/');
    return {text.substr(0, slash), slash == std::string::npos ? "" : text.substr(slash + 1)};
}

template <Family F>
PolicyBlock<F> compile_block(const IpBlock& block) {
    PolicyBlock<F> made{block.cidr.as<F>(), {}};
    for (const IpPrefix& hole : block.except) made.except.push_back(hole.as<F>());
    return made;
}

bool contains(const PodPolicies::List& list, const std::shared_ptr<const CompiledPolicy>& policy) {
    return std::find(list.begin(), list.end(), policy) != list.end();
}

/// Whether `before` may allow something that `now` does not.
bool takes_away(const PodPolicies::List& before, const PodPolicies::List& now) {
    if (before.empty()) return !now.empty();
    if (now.empty()) return false;
    return std::any_of(before.begin(), before.end(),
                       [&](const auto& policy) { return !contains(now, policy); });
}

}  // namespace

void PolicyCompiler::note(const ChangeSet& changes, Touched& touched) const {
    for (const auto* list : {&changes.added, &changes.changed, &changes.removed}) {
        for (const Change& change : *list) {
            const NamespacedName name{change.key.name_space, change.key.name};
            if (change.key.kind == Kind::kNetworkPolicy) touched.policies = true;
            if (change.key.kind == Kind::kNamespace) touched.namespaces.insert(name.name);
            if (change.key.kind != Kind::kPod) continue;
            touched.pods.insert(name);
            touched.local = touched.local || ports_.contains(name);
        }
    }
}

void PolicyCompiler::note(const std::vector<PodPort>& pods, Touched& touched) {
    LocalAddresses addresses;
    std::multimap<NamespacedName, PortId> ports;
    for (const PodPort& pod : pods) {
        const NamespacedName name = pod_name(pod.name);
        auto& all = addresses[name];
        all.insert(all.end(), pod.addresses.begin(), pod.addresses.end());
        ports.emplace(name, pod.port);
    }
    if (addresses == local_ && ports == ports_) return;
    touched.local = true;
    for (const auto* each : {&local_, &addresses}) {
        for (const auto& [name, list] : *each) touched.pods.insert(name);
    }
    local_ = std::move(addresses);
    ports_ = std::move(ports);
}

CompiledRule PolicyCompiler::compile(const PolicyRule& rule, const std::string& name_space,
                                     const ObjectStore& store, Active& into) {
    CompiledRule made;
    made.any_peer = rule.peers.empty();
    made.any_port = rule.ports.empty();
    for (const PolicyPeer& peer : rule.peers) {
        if (peer.ip_block) {
            if (peer.ip_block->cidr.address.is_v4()) {
                made.v4.push_back(compile_block<V4>(*peer.ip_block));
            } else {
                made.v6.push_back(compile_block<V6>(*peer.ip_block));
            }
            continue;
        }
        made.peers.push_back(peers_.take_pods(peer, name_space, store));
        into.pods.push_back(made.peers.back());
    }
    for (const PolicyPort& port : rule.ports) {
        PolicyPortRange range;
        range.protocol = static_cast<uint8_t>(port.protocol);
        if (port.port && port.port->is_name()) {
            range.named = peers_.take_port(port.port->name, port.protocol);
            into.ports.push_back(range.named);
        } else if (port.port) {
            range.first = port.port->number;
            range.last = port.end_port != 0 ? port.end_port : range.first;
        }
        made.ports.push_back(range);
    }
    return made;
}

PolicyCompiler::Active PolicyCompiler::compile(const ObjectPtr<NetworkPolicy>& policy,
                                               const ObjectStore& store) {
    Active made;
    made.object = policy;
    auto compiled = std::make_shared<CompiledPolicy>();
    compiled->name = to_string(policy->meta.namespaced_name());
    const std::string& name_space = policy->meta.name_space;
    if (policy->affects_ingress) {
        for (const PolicyRule& rule : policy->ingress) {
            compiled->ingress.push_back(compile(rule, name_space, store, made));
        }
    }
    if (policy->affects_egress) {
        for (const PolicyRule& rule : policy->egress) {
            compiled->egress.push_back(compile(rule, name_space, store, made));
        }
    }
    made.compiled = std::move(compiled);
    return made;
}

void PolicyCompiler::give_back(const Active& active) {
    for (const PolicySetId id : active.pods) peers_.give_back_pods(id);
    for (const PolicySetId id : active.ports) peers_.give_back_port(id);
}

void PolicyCompiler::install(const NamespacedName& pod, PortId port,
                             const std::vector<NamespacedName>& names, Snapshot& next) {
    auto made = std::make_shared<PodPolicies>();
    made->pod = to_string(pod);
    for (const NamespacedName& name : names) {
        const Active& active = active_.at(name);
        if (active.object->affects_ingress) made->ingress.push_back(active.compiled);
        if (active.object->affects_egress) made->egress.push_back(active.compiled);
    }
    const auto before = next.pod_policies[index_of(port)];
    const bool is_same_pod = before && before->pod == made->pod;
    if (is_same_pod) {
        if (before->ingress == made->ingress && before->egress == made->egress) return;
        took_away_ = took_away_ || takes_away(before->ingress, made->ingress) ||
                     takes_away(before->egress, made->egress);
    } else {
        // A pod that has just appeared has no flows of its own yet.
        newly_isolated_ = newly_isolated_ || seen_.contains(pod);
    }
    next.pod_policies.set(index_of(port), std::move(made));
}

void PolicyCompiler::select(const ObjectStore& store, Snapshot& next) {
    static const Labels kNone;
    std::map<NamespacedName, std::vector<NamespacedName>> policies_of;
    std::map<NamespacedName, size_t> selected;
    const auto& policies = store.all<NetworkPolicy>();
    for (auto at_pod = ports_.begin(); at_pod != ports_.end();
         at_pod = ports_.upper_bound(at_pod->first)) {
        const NamespacedName& pod = at_pod->first;
        const auto object = store.find<Pod>(pod);
        for (auto at = policies.lower_bound({pod.name_space, ""});
             at != policies.end() && at->first.name_space == pod.name_space; ++at) {
            if (!at->second->pod_selector.matches(object ? object->meta.labels : kNone)) continue;
            ++selected[at->first];
            policies_of[pod].push_back(at->first);
        }
    }
    std::vector<Active> ended;
    for (const auto& [name, count] : selected) {
        const ObjectPtr<NetworkPolicy> object = policies.at(name);
        Active& active = active_[name];
        if (active.object == nullptr || *active.object != *object) {
            // The new version first: sets that both versions use are kept.
            Active made = compile(object, store);
            if (active.object != nullptr) ended.push_back(std::move(active));
            active = std::move(made);
        }
        active.selected = count;
    }
    for (auto at = active_.begin(); at != active_.end();) {
        if (selected.contains(at->first)) {
            ++at;
        } else {
            ended.push_back(std::move(at->second));
            at = active_.erase(at);
        }
    }
    for (const Active& active : ended) give_back(active);

    std::map<PortId, NamespacedName> isolated;
    for (const auto& [pod, names] : policies_of) {
        const auto [first, end] = ports_.equal_range(pod);
        for (auto at = first; at != end; ++at) {
            install(pod, at->second, names, next);
            isolated.emplace(at->second, pod);
        }
    }
    for (const auto& [port, pod] : isolated_) {
        if (!isolated.contains(port)) next.pod_policies.set(index_of(port), nullptr);
    }
    isolated_ = std::move(isolated);
    seen_.clear();
    for (const auto& [pod, port] : ports_) seen_.insert(pod);
}

void PolicyCompiler::update(const ChangeSet* objects, const std::vector<PodPort>* pods,
                            const ObjectStore& store, Snapshot& next) {
    Touched touched;
    if (pods != nullptr) note(*pods, touched);
    if (objects != nullptr) note(*objects, touched);
    for (const std::string& name : touched.namespaces) {
        peers_.forget_namespace(name, touched.pods);
    }
    took_away_ = newly_isolated_ = false;
    peers_.refresh(touched.pods, local_, store);
    if (touched.policies || touched.local) select(store, next);
    if (peers_.apply(next)) took_away_ = true;
    if (newly_isolated_) ++next.topology_epoch;
    if (took_away_ || newly_isolated_) ++next.isolated_epoch;
}

size_t PolicyCompiler::selected(const NamespacedName& policy) const {
    const auto at = active_.find(policy);
    return at != active_.end() ? at->second.selected : 0;
}

}  // namespace podlane::control
