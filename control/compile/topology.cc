#include "control/compile/topology.h"

#include <algorithm>
#include <span>
#include <tuple>

#include "control/compile/adjacency_content.h"
#include "control/compile/topology_builder.h"
#include "lib/base/stable_hash.h"

namespace podlane::control {

namespace {

/// Ids that wait for the next epoch before they are reused; more than this many start the next
/// epoch.
constexpr size_t kMostRetired = 1024;

/// A locally administered unicast address: 02 and 40 bits of the bytes' FNV-1a hash.
MacAddress derive_mac(std::span<const uint8_t> bytes) noexcept {
    const uint64_t hash = fnv1a(bytes);
    MacAddress mac{{0x02}};
    for (size_t i = 1; i < mac.bytes.size(); ++i) {
        mac.bytes[i] = static_cast<uint8_t>(hash >> (64 - 8 * i));
    }
    return mac;
}

template <class T>
std::span<const uint8_t> bytes_of(const T& value) noexcept {
    return {reinterpret_cast<const uint8_t*>(&value), sizeof(value)};
}

template <Family F>
bool same_way(const Route<F>& a, const Route<F>& b) noexcept {
    return std::tie(a.kind, a.port, a.adjacency, a.via) ==
           std::tie(b.kind, b.port, b.adjacency, b.via);
}

bool same_view(const PortView& a, const PortView& b) noexcept {
    const bool same_sources =
        a.sources == b.sources || (a.sources && b.sources && *a.sources == *b.sources);
    return same_sources &&
           std::tie(a.kind, a.mac, a.peer_mac, a.mtu) == std::tie(b.kind, b.mac, b.peer_mac, b.mtu);
}

template <Family F>
using Routes = std::map<Prefix<F>, Route<F>>;

template <Family F>
bool same_routes(const Routes<F>& a, const Routes<F>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
        return x.first == y.first && same_way(x.second, y.second) &&
               x.second.origin == y.second.origin;
    });
}

/// The adjacency of addresses in `prefix` that no longer prefix covers; 0 if there is none.
template <Family F>
AdjacencyId adjacency_of(const Routes<F>& routes, const Prefix<F>& prefix) {
    for (int length = prefix.length; length >= 0; --length) {
        const auto bits = static_cast<uint8_t>(length);
        const auto at = routes.find({prefix.address.masked(bits), bits});
        if (at != routes.end()) return at->second.adjacency;
    }
    return kNoAdjacency;
}

/// Whether flows may hold a next hop that is no longer their route's and cannot tell. A flow looks
/// again anyway if its route had no adjacency or its adjacency is not in use.
template <Family F>
bool misleads_flows(const Routes<F>& before, const Routes<F>& now,
                    const std::map<AdjacencyId, Adjacency>& in_use) {
    const auto misleads = [&](const Prefix<F>& prefix) {
        const AdjacencyId had = adjacency_of<F>(before, prefix);
        return had != kNoAdjacency && in_use.contains(had) && had != adjacency_of<F>(now, prefix);
    };
    const auto is_new_or_gone = [&](const Routes<F>& of, const Routes<F>& other) {
        return std::any_of(of.begin(), of.end(), [&](const auto& entry) {
            const auto at = other.find(entry.first);
            return (at == other.end() || !same_way(at->second, entry.second)) &&
                   misleads(entry.first);
        });
    };
    return is_new_or_gone(now, before) || is_new_or_gone(before, now);
}

template <class Map>
auto as_list(const Map& map) {
    return std::vector<std::pair<typename Map::key_type, typename Map::mapped_type>>(map.begin(),
                                                                                     map.end());
}

/// Writes one family's tables to the snapshot.
template <Family F>
void install(const FamilyTables<F>& tables, const FamilyTables<F>& last, bool has_tunnel,
             FamilyState<F>& state) {
    if (!same_routes<F>(tables.routes, last.routes)) {
        state.routes = std::make_shared<const Lpm<F, Route<F>>>(as_list(tables.routes));
    }
    if (tables.keep_source != last.keep_source) {
        state.keep_source = std::make_shared<const Lpm<F, uint8_t>>(as_list(tables.keep_source));
    }
    if (tables.tunnel_peers != last.tunnel_peers) {
        state.tunnel_peers =
            std::make_shared<const Lpm<F, NodeNumber>>(as_list(tables.tunnel_peers));
    }
    if (tables.node_prefixes != last.node_prefixes) {
        state.node_prefixes =
            std::make_shared<const Lpm<F, NodeNumber>>(as_list(tables.node_prefixes));
        if (has_tunnel) state.tunnel_sources = state.node_prefixes;
    }
    state.pod_cidrs = tables.pod_cidrs;
    state.gateways = tables.gateways;
    state.node_addresses = tables.node_addresses;
    state.node_port_addresses = tables.node_port_addresses;
    state.has_uplink_source = tables.has_uplink_source;
    state.uplink_source = tables.uplink_source;
    state.has_vtep = tables.has_vtep;
    state.vtep = tables.vtep;
}

}  // namespace

