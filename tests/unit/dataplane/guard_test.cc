// Only permitted sources pass: from pods by their ports, from the wire, from the tunnel.
#include "dataplane/guard.h"

#include "lib/base/guard_drops.h"
#include "lib/model/ingress.h"
#include "lib/model/port_sources.h"
#include "lib/proto/arp_build.h"
#include "lib/proto/nd_build.h"
#include "lib/proto/source_route.h"
#include "tests/unit/dataplane/frames_of.h"

namespace podlane::dataplane {
namespace {

constexpr MacAddress kForgedMac{{2, 0, 0, 0, 9, 9}};

Frame nd_frame(const MacAddress& src_mac, const MacAddress& dst_mac, const NdMessage& message) {
    Frame frame(128);
    frame.resize(build_nd_frame(frame, src_mac, dst_mac, message));
    return frame;
}

template <class F>
class GuardTest : public testing::Test {
  protected:
    using Here = World<F>;
    GuardTest() { guard_pods(rig); }
    void expect_dropped(Drop reason, uint64_t count = 1) {
        EXPECT_EQ(rig.drops(reason), count) << drop_info(reason).name;
        for (const auto who : {Rig::kPodA, Rig::kPodB, Rig::kUplink, Rig::kHost}) {
            EXPECT_TRUE(rig.take(who).empty()) << who;
        }
    }
    static constexpr const char* kOther = F::kVersion == 4 ? "10.244.1.99" : "fd00:1::99";
    Rig rig;
};
using Families = testing::Types<V4, V6>;
TYPED_TEST_SUITE(GuardTest, Families);

TYPED_TEST(GuardTest, APodSendsFromItsOwnAddressesRoutedAndBridged) {
    using F = TypeParam;
    using W = World<F>;
    this->rig.send(Rig::kPodA,
                   udp<F>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 1, W::kPeer, 2));
    EXPECT_EQ(this->rig.take(Rig::kUplink).size(), 1u);
    this->rig.send(Rig::kPodA, udp<F>(Names::kPodAMac, Names::kPodBMac, W::kPodA, 1, W::kPodB, 2));
    this->rig.send(Rig::kPodA, ping<F>(Names::kPodAMac, Names::kPodBMac, W::kPodA, W::kPodB, 7));
    EXPECT_EQ(this->rig.take(Rig::kPodB).size(), 2u);
    EXPECT_EQ(this->rig.all_drops(), 0u);
}

TYPED_TEST(GuardTest, AnotherPodsAddressIsDroppedRoutedAndBridged) {
    using F = TypeParam;
    using W = World<F>;
    for (const char* forged : {W::kPodB, this->kOther, W::kOutside, W::kNode, W::kGateway}) {
        this->rig.send(Rig::kPodA,
                       udp<F>(Names::kPodAMac, Names::kGatewayMac, forged, 1, W::kPeer, 2));
        this->rig.send(Rig::kPodA,
                       udp<F>(Names::kPodAMac, Names::kPodBMac, forged, 1, W::kPodB, 2));
        this->rig.send(Rig::kPodA, ping<F>(Names::kPodAMac, Names::kPodBMac, forged, W::kPodB, 2));
        this->rig.send(Rig::kPodA, tcp<F>(Names::kPodAMac, Names::kGatewayMac, forged, 1,
                                          W::kService, 80, kTcpSyn));
    }
    this->expect_dropped(Drop::kPodSourceSpoofed, 20);
}

TYPED_TEST(GuardTest, AnotherMacIsDroppedAndLearnedByNobody) {
    using F = TypeParam;
    using W = World<F>;
    for (const MacAddress& forged : {kForgedMac, Names::kPodBMac, Names::kGatewayMac}) {
        this->rig.send(Rig::kPodA, udp<F>(forged, Names::kGatewayMac, W::kPodA, 1, W::kPeer, 2));
        this->rig.send(Rig::kPodA, udp<F>(forged, Names::kPodBMac, W::kPodA, 1, W::kPodB, 2));
    }
    this->expect_dropped(Drop::kPodMacSpoofed, 6);
    EXPECT_TRUE(this->rig.events().empty());
}

TYPED_TEST(GuardTest, MoreAddressesAreAllowedWhereTheSnapshotSaysSo) {
    using F = TypeParam;
    using W = World<F>;
    this->rig.change([&](Snapshot& next) {
        auto views = std::make_shared<PortViews>(*next.ports);
        auto& view = (*views)[index_of(this->rig.port(Rig::kPodA))];
        auto more = std::make_shared<PortSources>(*view.sources);
        const Prefix<F> allowed{ip<F>(this->kOther), F::kAddressBits};
        if constexpr (std::same_as<F, V4>) more->v4.add(allowed);
        if constexpr (std::same_as<F, V6>) more->v6.add(allowed);
        view.sources = more;
        next.ports = views;
    });
    this->rig.send(Rig::kPodA,
                   udp<F>(Names::kPodAMac, Names::kPodBMac, this->kOther, 1, W::kPodB, 2));
    EXPECT_EQ(this->rig.take(Rig::kPodB).size(), 1u);
}

TYPED_TEST(GuardTest, AFlowIsBelievedOnlyFromThePortToWhichItLeads) {
    using F = TypeParam;
    using W = World<F>;
    // A opens a connection to the outside neighbour; B replies in the neighbour's name.
    this->rig.send(Rig::kPodA, tcp<F>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 4000,
                                      W::kService, 80, kTcpSyn));
    EXPECT_EQ(this->rig.take(Rig::kPodB).size(), 1u);
    const Frame answer = tcp<F>(Names::kPodBMac, Names::kGatewayMac, W::kPodB, 8080, W::kPodA, 4000,
                                kTcpSyn | kTcpAck);
    Frame forged = answer;
    std::copy(Names::kPodAMac.bytes.begin(), Names::kPodAMac.bytes.end(), forged.begin() + 6);
    this->rig.send(Rig::kPodA, forged);
    EXPECT_EQ(this->rig.drops(Drop::kPodSourceSpoofed), 1u);
    EXPECT_TRUE(this->rig.take(Rig::kPodA).empty());
    Frame from_wire = answer;
    std::copy(Names::kUplinkMac.bytes.begin(), Names::kUplinkMac.bytes.end(), from_wire.begin());
    this->rig.send(Rig::kUplink, from_wire);
    EXPECT_EQ(this->rig.drops(Drop::kUplinkSourceSpoofed), 1u);
    EXPECT_TRUE(this->rig.take(Rig::kPodA).empty());
    this->rig.send(Rig::kPodB, answer);
    EXPECT_EQ(look<F>(this->rig.take_one(Rig::kPodA)).key.src, ip<F>(W::kService));
}

