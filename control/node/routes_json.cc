#include "control/node/routes_json.h"

#include <string>
#include <string_view>

namespace podlane::control {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kNodeOrigin = "node ";

/// The name behind "node " in a route's origin, up to the first space or comma; "" without.
std::string node_of(std::string_view origin) {
    if (!origin.starts_with(kNodeOrigin)) return {};
    const std::string_view rest = origin.substr(kNodeOrigin.size());
    return std::string(rest.substr(0, rest.find_first_of(" ,")));
}

/// What stands in `kind`: what the route is for, not what the workers do with it.
template <Family F>
const char* kind_text(const Snapshot& snapshot, const Prefix<F>& prefix, const Route<F>& route) {
    switch (route.kind) {
        case RouteKind::kHost:
        case RouteKind::kGateway:
            return "local";
        case RouteKind::kUnallocated:
        case RouteKind::kUnreachable:
            return "unreachable";
        case RouteKind::kConnected:
            return "connected";
        case RouteKind::kAdjacency:
        case RouteKind::kVia:
            break;
    }
    if (prefix.length == 0) return "default";
    if (route.origin.starts_with(kNodeOrigin)) return "node";
    const Adjacency& adjacency = snapshot.adjacencies[index_of(route.adjacency)];
    const PortId port = route.adjacency != kNoAdjacency ? adjacency.port : route.port;
    if (port != kNoPort && snapshot.port(port).kind == PortKind::kPod) return "pod";
    return "connected";
}

template <Family F>
Json route_json(const Snapshot& snapshot, const PortNames& names, const Prefix<F>& prefix,
                const Route<F>& route) {
    Json item = {{"prefix", to_string(IpPrefix{prefix.address, prefix.length})},
                 {"kind", kind_text(snapshot, prefix, route)}};
    const Adjacency* adjacency = route.adjacency != kNoAdjacency
                                     ? &snapshot.adjacencies[index_of(route.adjacency)]
                                     : nullptr;
    const bool is_tunnel = adjacency != nullptr && adjacency->kind == AdjacencyKind::kTunnel;
    if (is_tunnel) {
        item["via"] = to_string(tunnel_destination(*adjacency));
    } else if (route.kind == RouteKind::kVia || !route.via.is_zero()) {
        item["via"] = to_string(IpAddress(route.via));
    }
    const PortId port = adjacency != nullptr ? adjacency->port : route.port;
    if (const std::string_view name = names.name(port); !name.empty()) item["port"] = name;
    if (const std::string node = node_of(route.origin); !node.empty()) {
        item["node"] = node;
        item["overlay"] = is_tunnel ? "vxlan" : "direct";
    }
    if (adjacency != nullptr && adjacency->mtu != 0) item["mtu"] = adjacency->mtu;
    if (!route.origin.empty()) item["origin"] = route.origin;
    return item;
}

template <Family F>
void add_routes(const Snapshot& snapshot, const PortNames& names, Json& items) {
    snapshot.family<F>().routes->for_each([&](const Prefix<F>& prefix, const Route<F>& route) {
        items.push_back(route_json<F>(snapshot, names, prefix, route));
    });
}

}  // namespace

Json routes_json(const Snapshot& snapshot, const PortNames& names) {
    Json items = Json::array();
    add_routes<V4>(snapshot, names, items);
    add_routes<V6>(snapshot, names, items);
    return items;
}

}  // namespace podlane::control
