// The tunnel in both directions.
#include "lib/proto/overlay.h"
#include "tests/unit/dataplane/frames_of.h"

namespace podlane::dataplane {
namespace {

constexpr size_t kOuterBytes = 50;

/// A frame as the peer node sends it to us: `inner` in VXLAN.
test::Frame outer(uint32_t vni = 1) {
    return test::frame()
        .eth(Names::kPeerMac, Names::kUplinkMac)
        .ip(World<V4>::kPeer, World<V4>::kNode)
        .udp(50000, 8472)
        .vxlan(vni);
}

template <class F>
class OverlayTest : public testing::Test {
  protected:
    using Here = World<F>;
    /// The same with a whole UDP packet from a remote pod inside.
    Frame tunnelled(const MacAddress& inner_dst, const char* dst, uint32_t vni = 1) {
        return outer(vni)
            .eth(Names::kPeerVtepMac, inner_dst)
            .ip(Here::kRemotePod, dst)
            .udp(4000, 8080)
            .payload(64)
            .build();
    }
    Rig rig;
};
using Families = testing::Types<V4, V6>;
TYPED_TEST_SUITE(OverlayTest, Families);

TYPED_TEST(OverlayTest, APacketToARemotePodIsWrapped) {
    using F = TypeParam;
    using W = World<F>;
    this->rig.send(Rig::kPodA, udp<F>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 4000,
                                      W::kRemotePod, 80, 100));
    const Frame frame = this->rig.take_one(Rig::kUplink);
    const auto wrap = look<V4>(frame);
    EXPECT_EQ(wrap.dst, Names::kPeerMac);
    EXPECT_EQ(wrap.key.src, ip<V4>(World<V4>::kNode));
    EXPECT_EQ(wrap.key.dst, ip<V4>(World<V4>::kPeer));
    EXPECT_EQ(wrap.key.dst_port, be16(8472));
    EXPECT_GE(wrap.key.src_port.host(), 49152);
    const auto vxlan = load<OverlayHeader>(frame.data() + 42);
    EXPECT_EQ(vxlan.first, be32(0x08000000));
    EXPECT_EQ(vxlan.vni(), 1u);
    const auto inside = look<F>(Frame(frame.begin() + kOuterBytes, frame.end()));
    EXPECT_EQ(text(inside.key), text(key_of<F>(W::kPodA, 4000, W::kRemotePod, 80)));
    EXPECT_EQ(inside.dst, Names::kPeerVtepMac);
    EXPECT_EQ(inside.src, Names::kVtepMac);
    EXPECT_EQ(inside.ttl, 63);
    EXPECT_TRUE(inside.checksums_ok);
}

TYPED_TEST(OverlayTest, OneFlowKeepsItsOuterSourcePort) {
    using F = TypeParam;
    using W = World<F>;
    for (int i = 0; i < 3; ++i) {
        this->rig.send(Rig::kPodA, udp<F>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 4000,
                                          W::kRemotePod, 80, 100));
    }
    const auto frames = this->rig.take(Rig::kUplink);
    ASSERT_EQ(frames.size(), 3u);
    EXPECT_EQ(look<V4>(frames[1]).key, look<V4>(frames[2]).key);
}

TYPED_TEST(OverlayTest, APartialChecksumIsCompletedBeforeItIsWrapped) {
    using F = TypeParam;
    using W = World<F>;
    this->rig.send(Rig::kPodA,
                   test::frame()
                       .eth(Names::kPodAMac, Names::kGatewayMac)
                       .ip(W::kPodA, W::kRemotePod)
                       .tcp(4000, 80, kTcpSyn)
                       .payload(33)
                       .partial_checksum()
                       .build(),
                   true);
    const Frame frame = this->rig.take_one(Rig::kUplink);
    EXPECT_TRUE(look<F>(Frame(frame.begin() + kOuterBytes, frame.end())).checksums_ok);
}

TYPED_TEST(OverlayTest, WhatComesOutOfTheTunnelIsDelivered) {
    using F = TypeParam;
    using W = World<F>;
    this->rig.send(Rig::kUplink, this->tunnelled(Names::kVtepMac, W::kPodA));
    const auto inside = look<F>(this->rig.take_one(Rig::kPodA));
    EXPECT_EQ(text(inside.key), text(key_of<F>(W::kRemotePod, 4000, W::kPodA, 8080)));
    EXPECT_EQ(inside.dst, Names::kPodAMac);
    EXPECT_EQ(inside.src, Names::kGatewayMac);
    EXPECT_TRUE(inside.checksums_ok);
    EXPECT_EQ(this->rig.all_drops(), 0u);
}

TYPED_TEST(OverlayTest, OuterPaddingDoesNotReachThePod) {
    using F = TypeParam;
    using W = World<F>;
    Frame frame = this->tunnelled(Names::kVtepMac, W::kPodA);
    const size_t inner = frame.size() - kOuterBytes;
    frame.resize(frame.size() + 9);
    this->rig.send(Rig::kUplink, frame);
    EXPECT_EQ(this->rig.take_one(Rig::kPodA).size(), inner);
}