TYPED_TEST(GuardTest, AnUplinkBringsNobodysAddressWhoIsNotThere) {
    using F = TypeParam;
    using W = World<F>;
    for (const char* forged : {W::kPodA, W::kGateway, W::kNode, W::kRemotePod, this->kOther}) {
        this->rig.send(Rig::kUplink,
                       udp<F>(Names::kPeerMac, Names::kUplinkMac, forged, 1, W::kPodB, 2));
    }
    this->expect_dropped(Drop::kUplinkSourceSpoofed, 5);
    this->rig.send(Rig::kUplink,
                   udp<F>(Names::kPeerMac, Names::kUplinkMac, W::kPeer, 1, W::kPodB, 2));
    EXPECT_EQ(this->rig.take(Rig::kPodB).size(), 1u);
    // Packets from another node's pod to this node itself do not come through the tunnel.
    this->rig.send(Rig::kUplink,
                   udp<F>(Names::kPeerMac, Names::kUplinkMac, W::kRemotePod, 1, W::kNode, 2));
    EXPECT_EQ(this->rig.take(Rig::kHost).size(), 1u);
}

TYPED_TEST(GuardTest, MartiansAreDropped) {
    using F = TypeParam;
    using W = World<F>;
    const std::vector<const char*> martians =
        F::kVersion == 4
            ? std::vector<const char*>{"0.1.2.3", "127.0.0.1", "224.0.0.1", "255.255.255.255"}
            : std::vector<const char*>{"::1", "::ffff:10.0.0.1", "::10.0.0.1", "ff02::1"};
    for (const char* martian : martians) {
        this->rig.send(Rig::kUplink,
                       udp<F>(Names::kPeerMac, Names::kUplinkMac, martian, 1, W::kPodB, 2));
    }
    this->expect_dropped(Drop::kIpBadAddress, martians.size());
}

