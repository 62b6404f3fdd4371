#include "control/compile/adjacency_content.h"

#include <numeric>

#include "lib/proto/checksum.h"
#include "lib/proto/ethernet.h"
#include "lib/proto/ipv4.h"
#include "lib/proto/ipv6.h"
#include "lib/proto/overlay.h"
#include "lib/proto/udp.h"
#include "lib/proto/wire.h"
#include "tests/unit/compile/world.h"

namespace podlane::control::test {
namespace {

TunnelSpec spec_v4() {
    TunnelSpec spec;
    spec.port = kUplink;
    spec.uplink_mtu = 1500;
    spec.next_hop_mac = kNodeBMac;
    spec.uplink_mac = kUplinkMac;
    spec.remote = ip("192.168.50.2");
    spec.local = ip("192.168.50.1");
    spec.vni = 0x123456;
    spec.udp_port = 8472;
    spec.peer_vtep = mac("02:aa:aa:aa:aa:02");
    spec.own_vtep = mac("02:aa:aa:aa:aa:01");
    return spec;
}

TEST(AdjacencyContent, ATunnelOverIpv4IsWhatTheKernelWouldSend) {
    const Adjacency tunnel = tunnel_adjacency(spec_v4());
    EXPECT_EQ(tunnel.kind, AdjacencyKind::kTunnel);
    EXPECT_EQ(tunnel.mtu, 1450);
    EXPECT_EQ(tunnel.dst, mac("02:aa:aa:aa:aa:02"));
    EXPECT_EQ(tunnel.src, mac("02:aa:aa:aa:aa:01"));
    ASSERT_EQ(tunnel.outer_bytes, 50);
    ASSERT_EQ(tunnel.outer_l3_bytes, 20);
    const std::span<const uint8_t> outer(tunnel.outer);
    const auto ethernet = header_at<EthernetHeader>(outer, 0);
    EXPECT_EQ(ethernet.dst, kNodeBMac);
    EXPECT_EQ(ethernet.src, kUplinkMac);
    EXPECT_EQ(ethernet.ether_type.host(), kEtherTypeIpv4);
    const auto header = header_at<Ipv4Header>(outer, 14);
    EXPECT_EQ(header.version_ihl, 0x45);
    EXPECT_EQ(header.ttl, 64);
    EXPECT_EQ(header.protocol, 17);
    EXPECT_EQ(header.fragment.host(), 0) << "DF is not set";
    EXPECT_EQ(IpAddress(header.src), ip("192.168.50.1"));
    EXPECT_EQ(IpAddress(header.dst), ip("192.168.50.2"));
    const auto udp = header_at<UdpHeader>(outer, 34);
    EXPECT_EQ(udp.dst_port.host(), 8472);
    EXPECT_EQ(udp.checksum.host(), 0);
    const auto vxlan = header_at<OverlayHeader>(outer, 42);
    EXPECT_EQ(vxlan.first, be32(0x08000000));
    EXPECT_EQ(vxlan.vni(), 0x123456u);
}

TEST(AdjacencyContent, LengthAndIdAddedToThePartialSumGiveTheHeadersChecksum) {
    const Adjacency tunnel = tunnel_adjacency(spec_v4());
    std::array<uint8_t, 20> bytes{};
    std::copy_n(tunnel.outer.begin() + 14, bytes.size(), bytes.begin());
    auto header = load<Ipv4Header>(bytes.data());
    header.total_bytes = be16(1234);
    header.id = be16(0xbeef);
    store(bytes.data(), header);
    EXPECT_EQ(ipv4_header_checksum(bytes),
              checksum_fold(tunnel.outer_partial_sum + header.total_bytes.raw + header.id.raw));
}

TEST(AdjacencyContent, ATunnelOverIpv6Costs70Bytes) {
    TunnelSpec spec = spec_v4();
    spec.remote = ip("fd00:50::2");
    spec.local = ip("fd00:50::1");
    const Adjacency tunnel = tunnel_adjacency(spec);
    EXPECT_EQ(tunnel.mtu, 1430);
    ASSERT_EQ(tunnel.outer_bytes, 70);
    ASSERT_EQ(tunnel.outer_l3_bytes, 40);
    const std::span<const uint8_t> outer(tunnel.outer);
    EXPECT_EQ(header_at<EthernetHeader>(outer, 0).ether_type.host(), kEtherTypeIpv6);
    const auto header = header_at<Ipv6Header>(outer, 14);
    EXPECT_EQ(header.version(), 6u);
    EXPECT_EQ(header.next_header, 17);
    EXPECT_EQ(header.hop_limit, 64);
    EXPECT_EQ(IpAddress(header.dst), ip("fd00:50::2"));
    EXPECT_EQ(header_at<UdpHeader>(outer, 54).dst_port.host(), 8472);
    EXPECT_EQ(header_at<OverlayHeader>(outer, 62).vni(), 0x123456u);
}

TEST(AdjacencyContent, OverIpv6LengthsAndSourcePortAddedToThePartialSumGiveUdpsChecksum) {
    TunnelSpec spec = spec_v4();
    spec.remote = ip("fd00:50::2");
    spec.local = ip("fd00:50::1");
    const Adjacency tunnel = tunnel_adjacency(spec);
    std::array<uint8_t, 16 + 6> datagram{};
    std::copy_n(tunnel.outer.begin() + 54, 16, datagram.begin());
    auto udp = load<UdpHeader>(datagram.data());
    udp.src_port = be16(50123);
    udp.bytes = be16(datagram.size());
    store(datagram.data(), udp);
    std::iota(datagram.begin() + 16, datagram.end(), uint8_t{0xf9});
    const auto header = header_at<Ipv6Header>(std::span<const uint8_t>(tunnel.outer), 14);
    const uint32_t patched = tunnel.outer_partial_sum + 2u * udp.bytes.raw + udp.src_port.raw;
    EXPECT_EQ(l4_checksum<V6>(header.src, header.dst, kProtocolUdp, std::span(datagram)),
              checksum_fold(checksum_partial(std::span(datagram).subspan(16), patched)));
}

TEST(AdjacencyContent, EveryFieldCountsInAComparison) {
    const Adjacency one = tunnel_adjacency(spec_v4());
    EXPECT_TRUE(same_adjacency(one, tunnel_adjacency(spec_v4())));
    TunnelSpec other = spec_v4();
    other.vni = 2;
    EXPECT_FALSE(same_adjacency(one, tunnel_adjacency(other)));
    EXPECT_FALSE(same_adjacency(pending_adjacency(AdjacencyKind::kFailed, kUplink, 1500),
                                pending_adjacency(AdjacencyKind::kUnresolved, kUplink, 1500)));
}

TEST(AdjacencyContent, AVtepMacIsLocallyAdministeredAndDependsOnTheAddressAlone) {
    const MacAddress one = derive_vtep_mac(ip("192.168.50.1"));
    EXPECT_EQ(one, derive_vtep_mac(ip("192.168.50.1")));
    EXPECT_NE(one, derive_vtep_mac(ip("192.168.50.2")));
    EXPECT_EQ(one.bytes[0], 0x02);
    EXPECT_EQ(to_string(one), "02:6d:2b:2f:c3:2f") << "other nodes rely on this value";
}

}  // namespace
}  // namespace podlane::control::test
