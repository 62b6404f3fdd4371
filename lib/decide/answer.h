// The addresses for which this node answers ARP and neighbour discovery, and the MAC address it
// gives.
//
// Workers use it for their answers, `explain` for the MAC address that a pod would send to.
#pragma once

#include <algorithm>
#include <optional>

#include "lib/model/snapshot.h"

namespace podlane {

/// The MAC address with which to answer for `target` on `in_port`; none: no answer. By port kind:
///   pods      the gateway's and remote pods' addresses: the gateway's MAC; a local pod: its own
///   uplinks   this node's addresses, and the load balancer addresses that it announces
///   host      everything but the node's own addresses: all its traffic is routed here
template <Family F>
[[nodiscard]] std::optional<MacAddress> answer_for(const Snapshot& snapshot, PortId in_port,
                                                   const typename F::Address& target) noexcept {
    const FamilyState<F>& state = snapshot.family<F>();
    const PortView& view = snapshot.port(in_port);
    const bool is_node = state.is_node_address(target);
    if (view.kind == PortKind::kUplink) {
        const bool is_announced =
            state.announced != nullptr &&
            std::binary_search(state.announced->begin(), state.announced->end(), target);
        return is_node || is_announced ? std::optional(view.mac) : std::nullopt;
    }
    if (view.kind == PortKind::kHost) {
        return is_node ? std::nullopt : std::optional(view.mac);
    }
    const Route<F>* route = state.routes->find(target);
    if (route == nullptr) return std::nullopt;
    if (route->kind == RouteKind::kGateway || route->kind == RouteKind::kHost) return view.mac;
    if (route->kind != RouteKind::kAdjacency || route->port == in_port) return std::nullopt;
    if (snapshot.port(route->port).kind == PortKind::kPod) {
        return snapshot.adjacencies[index_of(route->adjacency)].dst;
    }
    return state.keep_source->find(target) != nullptr ? std::optional(view.mac) : std::nullopt;
}

}  // namespace podlane