TYPED_TEST(GuardTest, APodIsNoDhcpServer) {
    using F = TypeParam;
    using W = World<F>;
    const uint16_t server = F::kVersion == 4 ? 67 : 547, client = F::kVersion == 4 ? 68 : 546;
    this->rig.send(Rig::kPodA,
                   udp<F>(Names::kPodAMac, Names::kPodBMac, W::kPodA, server, W::kPodB, client));
    this->rig.send(Rig::kPodA,
                   udp<F>(Names::kPodAMac, kBroadcastMac, W::kPodA, server, W::kPodB, client));
    this->expect_dropped(Drop::kPodDhcpServer, 2);
}

TYPED_TEST(GuardTest, ATunnelIsForNodesToUse) {
    using F = TypeParam;
    using W = World<F>;
    for (const char* vtep : {W::kPeer, W::kNode}) {
        this->rig.send(Rig::kPodA,
                       udp<F>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 4, vtep, 8472));
    }
    this->expect_dropped(Drop::kTunnelPortForbidden, 2);
}

TYPED_TEST(GuardTest, TheTunnelTrustsNodesAndTheirPodsOnly) {
    using F = TypeParam;
    using W = World<F>;
    const auto tunnelled = [](const char* outer, const char* inner, uint16_t dst_port = 8080) {
        return test::frame()
            .eth(Names::kPeerMac, Names::kUplinkMac)
            .ip(outer, World<V4>::kNode)
            .udp(50000, 8472)
            .vxlan(1)
            .eth(Names::kPeerVtepMac, Names::kVtepMac)
            .ip(inner, W::kPodB)
            .udp(4000, dst_port)
            .payload(64)
            .build();
    };
    this->rig.send(Rig::kUplink, tunnelled(World<V4>::kPeer, W::kRemotePod));
    EXPECT_EQ(this->rig.take(Rig::kPodB).size(), 1u);
    // From a stranger, not even packets of a flow that the Node itself has opened pass.
    this->rig.send(Rig::kUplink, tunnelled(World<V4>::kStranger, W::kRemotePod));
    this->expect_dropped(Drop::kTunnelStranger);
    for (const char* forged : {W::kPodA, W::kOutside, W::kNode}) {
        this->rig.send(Rig::kUplink, tunnelled(World<V4>::kPeer, forged));
    }
    this->expect_dropped(Drop::kTunnelSourceSpoofed, 3);
    this->rig.send(Rig::kUplink, tunnelled(World<V4>::kPeer, W::kPeer));
    EXPECT_EQ(this->rig.take(Rig::kPodB).size(), 1u) << "the Node itself";
    this->rig.send(Rig::kUplink,
                   tunnelled(World<V4>::kPeer, W::kRemotePod, F::kVersion == 4 ? 68 : 546));
    this->expect_dropped(Drop::kTunnelLinkTraffic);
}

class GuardLinkTest : public testing::Test {
  protected:
    GuardLinkTest() { guard_pods(rig); }
    Rig rig;
};

TEST_F(GuardLinkTest, ArpSpeaksForItsOwnSenderOnly) {
    using W = World<V4>;
    const auto arp = [](const MacAddress& mac, const MacAddress& said, const char* sender,
                        const char* target) {
        return test::frame()
            .eth(mac, kBroadcastMac)
            .arp_request(said, ip<V4>(sender), ip<V4>(target))
            .build();
    };
    rig.send(Rig::kPodA, arp(Names::kPodAMac, Names::kPodAMac, W::kPodB, W::kPodB));
    rig.send(Rig::kPodA, arp(Names::kPodAMac, Names::kPodAMac, W::kGateway, W::kGateway));
    rig.send(Rig::kPodA, arp(Names::kPodAMac, kForgedMac, W::kPodA, W::kPodA));
    EXPECT_EQ(rig.drops(Drop::kArpSpoofed), 3u);
    EXPECT_TRUE(rig.take(Rig::kPodB).empty());
    rig.send(Rig::kPodA, arp(Names::kPodAMac, Names::kPodAMac, W::kPodA, W::kPodA));
    rig.send(Rig::kPodA, arp(Names::kPodAMac, Names::kPodAMac, "0.0.0.0", "10.244.1.200"));
    EXPECT_EQ(rig.take(Rig::kPodB).size(), 2u) << "an announcement of itself, and a probe";
    rig.send(Rig::kUplink, arp(Names::kPeerMac, Names::kPeerMac, W::kNode, W::kNode));
    rig.send(Rig::kUplink, arp(Names::kPeerMac, Names::kPeerMac, W::kPodA, W::kNode));
    EXPECT_EQ(rig.drops(Drop::kArpSpoofed), 5u);
    EXPECT_TRUE(rig.events().empty()) << "no neighbour is learned from it";
}

