#include "dataplane/guard.h"

#include <algorithm>

#include "lib/proto/arp_build.h"
#include "lib/proto/nd_build.h"

namespace podlane::dataplane {

namespace {

constexpr uint8_t kMldReport = 131, kMldDone = 132, kMldReportV2 = 143;

/// RFC 2131 section 2, RFC 8415 section 7.2.
struct DhcpPorts {
    be16 server, client;
};
template <Family F>
constexpr DhcpPorts kDhcp =
    std::same_as<F, V4> ? DhcpPorts{be16(67), be16(68)} : DhcpPorts{be16(547), be16(546)};

struct Ports {
    be16 src, dst;
};

/// The UDP ports; both 0 for a packet of another protocol.
Ports udp_ports(const Packet& packet) noexcept {
    if (packet.headers.protocol != kProtocolUdp || !packet.headers.has(Headers::kPorts)) return {};
    const uint8_t* l4 = packet.frame + packet.headers.l4_offset;
    return {load<be16>(l4), load<be16>(l4 + sizeof(be16))};
}

bool is_nd(const Headers& headers) noexcept {
    return headers.ip_version == 6 && headers.protocol == V6::kIcmpProtocol &&
           headers.icmp_type >= kNdRouterSolicitation && headers.icmp_type <= kNdRedirect;
}

/// Refuses messages that only a router or a DHCP server may send. A pod is neither.
template <Family F>
Drop judge_role(const Packet& packet) noexcept {
    const Headers& headers = packet.headers;
    if (headers.protocol == F::kIcmpProtocol) {
        if constexpr (std::same_as<F, V4>) {
            if (headers.icmp_type == kIcmpRedirect) return Drop::kPodRedirect;
            if (headers.icmp_type == kIcmpRouterAdvertisement) return Drop::kPodRouterAdvertisement;
        } else {
            if (headers.icmp_type == kNdRouterAdvertisement) return Drop::kPodRouterAdvertisement;
            if (headers.icmp_type == kNdRedirect) return Drop::kPodRedirect;
        }
    }
    // Clients take an answer from whatever port it comes.
    return udp_ports(packet).dst == kDhcp<F>.client ? Drop::kPodDhcpServer : Drop::kNone;
}

/// Whether the source may be unspecified, because the sender has no address yet: DHCP; RFC 4861
/// sections 4.1 and 4.3 (duplicates, routers), RFC 3590 (groups).
template <Family F>
bool may_be_unspecified(const Packet& packet) noexcept {
    const Headers& headers = packet.headers;
    if (!headers.has(Headers::kMulticastMac)) return false;
    if constexpr (std::same_as<F, V4>) {
        const Ports ports = udp_ports(packet);
        return ports.src == kDhcp<F>.client && ports.dst == kDhcp<F>.server;
    } else {
        const uint8_t type = headers.icmp_type;
        return headers.protocol == F::kIcmpProtocol &&
               (type == kNdNeighbourSolicitation || type == kNdRouterSolicitation ||
                type == kMldReport || type == kMldDone || type == kMldReportV2);
    }
}

Drop judge_pod_arp(const Packet& packet, const PortSources& sources) noexcept {
    ArpMessage message{};
    // A malformed message gets its drop reason where ARP is handled.
    if (parse_arp(packet.head(), packet.headers.l3_offset, message) != Drop::kNone) {
        return Drop::kNone;
    }
    const bool is_probe = message.sender.is_zero() && message.operation == kArpRequest;
    const bool is_own =
        sources.allows_mac(message.sender_mac) && (is_probe || sources.v4.allows(message.sender));
    return is_own ? Drop::kNone : Drop::kArpSpoofed;
}

Drop judge_pod_nd(const Packet& packet, const PortSources& sources) noexcept {
    const auto src = src_address<V6>(packet.frame, packet.headers);
    if (!src.is_zero() && !sources.v6.allows(src)) return Drop::kNdSpoofed;
    const uint8_t type = packet.headers.icmp_type;
    if (type != kNdNeighbourSolicitation && type != kNdNeighbourAdvertisement) return Drop::kNone;
    NdMessage message{};
    // Also in fragments, where nobody else looks at it.
    const Drop bad = parse_nd(packet.head(), packet.headers, message);
    if (bad != Drop::kNone) return bad;
    if (message.has_mac && !sources.allows_mac(message.mac)) return Drop::kNdSpoofed;
    const bool is_own = type == kNdNeighbourSolicitation || sources.v6.allows(message.target);
    return is_own ? Drop::kNone : Drop::kNdSpoofed;
}

template <Family F>
Drop judge_pod_ip(const Packet& packet, const PortSources& sources) noexcept {
    if (const Drop drop = judge_role<F>(packet); drop != Drop::kNone) return drop;
    if (is_nd(packet.headers)) return judge_pod_nd(packet, sources);
    const auto src = src_address<F>(packet.frame, packet.headers);
    const bool is_own = src.is_zero() ? may_be_unspecified<F>(packet) : sources.allows<F>(src);
    return is_own ? Drop::kNone : Drop::kPodSourceSpoofed;
}

Drop judge_pod(const Packet& packet, const PortSources& sources) noexcept {
    if (!sources.allows_mac(load<EthernetHeader>(packet.frame).src)) return Drop::kPodMacSpoofed;
    if (packet.headers.ip_version == 4) return judge_pod_ip<V4>(packet, sources);
    if (packet.headers.ip_version == 6) return judge_pod_ip<V6>(packet, sources);
    return packet.headers.ether_type == kEtherTypeArp ? judge_pod_arp(packet, sources)
                                                      : Drop::kNone;
}

template <Family F>
bool is_node_address(const FamilyState<F>& state, const typename F::Address& address) noexcept {
    const auto& own = state.node_addresses;
    return std::find(own.begin(), own.end(), address) != own.end();
}

/// Whether the address belongs to this node or to one of its pods.
template <Family F>
bool is_of_this_node(const FamilyState<F>& state, const typename F::Address& address) noexcept {
    return is_node_address<F>(state, address) ||
           std::any_of(state.pod_cidrs.begin(), state.pod_cidrs.end(),
                       [&](const Prefix<F>& cidr) { return cidr.contains(address); });
}

/// Whether the address is a pod's behind the tunnel. Addresses of Nodes are on the wire.
template <Family F>
bool is_behind_tunnel(const FamilyState<F>& state, const typename F::Address& address) noexcept {
    return state.tunnel_sources->find(address) != nullptr &&
           state.tunnel_peers->find(address) == nullptr;
}

/// Pods of other nodes send to this node itself without the tunnel.
template <Family F>
bool is_for_this_node(const FamilyState<F>& state, const typename F::Address& address) noexcept {
    return is_node_address<F>(state, address) ||
           (state.announced != nullptr &&
            std::binary_search(state.announced->begin(), state.announced->end(), address));
}

/// Whether no host on an uplink's link can have this address, or answer for it.
template <Family F>
bool is_behind_us(const Snapshot& snapshot, const typename F::Address& address) noexcept {
    const FamilyState<F>& state = snapshot.family<F>();
    return is_of_this_node<F>(state, address) || is_behind_tunnel<F>(state, address);
}

template <Family F>
bool is_uplink_forged(const Snapshot& snapshot, const Packet& packet) noexcept {
    const FamilyState<F>& state = snapshot.family<F>();
    const auto src = src_address<F>(packet.frame, packet.headers);
    // Of a ClusterIP's answers each node has made its own pods' and kernel's by itself.
    if (is_of_this_node<F>(state, src) || state.frontends.has_address(src)) return true;
    return is_behind_tunnel<F>(state, src) &&
           !is_for_this_node<F>(state, dst_address<F>(packet.frame, packet.headers));
}

Drop judge_uplink(const WorkerCtx& ctx, const Packet& packet) noexcept {
    const Snapshot& snapshot = *ctx.snapshot;
    const Headers& headers = packet.headers;
    if (headers.ether_type == kEtherTypeArp) {
        ArpMessage message{};
        if (parse_arp(packet.head(), headers.l3_offset, message) != Drop::kNone) return Drop::kNone;
        return is_behind_us<V4>(snapshot, message.sender) ? Drop::kArpSpoofed : Drop::kNone;
    }
    if (is_nd(headers)) {
        NdMessage message{};
        const bool is_known = headers.icmp_type == kNdNeighbourSolicitation ||
                              headers.icmp_type == kNdNeighbourAdvertisement;
        if (!is_known || parse_nd(packet.head(), headers, message) != Drop::kNone) {
            return Drop::kNone;
        }
        const Ipv6Address& who =
            headers.icmp_type == kNdNeighbourAdvertisement ? message.target : message.src;
        return is_behind_us<V6>(snapshot, who) ? Drop::kNdSpoofed : Drop::kNone;
    }
    const bool is_forged = headers.ip_version == 4
                               ? is_uplink_forged<V4>(snapshot, packet)
                               : headers.ip_version == 6 && is_uplink_forged<V6>(snapshot, packet);
    return is_forged ? Drop::kUplinkSourceSpoofed : Drop::kNone;
}

template <Family F>
Drop judge_tunnelled(const WorkerCtx& ctx, const Packet& packet) noexcept {
    const Ports ports = udp_ports(packet);
    const bool is_dhcp = ports.dst == kDhcp<F>.server || ports.dst == kDhcp<F>.client;
    if (is_nd(packet.headers) || is_dhcp ||
        dst_address<F>(packet.frame, packet.headers).is_multicast()) {
        return Drop::kTunnelLinkTraffic;
    }
    const NodeNumber* const node = ctx.snapshot->family<F>().tunnel_sources->find(
        src_address<F>(packet.frame, packet.headers));
    return node != nullptr && ingress_of_node(*node) == packet.ingress ? Drop::kNone
                                                                       : Drop::kTunnelSourceSpoofed;
}

}  // namespace

Drop judge_sender(const WorkerCtx& ctx, const Packet& packet) noexcept {
    if (packet.is(kFromOverlay)) {
        return packet.headers.ip_version == 4 ? judge_tunnelled<V4>(ctx, packet)
                                              : judge_tunnelled<V6>(ctx, packet);
    }
    const PortView& port = ctx.snapshot->port(packet.in_port);
    if (port.kind == PortKind::kUplink) return judge_uplink(ctx, packet);
    return port.sources != nullptr ? judge_pod(packet, *port.sources) : Drop::kNone;
}

template <Family F>
uint16_t ingress_behind(const Snapshot& snapshot, const Adjacency& adjacency,
                        const typename F::Address& destination) noexcept {
    if (adjacency.kind == AdjacencyKind::kEthernet) return ingress_of_port(adjacency.port);
    if (adjacency.kind != AdjacencyKind::kTunnel) return kUnknownIngress;
    const NodeNumber* const node = snapshot.family<F>().tunnel_sources->find(destination);
    return node == nullptr ? kUnknownIngress : ingress_of_node(*node);
}

template uint16_t ingress_behind<V4>(const Snapshot&, const Adjacency&,
                                     const Ipv4Address&) noexcept;
template uint16_t ingress_behind<V6>(const Snapshot&, const Adjacency&,
                                     const Ipv6Address&) noexcept;

}  // namespace podlane::dataplane
