// The part of TopologyBuilder about next hops: how to reach a neighbour or another node's pods,
// also through a tunnel.
#include <fmt/format.h>

#include <algorithm>

#include "control/compile/adjacency_content.h"
#include "control/compile/topology_builder.h"

namespace podlane::control {

namespace {

std::optional<IpAddress> first_of_family(const std::vector<IpAddress>& addresses, bool v6) {
    const auto at = std::find_if(addresses.begin(), addresses.end(),
                                 [&](const IpAddress& a) { return a.is_v6() == v6; });
    if (at == addresses.end()) return std::nullopt;
    return *at;
}

AdjacencyKind pending_kind(NeighbourStatus status) noexcept {
    return status == NeighbourStatus::kFailed ? AdjacencyKind::kFailed : AdjacencyKind::kUnresolved;
}

}  // namespace

void TopologyBuilder::add_nodes() {
    // If two Nodes have the same podCIDR, the older one counts.
    std::vector<const Node*> others;
    for (const auto& [name, node] : store_.all<Node>()) {
        if (node->meta.name == config_.node) {
            check_own_node(*node);
        } else {
            others.push_back(node.get());
        }
    }
    std::ranges::sort(others,
                      [](const Node* a, const Node* b) { return a->meta.is_older(b->meta); });
    for (const Node* node : others) add_node(*node);
}

void TopologyBuilder::check_own_node(const Node& node) {
    for (const IpPrefix& cidr : node.pod_cidrs) {
        if (std::find(config_.pods.cidrs.begin(), config_.pods.cidrs.end(), cidr) ==
            config_.pods.cidrs.end()) {
            note(
                fmt::format("Node {} (this one): podCIDR {} is not in the configuration's "
                            "pods.cidrs; the configuration counts",
                            node.meta.name, to_string(cidr)));
        }
    }
    const Vtep vtep = vtep_of(config_);
    if (vtep.enabled && !node.internal_ips.empty() &&
        std::find(node.internal_ips.begin(), node.internal_ips.end(), vtep.address) ==
            node.internal_ips.end()) {
        note(
            fmt::format("Node {} (this one): its InternalIP is not {}, where other nodes' tunnels "
                        "must lead",
                        node.meta.name, to_string(vtep.address)));
    }
}

void TopologyBuilder::add_node(const Node& node) {
    for (const IpAddress& address : node.internal_ips) {
        keep_source(host_prefix(address), KeepSource::kNode);
    }
    add_node_addresses(node);
    if (node.pod_cidrs.empty()) {
        note(fmt::format("Node {}: no podCIDRs; no route to its pods", node.meta.name));
        return;
    }
    if (node.flannel && node.flannel->vni && out_.overlay.enabled &&
        *node.flannel->vni != out_.overlay.vni) {
        note(fmt::format("Node {}: its VNI is {}, this node's overlay.vni {}", node.meta.name,
                         *node.flannel->vni, out_.overlay.vni));
    }
    if (node.flannel && out_.overlay.enabled) {
        const auto word = overlay_info(out_.overlay.format).word;
        const std::string& theirs = node.flannel->backend_type;
        if (!theirs.empty() && theirs != word) {
            note(fmt::format("Node {}: its backend is {}, this node's overlay.type {}",
                             node.meta.name, theirs, word));
        }
    }
    for (const IpPrefix& cidr : node.pod_cidrs) {
        const bool ours = std::any_of(config_.pods.cidrs.begin(), config_.pods.cidrs.end(),
                                      [&](const IpPrefix& own) { return overlap(own, cidr); });
        if (ours) {
            refuse(node,
                   fmt::format("podCIDR {} overlaps this node's; no route to it", to_string(cidr)));
            continue;
        }
        if (const std::string* other = overlapping_node(cidr)) {
            refuse(node, fmt::format("podCIDR {} is Node {}'s, which is older; no route to it",
                                     to_string(cidr), *other));
            continue;
        }
        node_cidrs_.emplace(cidr, node.meta.name);
        keep_source(cidr, KeepSource::kPodCidr);
        with_prefix(cidr, [&](auto& tables, const auto& prefix) {
            tables.node_prefixes.emplace(prefix, ids_.number_of(node.meta.name));
        });
        add_node_route(node, cidr);
    }
}

const std::string* TopologyBuilder::overlapping_node(const IpPrefix& cidr) const {
    // The CIDRs in the map do not overlap each other, so only the two next to this one can overlap
    // it.
    const auto after = node_cidrs_.lower_bound(cidr);
    if (after != node_cidrs_.end() && overlap(after->first, cidr)) return &after->second;
    if (after == node_cidrs_.begin()) return nullptr;
    const auto before = std::prev(after);
    return overlap(before->first, cidr) ? &before->second : nullptr;
}

void TopologyBuilder::refuse(const Node& node, std::string why) {
    note(fmt::format("Node {}: {}", node.meta.name, why));
    out_.refused.push_back({{Kind::kNode, "", node.meta.name}, std::move(why)});
}

void TopologyBuilder::add_node_route(const Node& node, const IpPrefix& cidr) {
    const std::string origin = "node " + node.meta.name;
    const bool tunnel = config_.overlay.format.has_value();
    std::optional<Peer> peer;
    if (tunnel && out_.overlay.enabled) {
        peer = peer_of(node, cidr.address.is_v6());
    } else if (tunnel) {
        note(fmt::format("Node {}: no uplink has an address for the tunnel; no route to its pods",
                         node.meta.name));
        return;
    } else if (const auto address = first_of_family(node.internal_ips, cidr.address.is_v6())) {
        peer = Peer{*address, {}};
    }
    if (!peer) {
        note(fmt::format("Node {}: no InternalIP by which its podCIDR {} can be reached",
                         node.meta.name, to_string(cidr)));
        return;
    }
    const auto hop = next_hop_to(peer->address);
    if (!hop) {
        note(fmt::format("Node {}: no uplink leads to {}; no route to its pods", node.meta.name,
                         to_string(peer->address)));
        return;
    }
    want(*hop);
    if (tunnel) {
        route_by_tunnel(cidr, *peer, *hop, origin);
    } else {
        route_by(cidr, *hop, origin);
    }
}

std::optional<TopologyBuilder::Peer> TopologyBuilder::peer_of(const Node& node,
                                                              bool inner_v6) const {
    // flannel runs one tunnel device per family and expects packets in the tunnel of their own
    // family; other peers use the family of our configuration.
    const auto flannel_peer = [&](bool v6) -> std::optional<Peer> {
        if (!node.flannel) return std::nullopt;
        const auto& mac = v6 ? node.flannel->vtep_mac_v6 : node.flannel->vtep_mac;
        if (!mac) return std::nullopt;
        auto address = v6 ? node.flannel->public_ipv6 : node.flannel->public_ip;
        if (!address) address = first_of_family(node.internal_ips, v6);
        if (!address) return std::nullopt;
        return Peer{*address, *mac};
    };
    const bool has_vtep = inner_v6 ? out_.v6.has_vtep : out_.v4.has_vtep;
    if (const auto peer = flannel_peer(inner_v6); peer && has_vtep) return peer;
    const bool over_v6 = config_.overlay.over_v6;
    if (const auto peer = flannel_peer(over_v6)) return peer;
    const auto address = first_of_family(node.internal_ips, over_v6);
    if (!address) return std::nullopt;
    return Peer{*address, derive_vtep_mac(*address)};
}

std::optional<TopologyBuilder::NextHop> TopologyBuilder::next_hop_to(
    const IpAddress& address) const {
    for (const Uplink& uplink : uplinks_) {
        for (const InterfaceAddress& own : uplink.config->addresses) {
            if (own.address == address) return std::nullopt;
            if (own.subnet().contains(address)) return NextHop{&uplink, address};
        }
    }
    for (const Uplink& uplink : uplinks_) {
        if (const auto gateway = first_of_family(uplink.config->gateways, address.is_v6())) {
            return NextHop{&uplink, *gateway};
        }
    }
    return std::nullopt;
}

NeighbourView TopologyBuilder::neighbour(PortId port, const IpAddress& address) const {
    const auto at = neighbours_.find({port, address});
    return at != neighbours_.end() ? at->second : NeighbourView{port, address, {}, {}};
}

void TopologyBuilder::want(const NextHop& hop) {
    out_.wanted.push_back({hop.uplink->port, hop.address});
}

void TopologyBuilder::route_by(const IpPrefix& prefix, const NextHop& hop,
                               const std::string& origin) {
    const Uplink& uplink = *hop.uplink;
    const NeighbourView view = neighbour(uplink.port, hop.address);
    const AdjacencyKey key{AdjacencyKey::Purpose::kNeighbour, uplink.port, hop.address};
    const bool resolved = view.status == NeighbourStatus::kResolved;
    // A neighbour that was known keeps its id while it is asked for again, so that a flapping
    // neighbour does not make every flow look up its route again.
    if (view.status == NeighbourStatus::kUnresolved && !ids_.known(key)) {
        set_route(prefix, RouteKind::kVia, uplink.port, kNoAdjacency, origin, &hop.address);
        return;
    }
    const Adjacency content =
        resolved ? ethernet_adjacency(uplink.port, uplink.config->mtu, view.mac, uplink.mac)
                 : pending_adjacency(pending_kind(view.status), uplink.port, uplink.config->mtu);
    set_route(prefix, RouteKind::kAdjacency, uplink.port, add_adjacency(key, content), origin);
}

void TopologyBuilder::route_by_tunnel(const IpPrefix& prefix, const Peer& peer, const NextHop& hop,
                                      const std::string& origin) {
    const Uplink& uplink = *hop.uplink;
    const NeighbourView view = neighbour(uplink.port, hop.address);
    const bool over_v6 = peer.address.is_v6();
    Adjacency content;
    if (view.status == NeighbourStatus::kResolved) {
        content =
            tunnel_adjacency({.port = uplink.port,
                              .uplink_mtu = uplink.config->mtu,
                              .next_hop_mac = view.mac,
                              .uplink_mac = uplink.mac,
                              .remote = peer.address,
                              .local = over_v6 ? IpAddress(out_.v6.vtep) : IpAddress(out_.v4.vtep),
                              .format = out_.overlay.format,
                              .vni = out_.overlay.vni,
                              .udp_port = out_.overlay.port.host(),
                              .peer_vtep = peer.vtep,
                              .own_vtep = out_.overlay.mac});
    } else {
        content = pending_adjacency(
            pending_kind(view.status), uplink.port,
            static_cast<uint16_t>(uplink.config->mtu - overlay_overhead(over_v6)));
    }
    const AdjacencyKey key{AdjacencyKey::Purpose::kTunnel, uplink.port, peer.address};
    set_route(prefix, RouteKind::kAdjacency, uplink.port, add_adjacency(key, content), origin);
}

AdjacencyId TopologyBuilder::add_adjacency(const AdjacencyKey& key, const Adjacency& content) {
    const AdjacencyId id = ids_.id_of(key);
    out_.adjacencies[id] = content;
    return id;
}

void TopologyBuilder::set_route(const IpPrefix& prefix, RouteKind kind, PortId port,
                                AdjacencyId adjacency, const std::string& origin,
                                const IpAddress* via) {
    with_prefix(prefix, [&]<Family F>(FamilyTables<F>& tables, const Prefix<F>& typed) {
        Route<F> route;
        route.kind = kind;
        route.port = port;
        route.adjacency = adjacency;
        if (via != nullptr) route.via = via->as<F>();
        route.origin = origin;
        tables.routes[typed] = std::move(route);
    });
}

void TopologyBuilder::keep_source(const IpPrefix& prefix, KeepSource why) {
    with_prefix(prefix, [&](auto& tables, const auto& typed) {
        tables.keep_source[typed] = static_cast<uint8_t>(why);
    });
}

bool overlap(const IpPrefix& a, const IpPrefix& b) noexcept {
    return a.contains(b.address) || b.contains(a.address);
}

IpPrefix host_prefix(const IpAddress& address) noexcept {
    return {address, static_cast<uint8_t>(address.is_v4() ? 32 : 128)};
}

}  // namespace podlane::control