TEST_F(GuardLinkTest, NeighbourDiscoverySpeaksForItsOwnSenderOnly) {
    using W = World<V6>;
    const auto own = ip<V6>(W::kPodA), other = ip<V6>(W::kPodB);
    const auto unknown = ip<V6>("fd00:1::200");
    const auto send = [&](const NdMessage& message) {
        rig.send(Rig::kPodA, nd_frame(Names::kPodAMac, {}, message));
    };
    send(nd_announcement(Names::kPodAMac, other, kNdOverride));
    send(nd_announcement(kForgedMac, own, kNdOverride));
    send(nd_solicitation(Names::kPodAMac, other, unknown));
    send(nd_solicitation(kForgedMac, own, unknown));
    EXPECT_EQ(rig.drops(Drop::kNdSpoofed), 4u);
    EXPECT_TRUE(rig.take(Rig::kPodB).empty());
    send(nd_announcement(Names::kPodAMac, own, kNdOverride));
    send(nd_solicitation(Names::kPodAMac, own, unknown));
    send(nd_solicitation(Names::kPodAMac, link_local_of(Names::kPodAMac), unknown));
    send(nd_solicitation(Names::kPodAMac, {}, link_local_of(Names::kPodAMac)));
    EXPECT_EQ(rig.take(Rig::kPodB).size(), 4u) << "its own, its link-local one, and DAD";
    rig.send(Rig::kUplink,
             nd_frame(Names::kPeerMac, {},
                      nd_announcement(Names::kPeerMac, ip<V6>(W::kNode), kNdOverride)));
    EXPECT_EQ(rig.drops(Drop::kNdSpoofed), 5u);
    EXPECT_TRUE(rig.events().empty());
}

/// An ICMPv6 or ICMP packet with only its type, which is all that the guard reads.
Frame icmp_of_type(bool v6, uint8_t type) {
    Frame frame =
        v6 ? ping<V6>(Names::kPodAMac, Names::kPodBMac, World<V6>::kPodA, World<V6>::kPodB, 1)
           : ping<V4>(Names::kPodAMac, Names::kPodBMac, World<V4>::kPodA, World<V4>::kPodB, 1);
    frame[v6 ? 54 : 34] = type;
    return frame;
}

TEST_F(GuardLinkTest, APodIsNoRouter) {
    rig.send(Rig::kPodA, icmp_of_type(true, kNdRouterAdvertisement));
    rig.send(Rig::kPodA, icmp_of_type(false, kIcmpRouterAdvertisement));
    EXPECT_EQ(rig.drops(Drop::kPodRouterAdvertisement), 2u);
    rig.send(Rig::kPodA, icmp_of_type(true, kNdRedirect));
    rig.send(Rig::kPodA, icmp_of_type(false, kIcmpRedirect));
    EXPECT_EQ(rig.drops(Drop::kPodRedirect), 2u);
    EXPECT_TRUE(rig.take(Rig::kPodB).empty());
}

