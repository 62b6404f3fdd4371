// The bytes of next hops: what a worker writes in front of a packet. Pure; control thread.
#pragma once

#include <cstdint>

#include "lib/base/ip_address.h"
#include "lib/base/mac.h"
#include "lib/model/adjacency.h"
#include "lib/proto/overlay.h"

namespace podlane::control {

/// Written unchanged: dst, src; sent by `port`.
[[nodiscard]] Adjacency ethernet_adjacency(PortId port, uint16_t mtu, const MacAddress& dst,
                                           const MacAddress& src) noexcept;

/// A next hop without a known MAC address: kUnresolved (control is asking) or kFailed.
[[nodiscard]] Adjacency pending_adjacency(AdjacencyKind kind, PortId port, uint16_t mtu) noexcept;

/// What a tunnel's headers are made of. Both addresses are of one family.
struct TunnelSpec {
    PortId port = kNoPort;
    uint16_t uplink_mtu = 0;    ///< bytes of the outer IP packet
    MacAddress next_hop_mac{};  ///< outer destination
    MacAddress uplink_mac{};    ///< outer source
    IpAddress remote;
    IpAddress local;
    OverlayFormat format = OverlayFormat::kVxlan;
    uint32_t vni = 0;
    uint16_t udp_port = 0;  ///< destination, host order
    MacAddress peer_vtep{};
    MacAddress own_vtep{};
};

/// With TTL 64 and, over IPv4, DF not set: both as the kernel's devices have them by default.
/// Lengths, IPv4 identification and checksum, the UDP source port, and over IPv6 the UDP checksum,
/// are the worker's to fill in.
[[nodiscard]] Adjacency tunnel_adjacency(const TunnelSpec& spec) noexcept;

/// Equal in all that a worker reads.
[[nodiscard]] bool same_adjacency(const Adjacency& a, const Adjacency& b) noexcept;

}  // namespace podlane::control
