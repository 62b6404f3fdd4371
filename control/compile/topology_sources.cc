// The part of TopologyBuilder that decides who may send from which addresses: pods by their ports,
// Nodes through the tunnel.
#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "control/compile/topology_builder.h"

namespace podlane::control {

namespace {

const PodPortConfig* static_port_of(const NodeConfig& config, std::string_view pod) {
    const auto& ports = config.pods.ports;
    const auto at = std::find_if(ports.begin(), ports.end(),
                                 [&](const PodPortConfig& port) { return port.key() == pod; });
    return at == ports.end() ? nullptr : &*at;
}

NamespacedName name_of(std::string_view pod) {
    const size_t slash = pod.find('/');
    if (slash == std::string_view::npos) return {"", std::string(pod)};
    return {std::string(pod.substr(0, slash)), std::string(pod.substr(slash + 1))};
}

}  // namespace

bool TopologyBuilder::may_be_allowed(const PodPort& pod, const IpPrefix& more) {
    const auto refuse = [&](std::string_view whose) {
        note(fmt::format("pod {}: podlane.io/allowed-addresses: {} holds {}; it is not allowed",
                         pod.name, to_string(more), whose));
        return false;
    };
    for (const IpAddress& gateway : config_.pods.gateways()) {
        if (more.contains(gateway))
            return refuse(fmt::format("the gateway's address {}", to_string(gateway)));
    }
    for (const UplinkConfig& uplink : config_.uplinks) {
        for (const InterfaceAddress& own : uplink.addresses) {
            if (more.contains(own.address)) {
                return refuse(fmt::format("this node's address {}", to_string(own.address)));
            }
        }
    }
    for (const IpPrefix& cidr : config_.cluster.service_cidrs) {
        if (overlap(more, cidr))
            return refuse(fmt::format("addresses of Services, {}", to_string(cidr)));
    }
    for (const auto& [name, node] : store_.all<Node>()) {
        for (const IpAddress& address : node->internal_ips) {
            if (more.contains(address)) {
                return refuse(fmt::format("Node {}'s address {}", name.name, to_string(address)));
            }
        }
    }
    for (const auto& [cidr, node] : node_cidrs_) {
        if (overlap(more, cidr)) {
            return refuse(fmt::format("addresses of Node {}'s pods, {}", node, to_string(cidr)));
        }
    }
    for (const PodPort& other : input_.pods) {
        if (&other == &pod) continue;
        for (const IpAddress& address : other.addresses) {
            if (more.contains(address)) {
                return refuse(fmt::format("pod {}'s address {}", other.name, to_string(address)));
            }
        }
    }
    return true;
}

void TopologyBuilder::add_pod_sources(const PodPort& pod) {
    auto sources = std::make_shared<PortSources>();
    sources->mac = pod.mac;
    const auto allow = [&](const IpPrefix& prefix) {
        if (prefix.address.is_v4()) {
            sources->v4.add(prefix.as<V4>());
        } else {
            sources->v6.add(prefix.as<V6>());
        }
    };
    for (const IpAddress& address : pod.addresses) allow(host_prefix(address));
    if (!pod.mac.is_zero()) allow(host_prefix(link_local_of(pod.mac)));
    // What the operator configures is trusted; what a Pod object says is checked.
    if (const PodPortConfig* fixed = static_port_of(config_, pod.name)) {
        for (const IpPrefix& more : fixed->allowed_addresses) allow(more);
    }
    if (const auto object = store_.find<Pod>(name_of(pod.name))) {
        for (const IpPrefix& more : object->allowed_addresses) {
            if (may_be_allowed(pod, more)) allow(more);
        }
    }
    out_.ports[index_of(pod.port)].sources = std::move(sources);
}

void TopologyBuilder::add_node_addresses(const Node& node) {
    const NodeNumber number = ids_.number_of(node.meta.name);
    const auto trust = [&](const IpAddress& address) {
        with_prefix(host_prefix(address), [&](auto& tables, const auto& prefix) {
            tables.tunnel_peers.emplace(prefix, number);
        });
    };
    for (const IpAddress& address : node.internal_ips) {
        with_prefix(host_prefix(address), [&](auto& tables, const auto& prefix) {
            tables.node_prefixes.emplace(prefix, number);
        });
        if (out_.overlay.enabled) trust(address);
    }
    if (!out_.overlay.enabled || !node.flannel) return;
    if (node.flannel->public_ip) trust(*node.flannel->public_ip);
    if (node.flannel->public_ipv6) trust(*node.flannel->public_ipv6);
}

}  // namespace podlane::control
