// TTL, MTU, fragments, checksums, the gateway and the host: plain routing.
#include <array>

#include "tests/unit/dataplane/frames_of.h"

namespace podlane::dataplane {
namespace {

template <class F>
class RoutingTest : public testing::Test {
  protected:
    Rig rig;
};
using Families = testing::Types<V4, V6>;
TYPED_TEST_SUITE(RoutingTest, Families);

TYPED_TEST(RoutingTest, TheGatewayAnswersPing) {
    using F = TypeParam;
    using W = World<F>;
    this->rig.send(Rig::kPodA,
                   ping<F>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, W::kGateway, 5, 1000));
    const auto reply = look<F>(this->rig.take_one(Rig::kPodA));
    EXPECT_TRUE(reply.headers.has(Headers::kEchoReply));
    EXPECT_EQ(reply.key.src, ip<F>(W::kGateway));
    EXPECT_EQ(reply.src, Names::kGatewayMac);
    EXPECT_EQ(reply.dst, Names::kPodAMac);
    EXPECT_TRUE(reply.checksums_ok);
    EXPECT_EQ(this->rig.all_drops(), 0u);
}

TYPED_TEST(RoutingTest, AnythingElseAtTheGatewayIsRefused) {
    using F = TypeParam;
    using W = World<F>;
    this->rig.send(Rig::kPodA, tcp<F>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 4000,
                                      W::kGateway, 22, kTcpSyn));
    EXPECT_TRUE(look<F>(this->rig.take_one(Rig::kPodA)).headers.tcp_flags & kTcpRst);
    EXPECT_EQ(this->rig.drops(Drop::kGatewayUnhandled), 1u);
}

TYPED_TEST(RoutingTest, AnExpiredTtlIsToldToTheSender) {
    using F = TypeParam;
    using W = World<F>;
    this->rig.send(Rig::kPodA, udp<F>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 4000,
                                      W::kRemotePod, 33434, 32, 1));
    const auto error = look<F>(this->rig.take_one(Rig::kPodA));
    EXPECT_TRUE(error.headers.has(Headers::kIcmpError));
    EXPECT_EQ(error.key.src, ip<F>(W::kGateway));
    EXPECT_EQ(this->rig.drops(Drop::kIpTtlExpired), 1u);
}

TYPED_TEST(RoutingTest, NoRouteIsToldToTheSender) {
    using F = TypeParam;
    using W = World<F>;
    const char* gone = std::same_as<F, V4> ? "10.244.1.99" : "fd00:1::99";
    this->rig.send(Rig::kUplink, udp<F>(Names::kPeerMac, Names::kUplinkMac, W::kPeer, 1, gone, 2));
    EXPECT_TRUE(look<F>(this->rig.take_one(Rig::kUplink)).headers.has(Headers::kIcmpError));
    EXPECT_EQ(this->rig.drops(Drop::kNoRoute), 1u);
}

TYPED_TEST(RoutingTest, TheNodesOwnTrafficReachesItsKernelAndBack) {
    using F = TypeParam;
    using W = World<F>;
    this->rig.send(Rig::kUplink, tcp<F>(Names::kPeerMac, Names::kUplinkMac, W::kPeer, 5000,
                                        W::kNode, 22, kTcpSyn));
    const auto in = look<F>(this->rig.take_one(Rig::kHost));
    EXPECT_EQ(text(in.key), text(key_of<F>(W::kPeer, 5000, W::kNode, 22, kProtocolTcp)));
    EXPECT_EQ(in.dst, Names::kUplinkMac);
    this->rig.send(Rig::kHost, tcp<F>(Names::kUplinkMac, Names::kGatewayMac, W::kNode, 22, W::kPeer,
                                      5000, kTcpSyn | kTcpAck));
    const auto out = look<F>(this->rig.take_one(Rig::kUplink));
    EXPECT_EQ(out.dst, Names::kPeerMac);
    EXPECT_EQ(out.src, Names::kUplinkMac);
}

