#include "control/compile/adjacency_content.h"

#include <span>
#include <tuple>

#include "lib/proto/checksum.h"
#include "lib/proto/ethernet.h"
#include "lib/proto/ip_protocol.h"
#include "lib/proto/ipv4.h"
#include "lib/proto/ipv6.h"
#include "lib/proto/udp.h"
#include "lib/proto/wire.h"

namespace podlane::control {

namespace {

constexpr uint8_t kTtl = 64;

Ipv4Header outer_header(const Ipv4Address& src, const Ipv4Address& dst) noexcept {
    Ipv4Header header{};
    header.version_ihl = 0x45;
    header.ttl = kTtl;
    header.protocol = kProtocolUdp;
    header.src = src;
    header.dst = dst;
    return header;
}

Ipv6Header outer_header(const Ipv6Address& src, const Ipv6Address& dst) noexcept {
    Ipv6Header header{};
    header.version_class_label = be32(6U << 28);
    header.next_header = kProtocolUdp;
    header.hop_limit = kTtl;
    header.src = src;
    header.dst = dst;
    return header;
}

template <Family F>
void write_outer(const TunnelSpec& spec, Adjacency& adjacency) noexcept {
    const std::span<uint8_t> outer(adjacency.outer);
    put_header(outer, 0, EthernetHeader{spec.next_hop_mac, spec.uplink_mac, be16(F::kEtherType)});
    const auto ip = outer_header(spec.local.as<F>(), spec.remote.as<F>());
    size_t at = sizeof(EthernetHeader);
    put_header(outer, at, ip);
    if constexpr (std::same_as<F, V4>) {
        adjacency.outer_partial_sum = checksum_partial(outer.subspan(at, sizeof(ip)));
    }
    adjacency.outer_l3_bytes = sizeof(ip);
    at += sizeof(ip);
    const size_t udp_at = at;
    put_header(outer, at, UdpHeader{be16(0), be16(spec.udp_port), be16(0), be16(0)});
    at += sizeof(UdpHeader);
    put_header(outer, at, overlay_header(spec.format, spec.vni));
    adjacency.outer_bytes = static_cast<uint8_t>(at + sizeof(OverlayHeader));
    if constexpr (std::same_as<F, V6>) {
        adjacency.outer_partial_sum =
            checksum_partial(outer.subspan(udp_at, adjacency.outer_bytes - udp_at),
                             pseudo_header_sum<V6>(ip.src, ip.dst, kProtocolUdp, 0));
    }
}

}  // namespace

Adjacency ethernet_adjacency(PortId port, uint16_t mtu, const MacAddress& dst,
                             const MacAddress& src) noexcept {
    Adjacency adjacency;
    adjacency.kind = AdjacencyKind::kEthernet;
    adjacency.port = port;
    adjacency.mtu = mtu;
    adjacency.dst = dst;
    adjacency.src = src;
    return adjacency;
}

Adjacency pending_adjacency(AdjacencyKind kind, PortId port, uint16_t mtu) noexcept {
    Adjacency adjacency;
    adjacency.kind = kind;
    adjacency.port = port;
    adjacency.mtu = mtu;
    return adjacency;
}

Adjacency tunnel_adjacency(const TunnelSpec& spec) noexcept {
    Adjacency adjacency = ethernet_adjacency(spec.port, 0, spec.peer_vtep, spec.own_vtep);
    adjacency.kind = AdjacencyKind::kTunnel;
    adjacency.mtu = static_cast<uint16_t>(spec.uplink_mtu - overlay_overhead(spec.remote.is_v6()));
    if (spec.remote.is_v4()) {
        write_outer<V4>(spec, adjacency);
    } else {
        write_outer<V6>(spec, adjacency);
    }
    return adjacency;
}

bool same_adjacency(const Adjacency& a, const Adjacency& b) noexcept {
    const auto fields = [](const Adjacency& x) {
        return std::tie(x.kind, x.outer_bytes, x.outer_l3_bytes, x.port, x.mtu, x.dst, x.src,
                        x.outer_partial_sum, x.outer);
    };
    return fields(a) == fields(b);
}

}  // namespace podlane::control