MacAddress derive_vtep_mac(const IpAddress& node_address) noexcept {
    return node_address.is_v4() ? derive_mac(bytes_of(node_address.as<V4>()))
                                : derive_mac(bytes_of(node_address.as<V6>()));
}

MacAddress gateway_mac_of(const NodeConfig& config) noexcept {
    if (config.pods.gateway_mac) return *config.pods.gateway_mac;
    return derive_mac({reinterpret_cast<const uint8_t*>(config.node.data()), config.node.size()});
}

Vtep vtep_of(const NodeConfig& config) noexcept {
    if (!config.overlay.format) return {};
    for (const UplinkConfig& uplink : config.uplinks) {
        for (const InterfaceAddress& own : uplink.addresses) {
            if (own.address.is_v6() != config.overlay.over_v6) continue;
            return {true, own.address, config.overlay.mac.value_or(derive_vtep_mac(own.address))};
        }
    }
    return {};
}

AdjacencyId TopologyCompiler::id_of(const AdjacencyKey& key) {
    if (const auto at = ids_.find(key); at != ids_.end()) return at->second;
    uint32_t id = next_id_;
    if (free_ids_.empty()) {
        ++next_id_;
    } else {
        id = free_ids_.back();
        free_ids_.pop_back();
    }
    return ids_.emplace(key, AdjacencyId{id}).first->second;
}

NodeNumber TopologyCompiler::number_of(const std::string& node) {
    if (const auto at = node_numbers_.find(node); at != node_numbers_.end()) return at->second;
    const auto is_taken = [this](NodeNumber number) {
        return std::any_of(node_numbers_.begin(), node_numbers_.end(),
                           [&](const auto& entry) { return entry.second == number; });
    };
    // Numbers are used in turn, so that another Node gets a number only long after flows have
    // forgotten its last user. Kubernetes has at most 5000 Nodes.
    NodeNumber number{next_node_};
    for (unsigned tries = 0; is_taken(number) && tries < kMaxNodeNumbers; ++tries) {
        next_node_ = static_cast<uint16_t>((next_node_ + 1) % kMaxNodeNumbers);
        number = NodeNumber{next_node_};
    }
    next_node_ = static_cast<uint16_t>((next_node_ + 1) % kMaxNodeNumbers);
    return node_numbers_.emplace(node, number).first->second;
}

void TopologyCompiler::retire_unused_ids(const std::map<AdjacencyId, Adjacency>& used) {
    std::erase_if(ids_, [&](const auto& entry) {
        if (used.contains(entry.second)) return false;
        retired_ids_.push_back(static_cast<uint32_t>(entry.second));
        return true;
    });
}

void TopologyCompiler::compile(const TopologyInput& input, const ObjectStore& store, Snapshot& next,
                               std::vector<std::string>& notices) {
    const auto known_before = ids_;
    std::vector<std::string> said;
    TopologyBuilder builder(
        config_, input, store,
        {.id_of = [this](const AdjacencyKey& key) { return id_of(key); },
         .known = [&](const AdjacencyKey& key) { return known_before.contains(key); },
         .number_of = [this](const std::string& node) { return number_of(node); }},
        said);
    TopologyTables tables = builder.build();
    for (const std::string& notice : said) {
        if (!last_notices_.contains(notice)) notices.push_back(notice);
    }
    last_notices_ = {said.begin(), said.end()};

    for (const auto& [id, content] : tables.adjacencies) {
        if (!same_adjacency(next.adjacencies[index_of(id)], content)) {
            next.adjacencies.mutable_at(index_of(id)) = content;
        }
    }
    for (const auto& [id, content] : last_.adjacencies) {
        if (!tables.adjacencies.contains(id)) next.adjacencies.mutable_at(index_of(id)) = {};
    }
    retire_unused_ids(tables.adjacencies);
    std::erase_if(node_numbers_, [&](const auto& entry) {
        return store.find<Node>(NamespacedName{"", entry.first}) == nullptr;
    });
    if (retired_ids_.size() > kMostRetired ||
        misleads_flows<V4>(last_.v4.routes, tables.v4.routes, tables.adjacencies) ||
        misleads_flows<V6>(last_.v6.routes, tables.v6.routes, tables.adjacencies)) {
        ++next.topology_epoch;
        free_ids_.insert(free_ids_.end(), retired_ids_.begin(), retired_ids_.end());
        retired_ids_.clear();
    }

    install<V4>(tables.v4, last_.v4, tables.overlay.enabled, next.v4);
    install<V6>(tables.v6, last_.v6, tables.overlay.enabled, next.v6);
    const bool ports_changed = !std::equal(tables.ports.begin(), tables.ports.end(),
                                           last_.ports.begin(), last_.ports.end(), same_view);
    if (ports_changed) next.ports = std::make_shared<const PortViews>(tables.ports);
    if (tables.fdb != last_.fdb) next.fdb = std::make_shared<const Fdb>(tables.fdb);
    next.overlay = tables.overlay;
    next.gateway_mac = tables.gateway_mac;
    next.bridge_ports = tables.bridge_ports;
    next.host_port = tables.host_port;
    next.host_uplink = tables.host_uplink;
    last_ = std::move(tables);
}

}  // namespace podlane::control
