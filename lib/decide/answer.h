// For which addresses this node answers ARP and neighbour discovery, and with which MAC address.
//
// A worker's answer, and what `explain` takes for the MAC address that a pod sends to.
#pragma once

#include <algorithm>
#include <optional>

#include "lib/model/snapshot.h"

namespace podlane {

/// The MAC address that the asker on `in_port` gets for `target`; nothing: another's business.
///   pods      the gateway's and remote pods' addresses: the gateway's MAC; a local pod: its own
///   uplinks   this node's addresses, and load balancer addresses that it is to answer for
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
