// Packets and bytes from and to the other Node of the rig's world, tunnelled or not.
#include "dataplane/peer_traffic.h"

#include "lib/telemetry/peer_counts.h"
#include "tests/unit/dataplane/frames_of.h"

namespace podlane::dataplane {
namespace {

constexpr NodeNumber kPeer{1};

template <class F>
class PeerTrafficTest : public testing::Test {
  protected:
    using Here = World<F>;
    static constexpr uint64_t kHeaderBytes = F::kMinHeaderBytes + 8;  ///< with UDP's

    void count(bool on = true) { rig.shared().peers.store(on ? &counts : nullptr); }
    PeerTraffic seen() const { return counts.sum(kPeer); }
    /// Without a tunnel, the way to the peer's pods is its own link.
    void route_directly() {
        rig.change([](Snapshot& next) {
            next.adjacencies.mutable_at(kToRemotePods) = next.adjacencies[kToPeer];
            next.overlay = {};
            next.family<F>().tunnel_sources = std::make_shared<const Lpm<F, NodeNumber>>();
            next.family<F>().tunnel_peers = std::make_shared<const Lpm<F, NodeNumber>>();
        });
    }
    void to_peer(size_t payload) {
        rig.send(Rig::kPodA, udp<F>(Names::kPodAMac, Names::kGatewayMac, Here::kPodA, 4000,
                                    Here::kRemotePod, 8080, payload));
    }
    Frame from_peer(const char* src, const char* dst, size_t payload) {
        return udp<F>(Names::kPeerMac, Names::kUplinkMac, src, 8080, dst, 4000, payload);
    }
    void by_tunnel(size_t payload, uint8_t ttl = 64) {
        rig.send(Rig::kUplink, test::frame()
                                   .eth(Names::kPeerMac, Names::kUplinkMac)
                                   .ip(World<V4>::kPeer, World<V4>::kNode)
                                   .udp(50000, 8472)
                                   .vxlan(1)
                                   .eth(Names::kPeerVtepMac, Names::kVtepMac)
                                   .ip(Here::kRemotePod, Here::kPodA)
                                   .ttl(ttl)
                                   .udp(8080, 4000)
                                   .payload(payload)
                                   .build());
    }
    PeerCounts counts{1};  // its last user is the rig
    Rig rig;
};
using Families = testing::Types<V4, V6>;
TYPED_TEST_SUITE(PeerTrafficTest, Families);

TYPED_TEST(PeerTrafficTest, NothingIsCountedWhileNobodyLooks) {
    this->to_peer(100);
    this->by_tunnel(50);
    EXPECT_EQ(this->seen(), PeerTraffic{});
    this->count();
    this->to_peer(100);
    this->count(false);
    this->to_peer(100);
    EXPECT_EQ(this->seen().tx_packets, 1u);
}

TYPED_TEST(PeerTrafficTest, TheTunnelsPacketsAreCountedByTheirInnerBytes) {
    this->count();
    this->to_peer(100);
    this->to_peer(200);
    this->by_tunnel(50);
    EXPECT_EQ(this->rig.take(Rig::kUplink).size(), 2u);
    EXPECT_EQ(this->rig.take(Rig::kPodA).size(), 1u);
    const uint64_t header = TestFixture::kHeaderBytes;
    EXPECT_EQ(this->seen(), (PeerTraffic{.rx_packets = 1,
                                         .rx_bytes = 50 + header,
                                         .tx_packets = 2,
                                         .tx_bytes = 300 + 2 * header}));
}

TYPED_TEST(PeerTrafficTest, WithDirectRoutingAddressesNameTheNode) {
    using W = World<TypeParam>;
    this->route_directly();
    this->count();
    this->to_peer(100);
    this->rig.send(Rig::kUplink, this->from_peer(W::kRemotePod, W::kPodA, 40));
    this->rig.send(Rig::kUplink, this->from_peer(W::kPeer, W::kPodA, 10));
    EXPECT_EQ(this->rig.take(Rig::kUplink).size(), 1u);
    EXPECT_EQ(this->rig.take(Rig::kPodA).size(), 2u);
    const uint64_t header = TestFixture::kHeaderBytes;
    EXPECT_EQ(this->seen(), (PeerTraffic{.rx_packets = 2,
                                         .rx_bytes = 50 + 2 * header,
                                         .tx_packets = 1,
                                         .tx_bytes = 100 + header}));
}

TYPED_TEST(PeerTrafficTest, OthersAndPodsHereAreNoNodes) {
    using F = TypeParam;
    using W = World<F>;
    this->count();
    this->rig.send(Rig::kUplink, this->from_peer(W::kStranger, W::kPodA, 40));
    this->rig.send(Rig::kPodA,
                   udp<F>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 4001, W::kService, 80));
    this->rig.send(Rig::kPodA,
                   udp<F>(Names::kPodAMac, Names::kPodBMac, W::kPodA, 4002, W::kPodB, 80));
    EXPECT_EQ(this->rig.take(Rig::kPodA).size(), 1u);
    EXPECT_EQ(this->rig.take(Rig::kPodB).size(), 2u);
    EXPECT_EQ(this->seen(), PeerTraffic{});
    EXPECT_EQ(this->counts.sum(NodeNumber{kMaxNodeNumbers}), PeerTraffic{});
}

TYPED_TEST(PeerTrafficTest, AServicesEndpointCountsNotItsAddress) {
    using F = TypeParam;
    using W = World<F>;
    this->route_directly();
    this->count();
    // The peer's client asks a Service here: its reply leaves from the Service's address.
    this->rig.send(Rig::kUplink, udp<F>(Names::kPeerMac, Names::kUplinkMac, W::kRemotePod, 4000,
                                        W::kNode, 30080, 20));
    ASSERT_EQ(this->rig.take(Rig::kPodB).size(), 1u);
    EXPECT_EQ(this->seen().rx_packets, 1u);
    EXPECT_EQ(this->seen().tx_packets, 0u);
}

TYPED_TEST(PeerTrafficTest, ALargePacketCountsAsItsPieces) {
    using W = World<TypeParam>;
    this->count();
    this->rig.send_large(Rig::kPodA,
                         test::frame()
                             .eth(Names::kPodAMac, Names::kGatewayMac)
                             .ip(W::kPodA, W::kRemotePod)
                             .tcp(4000, 80, kTcpAck)
                             .payload(2500)
                             .partial_checksum()
                             .build(),
                         1000);
    const auto pieces = this->rig.take(Rig::kUplink);
    ASSERT_EQ(pieces.size(), 3u);
    uint64_t bytes = 0;
    for (const Frame& piece : pieces) bytes += piece.size() - 50 - sizeof(EthernetHeader);
    EXPECT_EQ(this->seen().tx_packets, 3u);
    EXPECT_EQ(this->seen().tx_bytes, bytes);
}

// Answers to the peer's packets, which end here.
TYPED_TEST(PeerTrafficTest, AnErrorThatIsMadeHereIsCounted) {
    using F = TypeParam;
    using W = World<F>;
    this->count();
    this->by_tunnel(60, 1);
    const uint64_t wrapped = this->rig.take_one(Rig::kUplink).size() - 50 - sizeof(EthernetHeader);
    EXPECT_EQ(this->seen(), (PeerTraffic{.tx_packets = 1, .tx_bytes = wrapped}));
    this->route_directly();
    this->rig.send(Rig::kUplink, udp<F>(Names::kPeerMac, Names::kUplinkMac, W::kRemotePod, 8080,
                                        W::kPodA, 4000, 60, 1));
    const uint64_t plain = this->rig.take_one(Rig::kUplink).size() - sizeof(EthernetHeader);
    EXPECT_EQ(this->seen(), (PeerTraffic{.tx_packets = 2, .tx_bytes = wrapped + plain}));
}

TEST(PeerCounts, TheWorkersRowsAreSummed) {
    PeerCounts counts(2);
    counts.row(0).of(NodeNumber{7}).rx_packets.add(1);
    counts.row(1).of(NodeNumber{7}).rx_packets.add(2);
    counts.row(1).of(NodeNumber{8}).tx_bytes.add(9);
    EXPECT_EQ(counts.sum(NodeNumber{7}).rx_packets, 3u);
    EXPECT_EQ(counts.sum(NodeNumber{7}).tx_bytes, 0u);
    EXPECT_EQ(counts.sum(NodeNumber{8}).tx_bytes, 9u);
}

}  // namespace
}  // namespace podlane::dataplane