TYPED_TEST(RoutingTest, TheNodesOwnTrafficKeepsItsTtlHoweverLowItIs) {
    using F = TypeParam;
    using W = World<F>;
    // As in eBGP between neighbours, whichever side begins.
    for (const uint16_t port : std::array<uint16_t, 2>{1, 2}) {
        const auto in = [&] {
            this->rig.send(Rig::kUplink, udp<F>(Names::kPeerMac, Names::kUplinkMac, W::kPeer, port,
                                                W::kNode, 179, 5, 1));
            const auto got = look<F>(this->rig.take_one(Rig::kHost));
            EXPECT_EQ(got.ttl, 1);
            EXPECT_TRUE(got.checksums_ok);
        };
        const auto out = [&] {
            this->rig.send(Rig::kHost, udp<F>(Names::kUplinkMac, Names::kGatewayMac, W::kNode, 179,
                                              W::kPeer, port, 5, 1));
            const auto got = look<F>(this->rig.take_one(Rig::kUplink));
            EXPECT_EQ(got.ttl, 1);
            EXPECT_TRUE(got.checksums_ok);
        };
        if (port == 1) in();
        out();
        in();
    }
    // Through a Service, too; but a packet that only passes this node does lose one.
    this->rig.send(Rig::kHost,
                   udp<F>(Names::kUplinkMac, Names::kGatewayMac, W::kNode, 3, W::kService, 80));
    EXPECT_EQ(look<F>(this->rig.take_one(Rig::kPodB)).ttl, 64);
    this->rig.send(Rig::kUplink,
                   udp<F>(Names::kPeerMac, Names::kUplinkMac, W::kPeer, 3, W::kNode, 30080, 5, 1));
    EXPECT_TRUE(this->rig.take(Rig::kPodB).empty());
    EXPECT_EQ(this->rig.drops(Drop::kIpTtlExpired), 1u);
}

TYPED_TEST(RoutingTest, AnIcmpErrorOfTheNodesOwnKeepsItsTtlAndAForwardedOneDoesNot) {
    using F = TypeParam;
    using W = World<F>;
    const Frame in = udp<F>(Names::kPeerMac, Names::kUplinkMac, W::kPeer, 5, W::kNode, 9);
    this->rig.send(Rig::kUplink, in);
    const Frame delivered = this->rig.take_one(Rig::kHost);
    this->rig.send(Rig::kHost,
                   icmp_error_about<F>(delivered, Names::kUplinkMac, Names::kGatewayMac, W::kNode));
    const auto own = look<F>(this->rig.take_one(Rig::kUplink));
    EXPECT_TRUE(own.headers.has(Headers::kIcmpError));
    this->rig.send(Rig::kPodA,
                   udp<F>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 5, W::kService, 80));
    const Frame served = this->rig.take_one(Rig::kPodB);
    this->rig.send(Rig::kPodB,
                   icmp_error_about<F>(served, Names::kPodBMac, Names::kGatewayMac, W::kPodB));
    EXPECT_EQ(look<F>(this->rig.take_one(Rig::kPodA)).ttl, own.ttl - 1);
}

TYPED_TEST(RoutingTest, WithoutAHostInterfaceItsTrafficIsDroppedByName) {
    using F = TypeParam;
    using W = World<F>;
    this->rig.change([](Snapshot& next) {
        auto routes =
            std::make_shared<Lpm<F, Route<F>>>(std::vector<std::pair<Prefix<F>, Route<F>>>{
                {Prefix<F>{ip<F>(W::kNode), F::kAddressBits}, Route<F>{RouteKind::kHost}}});
        next.template family<F>().routes = routes;
    });
    this->rig.send(Rig::kUplink,
                   ping<F>(Names::kPeerMac, Names::kUplinkMac, W::kPeer, W::kNode, 1));
    EXPECT_EQ(this->rig.drops(Drop::kHostAbsent), 1u);
}

