#include "control/node/next_hops.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace podlane::control {

namespace {

bool has(const std::vector<IpAddress>& addresses, const IpAddress& address) {
    return std::find(addresses.begin(), addresses.end(), address) != addresses.end();
}

/// Whose pod CIDR contains the address, and by which addresses packets for it may go there.
std::vector<IpAddress> addresses_of_pods_node(const LiveView& live, const IpAddress& pod) {
    for (const auto& [name, node] : live.store.all<Node>()) {
        if (name.name == live.config.node) continue;
        const bool is_its = std::ranges::any_of(
            node->pod_cidrs, [&pod](const IpPrefix& cidr) { return cidr.contains(pod); });
        if (!is_its) continue;
        std::vector<IpAddress> addresses = node->internal_ips;
        if (node->flannel && node->flannel->public_ip) {
            addresses.emplace_back(*node->flannel->public_ip);
        }
        if (node->flannel && node->flannel->public_ipv6) {
            addresses.emplace_back(*node->flannel->public_ipv6);
        }
        return addresses;
    }
    return {};
}

}  // namespace

std::string address_with_node(const ObjectStore& store, const IpAddress& address) {
    for (const auto& [name, node] : store.all<Node>()) {
        if (!has(node->internal_ips, address)) continue;
        return fmt::format("{} (Node {})", to_string(address), name.name);
    }
    return to_string(address);
}

bool is_node(const ObjectStore& store, const IpAddress& address) {
    return std::ranges::any_of(store.all<Node>(), [&address](const auto& one) {
        return has(one.second->internal_ips, address);
    });
}

std::string silent_next_hop(const LiveView& live, const PortNames& names, PortId port,
                            const IpAddress& destination) {
    std::vector<IpAddress> candidates{destination};
    for (const IpAddress& address : addresses_of_pods_node(live, destination)) {
        candidates.push_back(address);
    }
    for (const UplinkConfig& uplink : live.config.uplinks) {
        if (uplink.name != names.name(port)) continue;
        candidates.insert(candidates.end(), uplink.gateways.begin(), uplink.gateways.end());
    }
    for (const IpAddress& address : candidates) {
        const Neighbour* neighbour = live.neighbours.find({port, address});
        if (neighbour == nullptr || neighbour->is_resolved()) continue;
        return fmt::format("the next hop {} on {}", address_with_node(live.store, address),
                           names.name(port));
    }
    return fmt::format("the next hop on {}", names.name(port));
}

}  // namespace podlane::control
