#include "control/node/routes.h"

#include <string>
#include <string_view>

namespace podlane::control {

namespace {

constexpr std::string_view kNodeOrigin = "node ";

/// The name after "node " in a route's origin, up to a space or comma; "" if there is none.
std::string node_of(std::string_view origin) {
    if (!origin.starts_with(kNodeOrigin)) return {};
    const std::string_view rest = origin.substr(kNodeOrigin.size());
    return std::string(rest.substr(0, rest.find_first_of(" ,")));
}

template <Family F>
RoutePurpose purpose_of(const Snapshot& snapshot, const Prefix<F>& prefix, const Route<F>& route) {
    switch (route.kind) {
        case RouteKind::kHost:
        case RouteKind::kGateway:
            return RoutePurpose::kLocal;
        case RouteKind::kUnallocated:
        case RouteKind::kUnreachable:
            return RoutePurpose::kUnreachable;
        case RouteKind::kConnected:
            return RoutePurpose::kConnected;
        case RouteKind::kAdjacency:
        case RouteKind::kVia:
            break;
    }
    if (prefix.length == 0) return RoutePurpose::kDefault;
    if (route.origin.starts_with(kNodeOrigin)) return RoutePurpose::kNode;
    const Adjacency& adjacency = snapshot.adjacencies[index_of(route.adjacency)];
    const PortId port = route.adjacency != kNoAdjacency ? adjacency.port : route.port;
    if (port != kNoPort && snapshot.port(port).kind == PortKind::kPod) return RoutePurpose::kPod;
    return RoutePurpose::kConnected;
}

template <Family F>
RouteRow row_of(const Snapshot& snapshot, const PortNames& names, const Prefix<F>& prefix,
                const Route<F>& route) {
    RouteRow row;
    row.prefix = IpPrefix{prefix.address, prefix.length};
    row.purpose = purpose_of(snapshot, prefix, route);
    const Adjacency* adjacency = route.adjacency != kNoAdjacency
                                     ? &snapshot.adjacencies[index_of(route.adjacency)]
                                     : nullptr;
    const bool is_tunnel = adjacency != nullptr && adjacency->kind == AdjacencyKind::kTunnel;
    row.overlay = is_tunnel ? overlay_info(snapshot.overlay.format).word : "direct";
    if (is_tunnel) {
        row.via = tunnel_destination(*adjacency);
    } else if (route.kind == RouteKind::kVia || !route.via.is_zero()) {
        row.via = IpAddress(route.via);
    }
    row.port = names.name(adjacency != nullptr ? adjacency->port : route.port);
    row.node = node_of(route.origin);
    if (adjacency != nullptr) row.mtu = adjacency->mtu;
    row.origin = route.origin;
    return row;
}

template <Family F>
void add_routes(const Snapshot& snapshot, const PortNames& names, std::vector<RouteRow>& rows) {
    snapshot.family<F>().routes->for_each([&](const Prefix<F>& prefix, const Route<F>& route) {
        rows.push_back(row_of<F>(snapshot, names, prefix, route));
    });
}

}  // namespace

std::vector<RouteRow> route_rows(const Snapshot& snapshot, const PortNames& names) {
    std::vector<RouteRow> rows;
    add_routes<V4>(snapshot, names, rows);
    add_routes<V6>(snapshot, names, rows);
    return rows;
}

}  // namespace podlane::control
