#include "tests/property/policy/model.h"

#include <algorithm>

namespace podlane::control::test {

namespace {

/// A pod as policies see it.
struct Known {
    NamespacedName name;
    Labels labels;
    std::vector<IpAddress> addresses;
    std::vector<ContainerPort> ports;
    int64_t created = 0;

    bool has(const IpAddress& address) const {
        return std::find(addresses.begin(), addresses.end(), address) != addresses.end();
    }
};

/// If several pods claim an address, one has it: the one with a port here, the newest, the first.
void settle_addresses(const PolicyWorld& world, std::vector<Known>& pods) {
    const auto is_here = [&](const Known& pod, const IpAddress& address) {
        return std::any_of(world.local.begin(), world.local.end(), [&](const PodPort& local) {
            return local.name == to_string(pod.name) &&
                   std::find(local.addresses.begin(), local.addresses.end(), address) !=
                       local.addresses.end();
        });
    };
    const std::vector<Known> all = pods;
    for (Known& pod : pods) {
        std::erase_if(pod.addresses, [&](const IpAddress& address) {
            return std::any_of(all.begin(), all.end(), [&](const Known& other) {
                if (other.name == pod.name || !other.has(address)) return false;
                const bool other_here = is_here(other, address), here = is_here(pod, address);
                if (other_here != here) return other_here;
                if (other.created != pod.created) return other.created > pod.created;
                return other.name < pod.name;
            });
        });
    }
}

std::vector<Known> all_pods(const PolicyWorld& world) {
    std::vector<Known> pods;
    for (const auto& [name, pod] : world.store.all<Pod>()) {
        Known known{name, pod->meta.labels, {}, pod->ports, pod->meta.created};
        if (!pod->host_network && !pod->is_finished()) known.addresses = pod->ips;
        pods.push_back(known);
    }
    for (const PodPort& local : world.local) {
        const size_t slash = local.name.find('/');
        const NamespacedName name{local.name.substr(0, slash), local.name.substr(slash + 1)};
        auto at = std::find_if(pods.begin(), pods.end(),
                               [&](const Known& known) { return known.name == name; });
        if (at == pods.end()) at = pods.insert(at, {name, {}, {}, {}, 0});
        for (const IpAddress& address : local.addresses) at->addresses.push_back(address);
    }
    settle_addresses(world, pods);
    pods.push_back({{"kube-system", "dns"},
                    {{"k8s-app", "kube-dns"}},
                    world.dns,
                    {{.name = "dns", .port = 53, .protocol = Protocol::kUdp},
                     {.name = "dns-tcp", .port = 53, .protocol = Protocol::kTcp}}});
    return pods;
}

bool has(const std::vector<IpAddress>& list, const IpAddress& address) {
    return std::find(list.begin(), list.end(), address) != list.end();
}

bool is_in_namespace(const PolicyWorld& world, const PolicyPeer& peer, const std::string& own,
                     const std::string& name) {
    if (!peer.namespace_selector) return name == own;
    const auto object = world.store.find<Namespace>({"", name});
    Labels labels = object ? object->meta.labels : Labels{};
    labels["kubernetes.io/metadata.name"] = name;
    return peer.namespace_selector->matches(labels);
}

bool peer_matches(const PolicyWorld& world, const std::vector<Known>& pods, const PolicyPeer& peer,
                  const std::string& own, const IpAddress& address) {
    if (peer.ip_block) {
        const auto& holes = peer.ip_block->except;
        return peer.ip_block->cidr.contains(address) &&
               std::none_of(holes.begin(), holes.end(),
                            [&](const IpPrefix& hole) { return hole.contains(address); });
    }
    return std::any_of(pods.begin(), pods.end(), [&](const Known& pod) {
        return has(pod.addresses, address) &&
               is_in_namespace(world, peer, own, pod.name.name_space) &&
               (!peer.pod_selector || peer.pod_selector->matches(pod.labels));
    });
}

bool port_matches(const std::vector<Known>& pods, const PolicyPort& port,
                  const PolicyQuestion& question) {
    if (static_cast<uint8_t>(port.protocol) != question.protocol) return false;
    if (!port.port) return true;
    if (!port.port->is_name()) {
        const uint16_t last = port.end_port != 0 ? port.end_port : port.port->number;
        return port.port->number <= question.dst_port && question.dst_port <= last;
    }
    return std::any_of(pods.begin(), pods.end(), [&](const Known& pod) {
        if (!has(pod.addresses, question.dst)) return false;
        for (const ContainerPort& each : pod.ports) {
            if (each.name == port.port->name && each.protocol == port.protocol) {
                return each.port == question.dst_port;
            }
        }
        return false;
    });
}

/// Whether one local pod allows it in one direction.
bool end_allows(const PolicyWorld& world, const std::vector<Known>& pods, const Known& pod,
                bool ingress, const PolicyQuestion& question) {
    bool isolated = false;
    for (const auto& [name, policy] : world.store.all<NetworkPolicy>()) {
        const bool affects = ingress ? policy->affects_ingress : policy->affects_egress;
        if (!affects || name.name_space != pod.name.name_space) continue;
        if (!policy->pod_selector.matches(pod.labels)) continue;
        isolated = true;
        for (const PolicyRule& rule : ingress ? policy->ingress : policy->egress) {
            const bool peer =
                rule.peers.empty() ||
                std::any_of(rule.peers.begin(), rule.peers.end(), [&](const PolicyPeer& each) {
                    return peer_matches(world, pods, each, pod.name.name_space,
                                        ingress ? question.src : question.dst);
                });
            const bool port =
                rule.ports.empty() ||
                std::any_of(rule.ports.begin(), rule.ports.end(), [&](const PolicyPort& each) {
                    return port_matches(pods, each, question);
                });
            if (peer && port) return true;
        }
    }
    return !isolated;
}

const Known* local_pod(const PolicyWorld& world, const std::vector<Known>& pods,
                       const IpAddress& address) {
    for (const PodPort& local : world.local) {
        if (!has(local.addresses, address)) continue;
        for (const Known& pod : pods) {
            if (to_string(pod.name) == local.name) return &pod;
        }
    }
    return nullptr;
}

}  // namespace

bool model_allows(const PolicyWorld& world, const PolicyQuestion& question) {
    const std::vector<Known> pods = all_pods(world);
    const Known* sender = local_pod(world, pods, question.src);
    const Known* receiver = local_pod(world, pods, question.dst);
    if (question.from_node) return true;
    if (sender != nullptr && sender == receiver) return true;
    if (sender != nullptr && !end_allows(world, pods, *sender, false, question)) return false;
    return receiver == nullptr || end_allows(world, pods, *receiver, true, question);
}

bool model_polices(const PolicyWorld& world, const IpAddress& address) {
    const std::vector<Known> pods = all_pods(world);
    const Known* pod = local_pod(world, pods, address);
    if (pod == nullptr) return false;
    const auto& policies = world.store.all<NetworkPolicy>();
    return std::any_of(policies.begin(), policies.end(), [&](const auto& entry) {
        return entry.first.name_space == pod->name.name_space &&
               entry.second->pod_selector.matches(pod->labels);
    });
}

}  // namespace podlane::control::test