TYPED_TEST(OverlayTest, WhatIsNotOursIsDroppedByName) {
    using F = TypeParam;
    using W = World<F>;
    this->rig.send(Rig::kUplink, this->tunnelled(Names::kVtepMac, W::kPodA, 2));
    EXPECT_EQ(this->rig.drops(Drop::kUnknownVni), 1u);
    this->rig.send(Rig::kUplink, this->tunnelled({{2, 3, 3, 3, 3, 3}}, W::kPodA));
    EXPECT_EQ(this->rig.drops(Drop::kTunnelNotOurMac), 1u);
    Frame invalid = this->tunnelled(Names::kVtepMac, W::kPodA);
    invalid[42] = 0;
    this->rig.send(Rig::kUplink, invalid);
    EXPECT_EQ(this->rig.drops(Drop::kTunnelBadHeader), 1u);
    EXPECT_TRUE(this->rig.take(Rig::kPodA).empty());
}

TYPED_TEST(OverlayTest, ATunnelInTheTunnelIsDroppedByName) {
    this->rig.send(Rig::kUplink, outer()
                                     .eth(Names::kPeerVtepMac, Names::kVtepMac)
                                     .ip(World<V4>::kPeer, World<V4>::kNode)
                                     .udp(1, 8472)
                                     .vxlan(1)
                                     .eth()
                                     .payload(30)
                                     .build());
    EXPECT_EQ(this->rig.drops(Drop::kTunnelBadInner), 1u);
}

TYPED_TEST(OverlayTest, ATunnelledPacketCutAnywhereNeverGetsThrough) {
    using F = TypeParam;
    using W = World<F>;
    const Frame whole = this->tunnelled(Names::kVtepMac, W::kPodA);
    for (size_t bytes = 1; bytes < whole.size(); ++bytes) {
        this->rig.send(Rig::kUplink,
                       Frame(whole.begin(), whole.begin() + static_cast<long>(bytes)));
    }
    EXPECT_TRUE(this->rig.take(Rig::kPodA).empty());
    EXPECT_EQ(this->rig.all_drops(), whole.size() - 1);
}

TYPED_TEST(OverlayTest, ANodePortToARemoteEndpointGoesOutAsTheGatewayAndComesBack) {
    using F = TypeParam;
    using W = World<F>;
    this->rig.change([](Snapshot& next) {
        auto& frontends = next.template family<F>().frontends;
        const FrontendKey<F> key{{}, be16(30080), kProtocolUdp};
        Frontend<F> remote = *frontends.find(key);
        auto set = std::make_shared<EndpointSet<F>>();
        set->endpoints = {{ip<F>(W::kRemotePod), be16(8080)}};
        remote.inside = remote.outside = set;
        frontends.set(key, std::make_shared<Frontend<F>>(remote));
    });
    this->rig.send(Rig::kUplink,
                   udp<F>(Names::kPeerMac, Names::kUplinkMac, W::kPeer, 4000, W::kNode, 30080));
    const Frame frame = this->rig.take_one(Rig::kUplink);
    const auto inside = look<F>(Frame(frame.begin() + kOuterBytes, frame.end()));
    EXPECT_EQ(text(inside.key), text(key_of<F>(W::kGateway, 4000, W::kRemotePod, 8080)));
    EXPECT_TRUE(inside.checksums_ok);
    this->rig.send(Rig::kUplink, outer()
                                     .eth(Names::kPeerVtepMac, Names::kVtepMac)
                                     .ip(W::kRemotePod, W::kGateway)
                                     .udp(8080, 4000)
                                     .payload(5)
                                     .build());
    const auto reply = look<F>(this->rig.take_one(Rig::kUplink));
    EXPECT_EQ(text(reply.key), text(key_of<F>(W::kNode, 30080, W::kPeer, 4000)));
    EXPECT_EQ(reply.dst, Names::kPeerMac);
    EXPECT_TRUE(reply.checksums_ok);
}

TYPED_TEST(OverlayTest, AnErrorAboutATunnelledPacketGoesBackThroughTheTunnel) {
    using F = TypeParam;
    using W = World<F>;
    this->rig.send(Rig::kUplink, outer()
                                     .eth(Names::kPeerVtepMac, Names::kVtepMac)
                                     .ip(W::kRemotePod, W::kPodA)
                                     .ttl(1)
                                     .udp(4000, 80)
                                     .payload(5)
                                     .build());
    EXPECT_EQ(this->rig.drops(Drop::kIpTtlExpired), 1u);
    const Frame frame = this->rig.take_one(Rig::kUplink);
    const auto inside = look<F>(Frame(frame.begin() + kOuterBytes, frame.end()));
    EXPECT_TRUE(inside.headers.has(Headers::kIcmpError));
    EXPECT_EQ(inside.key.dst, ip<F>(W::kRemotePod));
    EXPECT_TRUE(inside.checksums_ok);
}

}  // namespace
}  // namespace podlane::dataplane
