#include "control/compile/policy_peers.h"

#include <algorithm>
#include <iterator>
#include <memory>

namespace podlane::control {

namespace {

/// The DNS server as users' policies refer to it. No Pod can have a name with a space.
const NamespacedName& dns_name() {
    static const NamespacedName name{"kube-system", "the node's DNS server"};
    return name;
}

ObjectPtr<Pod> dns_pod() {
    auto pod = std::make_shared<Pod>();
    pod->meta.name_space = dns_name().name_space;
    pod->meta.name = dns_name().name;
    pod->meta.labels = {{"k8s-app", "kube-dns"}};
    pod->ports = {{.name = "dns", .port = 53, .protocol = Protocol::kUdp},
                  {.name = "dns-tcp", .port = 53, .protocol = Protocol::kTcp}};
    return pod;
}

/// A selector on one line. Keys and labels contain none of the separators. A selector's values may
/// contain anything (objects stored before Kubernetes 1.27), so each one's size is written before
/// it.
std::string key_of(const std::optional<LabelSelector>& selector) {
    if (!selector) return "-";
    std::string key = "{";
    for (const auto& [name, value] : selector->match_labels) key += name + "=" + value + ";";
    for (const LabelExpression& expression : selector->match_expressions) {
        key += expression.key + "?" + std::to_string(static_cast<int>(expression.op));
        for (const std::string& value : expression.values) {
            key += "," + std::to_string(value.size()) + ":" + value;
        }
        key += ";";
    }
    return key + "}";
}

/// The API server gives every namespace this label; without an API server, namespaces lack it.
Labels labels_of(const std::string& name_space, const ObjectStore& store) {
    const auto object = store.find<Namespace>({"", name_space});
    Labels labels = object ? object->meta.labels : Labels{};
    labels["kubernetes.io/metadata.name"] = name_space;
    return labels;
}

template <class T>
void sort(std::vector<T>& list) {
    std::sort(list.begin(), list.end());
}

/// `before` without `gone` and with `come`; null if nothing is left. `lost` is set if an element is
/// no longer there at all.
template <class T>
std::shared_ptr<const std::vector<T>> edited(const std::shared_ptr<const std::vector<T>>& before,
                                             std::vector<T>& come, std::vector<T>& gone,
                                             bool& lost) {
    if (come.empty() && gone.empty()) return before;
    sort(come);
    sort(gone);
    std::vector<T> rest;
    if (before) {
        std::set_difference(before->begin(), before->end(), gone.begin(), gone.end(),
                            std::back_inserter(rest));
    }
    auto now = std::make_shared<std::vector<T>>();
    std::merge(rest.begin(), rest.end(), come.begin(), come.end(), std::back_inserter(*now));
    lost = lost || std::any_of(gone.begin(), gone.end(), [&](const T& each) {
               return !std::binary_search(now->begin(), now->end(), each);
           });
    if (before && *now == *before) return before;
    if (now->empty()) return nullptr;
    return now;
}

}  // namespace

PolicyPeers::Peer PolicyPeers::peer_now(const NamespacedName& name, const LocalAddresses& local,
                                        const ObjectStore& store) const {
    Peer peer;
    if (name == dns_name()) {
        peer.object = dns_pod();
        peer.addresses = dns_;
        return peer;
    }
    peer.object = store.find<Pod>(name);
    const bool has_own_addresses =
        peer.object && !peer.object->host_network && !peer.object->is_finished();
    if (has_own_addresses) peer.addresses = peer.object->ips;
    if (const auto at = local.find(name); at != local.end()) {
        peer.addresses.insert(peer.addresses.end(), at->second.begin(), at->second.end());
    }
    sort(peer.addresses);
    peer.addresses.erase(std::unique(peer.addresses.begin(), peer.addresses.end()),
                         peer.addresses.end());
    return peer;
}

bool PolicyPeers::selects(PodSet& set, const std::string& name_space, const Peer& peer,
                          const ObjectStore& store) {
    static const Labels kNone;
    if (set.namespaces) {
        const auto [known, is_new] = set.selects_namespace.try_emplace(name_space, false);
        if (is_new) known->second = set.namespaces->matches(labels_of(name_space, store));
        if (!known->second) return false;
    } else if (set.name_space != name_space) {
        return false;
    }
    return !set.pods || set.pods->matches(peer.object ? peer.object->meta.labels : kNone);
}

void PolicyPeers::claim(const Entry& entry, std::set<NamespacedName>& rivals) {
    for (const IpAddress& address : entry.second.addresses) {
        const auto [first, end] = claims_.equal_range(address);
        for (auto at = first; at != end; ++at) rivals.insert(at->second->first);
        claims_.emplace(address, &entry);
    }
}

void PolicyPeers::unclaim(const Entry& entry, std::set<NamespacedName>& rivals) {
    for (const IpAddress& address : entry.second.addresses) {
        const auto [first, end] = claims_.equal_range(address);
        for (auto at = first; at != end;) {
            if (at->second == &entry) {
                at = claims_.erase(at);
            } else {
                rivals.insert((at++)->second->first);
            }
        }
    }
}

const PolicyPeers::Entry& PolicyPeers::owner_of(const IpAddress& address,
                                                const LocalAddresses& local) const {
    const auto is_here = [&](const NamespacedName& name) {
        if (name == dns_name()) return true;
        const auto at = local.find(name);
        return at != local.end() &&
               std::find(at->second.begin(), at->second.end(), address) != at->second.end();
    };
    const auto rank = [&](const Entry& entry) {
        const ObjectPtr<Pod>& object = entry.second.object;
        return std::pair(is_here(entry.first), object ? object->meta.created : 0);
    };
    const auto [first, end] = claims_.equal_range(address);
    const Entry* owner = first->second;
    for (auto at = std::next(first); at != end; ++at) {
        const auto mine = rank(*owner), other = rank(*at->second);
        if (other > mine || (other == mine && at->second->first < owner->first)) {
            owner = at->second;
        }
    }
    return *owner;
}

void PolicyPeers::refresh(const std::set<NamespacedName>& pods, const LocalAddresses& local,
                          const ObjectStore& store) {
    // Other peers that claim an address which one of these had or has: they may gain or lose it.
    std::set<NamespacedName> rivals;
    const auto look_again = [&](const NamespacedName& name) {
        Entry& entry = *peers_.try_emplace(name).first;
        leave_all(entry.second);
        unclaim(entry, rivals);
        entry.second = peer_now(name, local, store);
        claim(entry, rivals);
    };
    const auto settle = [&](const NamespacedName& name) {
        const auto at = peers_.find(name);
        Peer& peer = at->second;
        if (peer.addresses.empty()) {
            peers_.erase(at);
            return;
        }
        peer.lost.clear();
        for (const IpAddress& address : peer.addresses) {
            if (&owner_of(address, local) != &*at) peer.lost.push_back(address);
        }
        for (auto& [id, set] : pod_sets_) {
            if (selects(set, name.name_space, peer, store)) join(id, peer);
        }
        for (const auto& [id, set] : port_sets_) name_ports(peer, id, set);
    };
    const bool is_dns_new = !dns_.empty() && !peers_.contains(dns_name());
    if (is_dns_new) look_again(dns_name());
    for (const NamespacedName& name : pods) look_again(name);
    for (auto at = rivals.begin(); at != rivals.end();) {
        if (pods.contains(*at) || (is_dns_new && *at == dns_name())) {
            at = rivals.erase(at);
        } else {
            leave_all(peers_.at(*at++));
        }
    }
    if (is_dns_new) settle(dns_name());
    for (const NamespacedName& name : pods) settle(name);
    for (const NamespacedName& name : rivals) settle(name);
}

void PolicyPeers::forget_namespace(const std::string& name, std::set<NamespacedName>& pods) {
    for (auto& [id, set] : pod_sets_) set.selects_namespace.erase(name);
    for (auto at = peers_.lower_bound({name, ""});
         at != peers_.end() && at->first.name_space == name; ++at) {
        pods.insert(at->first);
    }
}

PolicySetId PolicyPeers::free_id() {
    if (free_ids_.empty()) return PolicySetId{next_id_++};
    const PolicySetId id = free_ids_.back();
    free_ids_.pop_back();
    return id;
}

PolicySetId PolicyPeers::take_pods(const PolicyPeer& peer, const std::string& name_space,
                                   const ObjectStore& store) {
    PodSet made;
    made.namespaces = peer.namespace_selector;
    made.pods = peer.pod_selector;
    if (!made.namespaces) made.name_space = name_space;
    made.key = made.name_space + "/" + key_of(made.namespaces) + "/" + key_of(made.pods);
    if (const auto at = by_key_.find(made.key); at != by_key_.end()) {
        ++pod_sets_.at(at->second).users;
        return at->second;
    }
    made.users = 1;
    const PolicySetId id = free_id();
    by_key_.emplace(made.key, id);
    PodSet& set = pod_sets_.emplace(id, std::move(made)).first->second;
    for (auto& [name, each] : peers_) {
        if (selects(set, name.name_space, each, store)) join(id, each);
    }
    return id;
}

PolicySetId PolicyPeers::take_port(const std::string& name, Protocol protocol) {
    PortSet made{std::string(protocol_name(protocol)) + ":" + name, 1, {0, name}, protocol};
    if (const auto at = by_key_.find(made.key); at != by_key_.end()) {
        ++port_sets_.at(at->second).users;
        return at->second;
    }
    const PolicySetId id = free_id();
    by_key_.emplace(made.key, id);
    const PortSet& set = port_sets_.emplace(id, std::move(made)).first->second;
    for (auto& [owner, peer] : peers_) name_ports(peer, id, set);
    return id;
}

void PolicyPeers::give_back_pods(PolicySetId id) {
    PodSet& set = pod_sets_.at(id);
    if (--set.users > 0) return;
    for (auto& [name, peer] : peers_) peer.sets.erase(id);
    by_key_.erase(set.key);
    pod_sets_.erase(id);
    edits_[id] = {.ends = true, .v4 = {}, .v6 = {}};
}

void PolicyPeers::give_back_port(PolicySetId id) {
    PortSet& set = port_sets_.at(id);
    if (--set.users > 0) return;
    for (auto& [name, peer] : peers_) {
        std::erase_if(peer.ports, [id](const auto& each) { return each.first == id; });
    }
    by_key_.erase(set.key);
    port_sets_.erase(id);
    edits_[id] = {.ends = true, .v4 = {}, .v6 = {}};
}

void PolicyPeers::join(PolicySetId id, Peer& peer) {
    peer.sets.insert(id);
    edit_pods(id, peer, true);
}

void PolicyPeers::leave_all(Peer& peer) {
    for (const PolicySetId id : peer.sets) edit_pods(id, peer, false);
    for (const auto& [id, port] : peer.ports) edit_port(id, peer, port, false);
    peer.sets.clear();
    peer.ports.clear();
}

void PolicyPeers::name_ports(Peer& peer, PolicySetId id, const PortSet& set) {
    const uint16_t port = peer.object ? peer.object->resolve_port(set.name, set.protocol) : 0;
    if (port == 0) return;
    peer.ports.emplace_back(id, port);
    edit_port(id, peer, port, true);
}

void PolicyPeers::edit_pods(PolicySetId id, const Peer& peer, bool come) {
    BothEdits& edits = edits_[id];
    for (const IpAddress& address : peer.addresses) {
        if (!peer.has(address)) continue;
        if (address.is_v4()) {
            (come ? edits.v4.come : edits.v4.gone).push_back(address.as<V4>());
        } else {
            (come ? edits.v6.come : edits.v6.gone).push_back(address.as<V6>());
        }
    }
}

void PolicyPeers::edit_port(PolicySetId id, const Peer& peer, uint16_t port, bool come) {
    BothEdits& edits = edits_[id];
    for (const IpAddress& address : peer.addresses) {
        if (!peer.has(address)) continue;
        if (address.is_v4()) {
            (come ? edits.v4.ports_come : edits.v4.ports_gone)
                .push_back({address.as<V4>(), be16(port)});
        } else {
            (come ? edits.v6.ports_come : edits.v6.ports_gone)
                .push_back({address.as<V6>(), be16(port)});
        }
    }
}

template <Family F>
bool PolicyPeers::apply_family(PolicySetId id, bool ends, Edits<F>& edits, Snapshot& next) const {
    PolicySets<F>& sets = next.family<F>().policy_sets;
    bool lost = false;
    const auto pods = sets.pods[index_of(id)];
    const auto ports = sets.ports[index_of(id)];
    // No rule refers to a set that ended, and its id may be reused by now.
    auto pods_now = edited(ends ? nullptr : pods, edits.come, edits.gone, lost);
    auto ports_now = edited(ends ? nullptr : ports, edits.ports_come, edits.ports_gone, lost);
    if (pods_now != pods) sets.pods.set(index_of(id), std::move(pods_now));
    if (ports_now != ports) sets.ports.set(index_of(id), std::move(ports_now));
    return lost;
}

bool PolicyPeers::apply(Snapshot& next) {
    bool lost = false;
    for (auto& [id, edits] : edits_) {
        if (apply_family<V4>(id, edits.ends, edits.v4, next)) lost = true;
        if (apply_family<V6>(id, edits.ends, edits.v6, next)) lost = true;
        if (edits.ends) free_ids_.push_back(id);
    }
    edits_.clear();
    return lost;
}

}  // namespace podlane::control