TEST_F(GuardLinkTest, SourceRoutedPacketsAreDropped) {
    // LSRR (131) and SSRR (137) after a no-operation; a record route (7) is no source route.
    const auto with_option = [](uint8_t type) {
        Frame frame =
            udp<V4>(Names::kPodAMac, Names::kPodBMac, World<V4>::kPodA, 1, World<V4>::kPodB, 2);
        const std::vector<uint8_t> options{1, type, 7, 4, 10, 0, 0, 1};
        frame.insert(frame.begin() + 34, options.begin(), options.end());
        frame[14] = 0x47;
        store(frame.data() + 16, be16(static_cast<uint16_t>(frame.size() - 14)));
        store(frame.data() + 24, be16(0));
        store(frame.data() + 24, ipv4_header_checksum({frame.data() + 14, 28}));
        return frame;
    };
    for (const uint8_t type : {uint8_t{131}, uint8_t{137}}) rig.send(Rig::kPodA, with_option(type));
    Frame six = udp<V6>(Names::kPodAMac, Names::kPodBMac, World<V6>::kPodA, 1, World<V6>::kPodB, 2);
    const std::vector<uint8_t> header{kProtocolUdp, 2, 0, 1, 0, 0, 0, 0};
    std::vector<uint8_t> routing(24);
    std::copy(header.begin(), header.end(), routing.begin());
    six.insert(six.begin() + 54, routing.begin(), routing.end());
    six[20] = kProtocolRouting;
    store(six.data() + 18, be16(static_cast<uint16_t>(six.size() - 54)));
    rig.send(Rig::kPodA, six);
    EXPECT_EQ(rig.drops(Drop::kSourceRouted), 3u);
    EXPECT_TRUE(rig.take(Rig::kPodB).empty());
    rig.send(Rig::kPodA, with_option(7));
    EXPECT_EQ(rig.take(Rig::kPodB).size(), 1u);
}

TEST_F(GuardLinkTest, TheTunnelBringsNoNeighbours) {
    const auto inner = [](const Frame& frame) {
        Frame out = test::frame()
                        .eth(Names::kPeerMac, Names::kUplinkMac)
                        .ip(World<V4>::kPeer, World<V4>::kNode)
                        .udp(50000, 8472)
                        .vxlan(1)
                        .payload(frame)
                        .build();
        return out;
    };
    rig.send(Rig::kUplink, inner(test::frame()
                                     .eth(Names::kPeerVtepMac, Names::kVtepMac)
                                     .arp_request(Names::kPeerVtepMac, ip<V4>(World<V4>::kRouter),
                                                  ip<V4>(World<V4>::kNode))
                                     .build()));
    NdMessage message = nd_announcement(Names::kPeerVtepMac, ip<V6>(World<V6>::kRouter), 0);
    message.dst = ip<V6>(World<V6>::kNode);
    rig.send(Rig::kUplink, inner(nd_frame(Names::kPeerVtepMac, Names::kVtepMac, message)));
    rig.send(Rig::kUplink, inner(udp<V4>(Names::kPeerVtepMac, kBroadcastMac, World<V4>::kRemotePod,
                                         1, World<V4>::kPodB, 2)));
    EXPECT_EQ(rig.drops(Drop::kTunnelLinkTraffic), 3u);
    EXPECT_TRUE(rig.events().empty());
    EXPECT_TRUE(rig.take(Rig::kHost).empty());
}

TEST_F(GuardLinkTest, APodSpeaksOfItsOwnConnectionsOnly) {
    using W = World<V4>;
    // A talks to the outside neighbour; B sends an ICMP error that the neighbour is unreachable.
    rig.send(Rig::kPodA,
             udp<V4>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 4000, W::kPeer, 53));
    const Frame out = rig.take_one(Rig::kUplink);
    rig.send(Rig::kPodB, icmp_error_about<V4>(out, Names::kPodBMac, Names::kGatewayMac, W::kPodB));
    EXPECT_EQ(rig.drops(Drop::kIcmpErrorUnmatched), 1u);
    EXPECT_TRUE(rig.take(Rig::kPodA).empty());
    rig.send(Rig::kUplink, icmp_error_about<V4>(out, Names::kPeerMac, Names::kUplinkMac, W::kPeer));
    EXPECT_EQ(rig.take(Rig::kPodA).size(), 1u);
}

TEST(Ingress, PortsAndNodesAreToldApart) {
    EXPECT_NE(ingress_of_port(PortId{5}), ingress_of_node(NodeNumber{5}));
    EXPECT_NE(ingress_of_node(NodeNumber{kMaxNodeNumbers - 1}), kUnknownIngress);
}

}  // namespace
}  // namespace podlane::dataplane