TYPED_TEST(RoutingTest, MulticastIsNotRoutedAndBadAddressesAreDropped) {
    using F = TypeParam;
    using W = World<F>;
    this->rig.send(Rig::kPodA, udp<F>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 1,
                                      std::same_as<F, V4> ? "239.1.1.1" : "ff0e::1", 2));
    EXPECT_EQ(this->rig.drops(Drop::kMulticastUnrouted), 1u);
    this->rig.send(Rig::kPodA, udp<F>(Names::kPodAMac, Names::kGatewayMac,
                                      std::same_as<F, V4> ? "127.0.0.1" : "::1", 1, W::kPodB, 2));
    EXPECT_EQ(this->rig.drops(Drop::kIpBadAddress), 1u);
}

TYPED_TEST(RoutingTest, APartialChecksumStaysPartialBetweenPodsAndIsRightInTheEnd) {
    using F = TypeParam;
    using W = World<F>;
    const auto partial = [](uint16_t dst_port, const char* dst) {
        return test::frame()
            .eth(Names::kPodAMac, Names::kGatewayMac)
            .ip(W::kPodA, dst)
            .tcp(4000, dst_port, kTcpSyn)
            .payload(11)
            .partial_checksum()
            .build();
    };
    // Translated on the way to another TAP: partial in, partial out, for the new addresses.
    this->rig.send(Rig::kPodA, partial(80, W::kService), true);
    Frame out = this->rig.take_one(Rig::kPodB);
    EXPECT_TRUE(this->rig.last_was_partial());
    const auto seen = look<F>(out);
    const auto field = load<be16>(out.data() + seen.headers.l4_offset + 16);
    EXPECT_EQ(field, partial_checksum<F>(seen.key.src, seen.key.dst, kProtocolTcp,
                                         seen.headers.l4_bytes()));
    // To a port that cannot finish the checksum: finished here.
    this->rig.send(Rig::kPodA, partial(81, W::kPeer), true);
    EXPECT_TRUE(look<F>(this->rig.take_one(Rig::kUplink)).checksums_ok);
    EXPECT_FALSE(this->rig.last_was_partial());
}

TYPED_TEST(RoutingTest, AnUnmarkedPartialChecksumIsNoticedWhereThePortMayDeliverOne) {
    using F = TypeParam;
    using W = World<F>;
    this->rig.deliver_unmarked_partials(Rig::kUplink);
    this->rig.send(Rig::kUplink, test::frame()
                                     .eth(Names::kPeerMac, Names::kUplinkMac)
                                     .ip(W::kPeer, W::kNode)
                                     .udp(4000, 30080)
                                     .payload(9)
                                     .partial_checksum()
                                     .build());
    const Frame out = this->rig.take_one(Rig::kPodB);
    EXPECT_TRUE(this->rig.last_was_partial());
    const auto seen = look<F>(out);
    EXPECT_EQ(
        load<be16>(out.data() + seen.headers.l4_offset + 6),
        partial_checksum<F>(seen.key.src, seen.key.dst, kProtocolUdp, seen.headers.l4_bytes()));
}

TYPED_TEST(RoutingTest, TooBigForTheTunnelIsToldWithTheMtu) {
    using F = TypeParam;
    using W = World<F>;
    this->rig.send(Rig::kPodA, test::frame()
                                   .eth(Names::kPodAMac, Names::kGatewayMac)
                                   .ip(W::kPodA, W::kRemotePod)
                                   .df()
                                   .udp(4000, 80)
                                   .payload(1460)
                                   .build());
    const Frame told = this->rig.take_one(Rig::kPodA);
    const auto error = look<F>(told);
    EXPECT_TRUE(error.headers.has(Headers::kIcmpError));
    const auto icmp = load<IcmpHeader>(told.data() + error.headers.l4_offset);
    EXPECT_EQ(icmp.sequence.host(), 1450);
    EXPECT_EQ(this->rig.drops(Drop::kTooBig), 1u);
    EXPECT_TRUE(this->rig.take(Rig::kUplink).empty());
}

