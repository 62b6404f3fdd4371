#include "control/compile/topology_builder.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "control/compile/adjacency_content.h"

namespace podlane::control {

namespace {

/// Sorted by name, so that the winner does not depend on the order of the input.
std::vector<const PodPort*> by_name(const std::vector<PodPort>& pods) {
    std::vector<const PodPort*> sorted;
    for (const PodPort& pod : pods) sorted.push_back(&pod);
    std::sort(sorted.begin(), sorted.end(),
              [](const PodPort* a, const PodPort* b) { return a->name < b->name; });
    return sorted;
}

bool is_port(PortId port) noexcept {
    return index_of(port) < kMaxPorts;
}

}  // namespace

TopologyBuilder::TopologyBuilder(const NodeConfig& config, const TopologyInput& input,
                                 const ObjectStore& store, Ids ids,
                                 std::vector<std::string>& notices)
    : config_(config), input_(input), store_(store), ids_(std::move(ids)), notices_(notices) {}

TopologyTables TopologyBuilder::build() {
    out_.gateway_mac = gateway_mac_of(config_);
    find_ports();
    add_overlay();
    add_cluster();
    add_uplinks();
    add_nodes();
    add_own_pod_cidrs();
    add_pods();
    add_neighbours();
    add_own_addresses();
    add_dns();
    add_fdb();
    std::sort(out_.wanted.begin(), out_.wanted.end());
    out_.wanted.erase(std::unique(out_.wanted.begin(), out_.wanted.end()), out_.wanted.end());
    return std::move(out_);
}

void TopologyBuilder::find_ports() {
    std::map<std::string, const PortInfo*> uplink_ports;
    const PortInfo* host = nullptr;
    for (const PortInfo& port : input_.ports) {
        if (port.kind == PortKind::kUplink) uplink_ports.emplace(port.name, &port);
        if (port.kind == PortKind::kHost) host = &port;
        if (port.kind == PortKind::kDns && is_port(port.id)) dns_ = &port;
    }
    for (const UplinkConfig& uplink : config_.uplinks) {
        const auto at = uplink_ports.find(uplink.name);
        if (at == uplink_ports.end() || !is_port(at->second->id)) {
            // A check of the files alone has no port at all, and that is no news.
            if (!input_.ports.empty()) {
                note(fmt::format("uplink {} has no port; no route uses it", uplink.name));
            }
            continue;
        }
        const PortId port = at->second->id;
        const MacAddress mac = uplink.mac.value_or(at->second->mac);
        uplinks_.push_back({&uplink, port, mac});
        out_.ports[index_of(port)] = {PortKind::kUplink, mac, {}, uplink.mtu};
        for (const NeighborConfig& fixed : uplink.neighbors) {
            neighbours_[{port, fixed.address}] = {port, fixed.address, fixed.mac,
                                                  NeighbourStatus::kResolved};
        }
    }
    for (const NeighbourView& view : input_.neighbours) {
        neighbours_.try_emplace({view.port, view.address}, view);
    }
    if (host == nullptr || !is_port(host->id)) return;
    out_.host_port = host->id;
    if (!uplinks_.empty()) out_.host_uplink = uplinks_.front().port;
    // The host interface carries the uplink's identity.
    host_mac_ = host->mac.is_zero() && !uplinks_.empty() ? uplinks_.front().mac : host->mac;
    host_mtu_ = host->mtu != 0 || uplinks_.empty() ? host->mtu : uplinks_.front().config->mtu;
    out_.ports[index_of(host->id)] = {PortKind::kHost, out_.gateway_mac, host_mac_, host_mtu_};
}

void TopologyBuilder::add_overlay() {
    const Vtep vtep = vtep_of(config_);
    if (!vtep.enabled) return;
    out_.overlay = {true, *config_.overlay.format, config_.overlay.vni, be16(config_.overlay.port),
                    vtep.mac};
    // Peers may use either outer family whatever the inner one is, as flannel's do.
    for (const UplinkConfig& uplink : config_.uplinks) {
        for (const InterfaceAddress& own : uplink.addresses) {
            if (own.address.is_v4() && !out_.v4.has_vtep) {
                out_.v4.has_vtep = true;
                out_.v4.vtep = own.address.as<V4>();
            }
            if (own.address.is_v6() && !out_.v6.has_vtep) {
                out_.v6.has_vtep = true;
                out_.v6.vtep = own.address.as<V6>();
            }
        }
    }
}

void TopologyBuilder::add_cluster() {
    for (const IpPrefix& cidr : config_.cluster.pod_cidrs) {
        set_route(cidr, RouteKind::kUnreachable, kNoPort, kNoAdjacency,
                  "cluster.podCidrs, no node has it");
        keep_source(cidr, KeepSource::kPodCidr);
    }
    for (const IpPrefix& cidr : config_.cluster.service_cidrs) {
        set_route(cidr, RouteKind::kUnallocated, kNoPort, kNoAdjacency, "cluster.serviceCidrs");
        keep_source(cidr, KeepSource::kServiceCidr);
    }
    for (const auto& [name, object] : store_.all<ServiceCidr>()) {
        for (const IpPrefix& cidr : object->cidrs) {
            set_route(cidr, RouteKind::kUnallocated, kNoPort, kNoAdjacency,
                      "ServiceCIDR " + name.name);
            keep_source(cidr, KeepSource::kServiceCidr);
        }
    }
}

void TopologyBuilder::add_uplinks() {
    std::set<bool> has_default;  // by "is IPv6"
    for (const Uplink& uplink : uplinks_) {
        const std::string origin = "uplink " + uplink.config->name;
        for (const InterfaceAddress& own : uplink.config->addresses) {
            set_route(own.subnet(), RouteKind::kConnected, uplink.port, kNoAdjacency, origin);
        }
        for (const IpAddress& gateway : uplink.config->gateways) {
            if (!has_default.insert(gateway.is_v6()).second) continue;
            const IpAddress any = gateway.is_v4() ? IpAddress(Ipv4Address{}) : Ipv6Address{};
            const NextHop hop{&uplink, gateway};
            want(hop);
            route_by({any, 0}, hop, "default gateway of " + origin);
        }
        for (const UplinkRoute& route : uplink.config->routes) {
            const NextHop hop{&uplink, route.via};
            want(hop);
            route_by(route.destination, hop, "route of " + origin);
        }
    }
}

void TopologyBuilder::add_own_pod_cidrs() {
    for (const IpPrefix& cidr : config_.pods.cidrs) {
        set_route(cidr, RouteKind::kUnreachable, kNoPort, kNoAdjacency,
                  "pods.cidrs, no pod has it");
        keep_source(cidr, KeepSource::kPodCidr);
        with_prefix(cidr,
                    [](auto& tables, const auto& prefix) { tables.pod_cidrs.push_back(prefix); });
    }
    for (const IpAddress& gateway : config_.pods.gateways()) {
        set_route(host_prefix(gateway), RouteKind::kGateway, kNoPort, kNoAdjacency, "pod gateway");
        keep_source(host_prefix(gateway), KeepSource::kNode);
        with_prefix(host_prefix(gateway), [](auto& tables, const auto& prefix) {
            tables.gateways.push_back(prefix.address);
        });
    }
}

void TopologyBuilder::add_pods() {
    const std::vector<IpAddress> gateways = config_.pods.gateways();
    std::map<IpAddress, std::string> owners;
    for (const PodPort* pod : by_name(input_.pods)) {
        if (!is_port(pod->port)) continue;
        const uint16_t mtu = pod->mtu != 0 ? pod->mtu : config_.pods.mtu;
        out_.ports[index_of(pod->port)] = {PortKind::kPod, out_.gateway_mac, pod->mac, mtu};
        out_.bridge_ports.push_back(pod->port);
        for (const IpAddress& address : pod->addresses) {
            if (std::find(gateways.begin(), gateways.end(), address) != gateways.end()) {
                note(fmt::format("pod {}: {} is the gateway's address", pod->name,
                                 to_string(address)));
                continue;
            }
            const auto [owner, is_new] = owners.emplace(address, pod->name);
            if (!is_new) {
                note(fmt::format("pod {}: {} is pod {}'s", pod->name, to_string(address),
                                 owner->second));
                continue;
            }
            const AdjacencyId id =
                add_adjacency({AdjacencyKey::Purpose::kPod, pod->port, address},
                              ethernet_adjacency(pod->port, mtu, pod->mac, out_.gateway_mac));
            set_route(host_prefix(address), RouteKind::kAdjacency, pod->port, id,
                      "pod " + pod->name);
        }
    }
    std::sort(out_.bridge_ports.begin(), out_.bridge_ports.end());
    for (const PodPort& pod : input_.pods) {
        if (is_port(pod.port)) add_pod_sources(pod);
    }
}

void TopologyBuilder::add_neighbours() {
    for (const auto& neighbour : neighbours_) {
        const NeighbourView& view = neighbour.second;
        const auto uplink = std::find_if(uplinks_.begin(), uplinks_.end(),
                                         [&](const Uplink& u) { return u.port == view.port; });
        if (uplink == uplinks_.end()) continue;
        const bool on_link = std::any_of(
            uplink->config->addresses.begin(), uplink->config->addresses.end(),
            [&](const InterfaceAddress& own) { return own.subnet().contains(view.address); });
        if (!on_link) continue;
        // Without a known MAC address, the neighbour stays part of its subnet: the worker asks for
        // it and holds the packet.
        const AdjacencyKey id_key{AdjacencyKey::Purpose::kNeighbour, view.port, view.address};
        if (view.status == NeighbourStatus::kUnresolved && !ids_.known(id_key)) continue;
        route_by(host_prefix(view.address), {&*uplink, view.address},
                 "neighbour on " + uplink->config->name);
    }
}

void TopologyBuilder::add_own_addresses() {
    for (const bool with_gateway : {true, false}) {
        for (const UplinkConfig& uplink : config_.uplinks) {
            for (const InterfaceAddress& own : uplink.addresses) {
                const bool has_gateway = std::any_of(
                    uplink.gateways.begin(), uplink.gateways.end(), [&](const IpAddress& gateway) {
                        return gateway.is_v4() == own.address.is_v4();
                    });
                if (has_gateway != with_gateway) continue;
                with_prefix(host_prefix(own.address), [](auto& tables, const auto& prefix) {
                    if (tables.has_uplink_source) return;
                    tables.has_uplink_source = true;
                    tables.uplink_source = prefix.address;
                });
            }
        }
    }
    AdjacencyId host = kNoAdjacency;
    if (out_.host_port != kNoPort) {
        host = add_adjacency(
            {AdjacencyKey::Purpose::kHost, out_.host_port, {}},
            ethernet_adjacency(out_.host_port, host_mtu_, host_mac_, out_.gateway_mac));
    }
    for (const UplinkConfig& uplink : config_.uplinks) {
        for (const InterfaceAddress& own : uplink.addresses) {
            set_route(host_prefix(own.address), RouteKind::kHost, out_.host_port, host,
                      "address of uplink " + uplink.name);
            keep_source(host_prefix(own.address), KeepSource::kNode);
            with_prefix(host_prefix(own.address), [&](auto& tables, const auto& prefix) {
                tables.node_addresses.push_back(prefix.address);
                if (serves_node_ports(own.address, prefix.address == tables.uplink_source)) {
                    tables.node_port_addresses.push_back(prefix.address);
                }
            });
        }
    }
}

bool TopologyBuilder::serves_node_ports(const IpAddress& address, bool is_primary) const {
    const ClusterConfig& cluster = config_.cluster;
    if (cluster.node_ports_on_primary) return is_primary;
    const auto& prefixes = cluster.node_port_addresses;
    return prefixes.empty() ||
           std::any_of(prefixes.begin(), prefixes.end(),
                       [&](const IpPrefix& prefix) { return prefix.contains(address); });
}

void TopologyBuilder::add_dns() {
    if (dns_ == nullptr) return;
    out_.ports[index_of(dns_->id)] = {PortKind::kDns, out_.gateway_mac, dns_->mac, dns_->mtu};
    for (const IpAddress& address : config_.cluster.dns) {
        const AdjacencyId id =
            add_adjacency({AdjacencyKey::Purpose::kDns, dns_->id, address},
                          ethernet_adjacency(dns_->id, dns_->mtu, dns_->mac, out_.gateway_mac));
        set_route(host_prefix(address), RouteKind::kAdjacency, dns_->id, id, "cluster DNS");
        keep_source(host_prefix(address), KeepSource::kServiceCidr);
    }
}

void TopologyBuilder::add_fdb() {
    std::map<MacAddress, uint16_t> ports;
    for (const PodPort* pod : by_name(input_.pods)) {
        if (!is_port(pod->port)) continue;
        if (!ports.emplace(pod->mac, static_cast<uint16_t>(pod->port)).second) {
            note(fmt::format("pod {}: MAC address {} is another pod's", pod->name,
                             to_string(pod->mac)));
        }
    }
    for (const LearnedMac& learned : input_.learned) {
        const bool on_bridge =
            std::binary_search(out_.bridge_ports.begin(), out_.bridge_ports.end(), learned.port);
        if (!on_bridge || learned.mac == out_.gateway_mac) continue;
        ports.emplace(learned.mac, static_cast<uint16_t>(learned.port));
    }
    out_.fdb.assign(ports.begin(), ports.end());
}

}  // namespace podlane::control
