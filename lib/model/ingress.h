// Where a packet came in, as one small number: a port or, out of the tunnel, the Node that sent it.
//
// Each direction of a flow stores its ingress (Hop in lib/flow/entry.h). Any thread.
#pragma once

#include <cstdint>

#include "lib/flow/entry.h"
#include "lib/model/ids.h"

namespace podlane {

/// The number of a Node other than this one, given by control; not reused for a long time.
enum class NodeNumber : uint16_t {};

/// Ingress numbers from here on are for the tunnel: add the Node's number.
inline constexpr uint16_t kTunnelIngress = 1u << (kHopIngressBits - 1);
/// How many Nodes can be told apart.
inline constexpr uint16_t kMaxNodeNumbers = kTunnelIngress - 1;
static_assert(kMaxPorts <= kTunnelIngress);

[[nodiscard]] constexpr uint16_t ingress_of_port(PortId port) noexcept {
    return static_cast<uint16_t>(index_of(port));
}
[[nodiscard]] constexpr uint16_t ingress_of_node(NodeNumber node) noexcept {
    return static_cast<uint16_t>(kTunnelIngress | static_cast<uint16_t>(node));
}
/// Of an ingress in the tunnel; kMaxNodeNumbers, which no Node has, for kUnknownIngress.
[[nodiscard]] constexpr NodeNumber node_of_ingress(uint16_t ingress) noexcept {
    return NodeNumber{static_cast<uint16_t>(ingress & (kTunnelIngress - 1))};
}
static_assert(node_of_ingress(kUnknownIngress) == NodeNumber{kMaxNodeNumbers});

}  // namespace podlane