class Ipv4RoutingTest : public testing::Test {
  protected:
    Rig rig;
};

TEST_F(Ipv4RoutingTest, WithoutDfTheSamePacketIsFragmentedAndComesTogether) {
    using W = World<V4>;
    const Frame sent =
        udp<V4>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 4000, W::kRemotePod, 80, 1460);
    rig.send(Rig::kPodA, sent);
    const auto pieces = rig.take(Rig::kUplink);
    ASSERT_EQ(pieces.size(), 2u);
    std::vector<uint8_t> payload;
    for (const Frame& piece : pieces) {
        const auto inside = look<V4>(Frame(piece.begin() + 50, piece.end()));
        EXPECT_TRUE(inside.headers.has(Headers::kFragment));
        EXPECT_LE(inside.headers.l3_bytes, 1450u);
        EXPECT_EQ(inside.ttl, 63);
        payload.insert(payload.end(), piece.begin() + 50 + 34, piece.end());
    }
    EXPECT_TRUE(std::equal(payload.begin(), payload.end(), sent.begin() + 34, sent.end()));
}

TEST_F(Ipv4RoutingTest, IpOptionsAreRespectedByTranslation) {
    using W = World<V4>;
    rig.send(Rig::kPodA, test::frame()
                             .eth(Names::kPodAMac, Names::kGatewayMac)
                             .ip(W::kPodA, W::kService)
                             .options(8)
                             .udp(4000, 80)
                             .payload(20)
                             .build());
    const auto out = look<V4>(rig.take_one(Rig::kPodB));
    EXPECT_EQ(out.key.dst_port, be16(8080));
    EXPECT_TRUE(out.headers.has(Headers::kIpOptions));
    EXPECT_TRUE(out.checksums_ok);
}

TEST_F(Ipv4RoutingTest, NoticesAreLimitedInNumber) {
    using W = World<V4>;
    for (uint16_t port = 1; port <= 400; ++port) {
        rig.send(Rig::kPodA, udp<V4>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, port,
                                     W::kEmptyService, 80));
    }
    EXPECT_EQ(rig.drops(Drop::kServiceNoEndpoints), 400u);
    EXPECT_LT(rig.take(Rig::kPodA).size(), 400u);
}

TEST_F(Ipv4RoutingTest, FramesForAPortThatIsGoneOrTooSmallAreDroppedByName) {
    using W = World<V4>;
    rig.change([](Snapshot& next) {
        Adjacency wide = next.adjacencies[kToPeer];
        wide.mtu = 9000;
        next.adjacencies.set(kToPeer, wide);
    });
    rig.send(Rig::kHost,
             udp<V4>(Names::kUplinkMac, Names::kGatewayMac, W::kNode, 1, W::kPeer, 2, 1900));
    EXPECT_EQ(rig.drops(Drop::kTxTooLong), 1u);
    rig.shared().ports.set(rig.port(Rig::kPodB), nullptr);
    rig.send(Rig::kPodA, udp<V4>(Names::kPodAMac, Names::kPodBMac, W::kPodA, 1, W::kPodB, 2));
    EXPECT_EQ(rig.drops(Drop::kPortDown), 1u);
}

TEST_F(Ipv4RoutingTest, EveryTruncationOfAPacketIsDroppedOrForwardedNeverMore) {
    using W = World<V4>;
    const Frame whole =
        udp<V4>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 4000, W::kService, 80, 10);
    for (size_t bytes = 1; bytes < whole.size(); ++bytes) {
        rig.send(Rig::kPodA, Frame(whole.begin(), whole.begin() + static_cast<long>(bytes)));
    }
    EXPECT_TRUE(rig.take(Rig::kPodB).empty());
    EXPECT_EQ(rig.all_drops(), whole.size() - 1);
}

}  // namespace
}  // namespace podlane::dataplane
