#include "control/compile/topology.h"

#include <algorithm>
#include <span>
#include <tuple>

#include "control/compile/adjacency_content.h"
#include "control/compile/topology_builder.h"

namespace podlane::control {

namespace {

/// A locally administered unicast address: 02 and 40 bits of FNV-1a over the bytes.
MacAddress derive_mac(std::span<const uint8_t> bytes) noexcept {
    uint64_t hash = 0xcbf29ce484222325u;
    for (const uint8_t byte : bytes) hash = (hash ^ byte) * 0x100000001b3u;
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
    return std::tie(a.kind, a.mac, a.peer_mac, a.mtu) == std::tie(b.kind, b.mac, b.peer_mac, b.mtu);
}

/// How much of two tables is alike.
struct RouteDifference {
    bool meaning = false;  // packets go another way
    bool text = false;     // only listings say something else
};

template <Family F>
RouteDifference compare(const std::map<Prefix<F>, Route<F>>& a,
                        const std::map<Prefix<F>, Route<F>>& b) {
    RouteDifference difference;
    difference.meaning =
        !std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
            return x.first == y.first && same_way(x.second, y.second);
        });
    difference.text =
        difference.meaning ||
        !std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
            return x.second.origin == y.second.origin;
        });
    return difference;
}

template <class Map>
auto as_list(const Map& map) {
    return std::vector<std::pair<typename Map::key_type, typename Map::mapped_type>>(map.begin(),
                                                                                     map.end());
}

/// Puts one family's tables into the snapshot; true when a route changed its meaning.
template <Family F>
bool install(const FamilyTables<F>& tables, const FamilyTables<F>& last, FamilyState<F>& state) {
    const RouteDifference difference = compare(tables.routes, last.routes);
    if (difference.text) {
        state.routes = std::make_shared<const Lpm<F, Route<F>>>(as_list(tables.routes));
    }
    if (tables.keep_source != last.keep_source) {
        state.keep_source = std::make_shared<const Lpm<F, uint8_t>>(as_list(tables.keep_source));
    }
    state.pod_cidrs = tables.pod_cidrs;
    state.gateways = tables.gateways;
    state.node_addresses = tables.node_addresses;
    state.has_uplink_source = tables.has_uplink_source;
    state.uplink_source = tables.uplink_source;
    state.has_vtep = tables.has_vtep;
    state.vtep = tables.vtep;
    return difference.meaning;
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
    if (config.overlay.type != OverlayType::kVxlan) return {};
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
    ids_changed_ = true;
    return ids_.emplace(key, AdjacencyId{id}).first->second;
}

void TopologyCompiler::free_unused_ids(const std::map<AdjacencyId, Adjacency>& used) {
    std::erase_if(ids_, [&](const auto& entry) {
        if (used.contains(entry.second)) return false;
        free_ids_.push_back(static_cast<uint32_t>(entry.second));
        ids_changed_ = true;
        return true;
    });
}

void TopologyCompiler::compile(const TopologyInput& input, const ObjectStore& store, Snapshot& next,
                               std::vector<std::string>& notices) {
    ids_changed_ = false;
    const auto known_before = ids_;
    std::vector<std::string> said;
    TopologyBuilder builder(
        config_, input, store,
        {.id_of = [this](const AdjacencyKey& key) { return id_of(key); },
         .known = [&](const AdjacencyKey& key) { return known_before.contains(key); }},
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
    free_unused_ids(tables.adjacencies);

    const bool v4_changed = install<V4>(tables.v4, last_.v4, next.v4);
    const bool v6_changed = install<V6>(tables.v6, last_.v6, next.v6);
    const bool ports_changed = !std::equal(tables.ports.begin(), tables.ports.end(),
                                           last_.ports.begin(), last_.ports.end(), same_view);
    if (ports_changed) next.ports = std::make_shared<const PortViews>(tables.ports);
    if (tables.fdb != last_.fdb) next.fdb = std::make_shared<const Fdb>(tables.fdb);
    next.overlay = tables.overlay;
    next.gateway_mac = tables.gateway_mac;
    next.bridge_ports = tables.bridge_ports;
    next.host_port = tables.host_port;
    if (v4_changed || v6_changed || ports_changed || ids_changed_) ++next.topology_epoch;
    last_ = std::move(tables);
}

}  // namespace podlane::control
