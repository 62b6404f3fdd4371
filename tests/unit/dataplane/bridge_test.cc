// The bridge, ARP and neighbour discovery.
#include "lib/proto/arp_build.h"
#include "lib/proto/nd_build.h"
#include "tests/unit/dataplane/frames_of.h"

namespace podlane::dataplane {
namespace {

ArpMessage arp_in(const Frame& frame) {
    ArpMessage message{};
    EXPECT_EQ(parse_arp(frame, 14, message), Drop::kNone);
    return message;
}

Frame ask(const MacAddress& mac, const char* sender, const char* target) {
    return test::frame()
        .eth(mac, kBroadcastMac)
        .arp_request(mac, ip<V4>(sender), ip<V4>(target))
        .build();
}

class BridgeTest : public testing::Test {
  protected:
    Rig rig;
};

TEST_F(BridgeTest, PodsAreToldTheGatewaysAndEachOthersMac) {
    using W = World<V4>;
    rig.send(Rig::kPodA, ask(Names::kPodAMac, W::kPodA, W::kGateway));
    EXPECT_EQ(arp_in(rig.take_one(Rig::kPodA)).sender_mac, Names::kGatewayMac);
    rig.send(Rig::kPodA, ask(Names::kPodAMac, W::kPodA, W::kPodB));
    EXPECT_EQ(arp_in(rig.take_one(Rig::kPodA)).sender_mac, Names::kPodBMac);
    EXPECT_TRUE(rig.take(Rig::kPodB).empty()) << "an answered question is not flooded";
}

TEST_F(BridgeTest, ARemotePodsAddressIsAnsweredWithTheGatewaysMac) {
    rig.send(Rig::kPodA, ask(Names::kPodAMac, World<V4>::kPodA, World<V4>::kRemotePod));
    EXPECT_EQ(arp_in(rig.take_one(Rig::kPodA)).sender_mac, Names::kGatewayMac);
}

TEST_F(BridgeTest, APodIsNotToldItsOwnAddressAndUnknownOnesAreFlooded) {
    rig.send(Rig::kPodA, ask(Names::kPodAMac, World<V4>::kPodA, World<V4>::kPodA));
    rig.send(Rig::kPodA, ask(Names::kPodAMac, World<V4>::kPodA, "10.244.1.200"));
    EXPECT_TRUE(rig.take(Rig::kPodA).empty());
    EXPECT_EQ(rig.take(Rig::kPodB).size(), 2u);
}

TEST_F(BridgeTest, TheUplinkAnswersForTheNodeAlone) {
    using W = World<V4>;
    rig.send(Rig::kUplink, ask(Names::kPeerMac, W::kPeer, W::kNode));
    EXPECT_EQ(arp_in(rig.take_one(Rig::kUplink)).sender_mac, Names::kUplinkMac);
    rig.send(Rig::kUplink, ask(Names::kPeerMac, W::kPeer, W::kPodA));
    EXPECT_TRUE(rig.take(Rig::kUplink).empty());
    EXPECT_EQ(rig.drops(Drop::kArpHandled), 1u);
}

TEST_F(BridgeTest, TheHostsKernelIsAnsweredForEverythingButItself) {
    using W = World<V4>;
    rig.send(Rig::kHost, ask(Names::kUplinkMac, W::kNode, W::kRouter));
    EXPECT_EQ(arp_in(rig.take_one(Rig::kHost)).sender_mac, Names::kGatewayMac);
    rig.send(Rig::kHost, ask(Names::kUplinkMac, W::kNode, W::kNode));
    EXPECT_TRUE(rig.take(Rig::kHost).empty());
}

TEST_F(BridgeTest, AMalformedArpIsDroppedByName) {
    Frame bad = ask(Names::kPodAMac, World<V4>::kPodA, World<V4>::kGateway);
    bad[14] = 9;
    rig.send(Rig::kPodA, bad);
    EXPECT_EQ(rig.drops(Drop::kArpBad), 1u);
}

TEST_F(BridgeTest, NeighbourDiscoveryIsAnsweredAlike) {
    using W = World<V6>;
    std::array<uint8_t, 128> buffer;
    const auto ask6 = [&](const char* target) {
        const size_t bytes =
            build_nd_frame(buffer, Names::kPodAMac, {},
                           nd_solicitation(Names::kPodAMac, ip<V6>(W::kPodA), ip<V6>(target)));
        rig.send(Rig::kPodA, Frame(buffer.begin(), buffer.begin() + static_cast<long>(bytes)));
    };
    const auto answer = [&] {
        const Frame frame = rig.take_one(Rig::kPodA);
        Headers headers;
        NdMessage message{};
        EXPECT_EQ(parse_frame(frame, static_cast<uint32_t>(frame.size()), headers), Drop::kNone);
        EXPECT_EQ(parse_nd(frame, headers, message), Drop::kNone);
        return message;
    };
    ask6(W::kGateway);
    EXPECT_EQ(answer().mac, Names::kGatewayMac);
    ask6(W::kPodB);
    EXPECT_EQ(answer().mac, Names::kPodBMac);
    ask6(W::kPodA);
    EXPECT_TRUE(rig.take(Rig::kPodA).empty());
    EXPECT_EQ(rig.take(Rig::kPodB).size(), 1u);
}

TEST_F(BridgeTest, ASolicitationThatCrossedARouterIsDroppedByName) {
    std::array<uint8_t, 128> buffer;
    const size_t bytes = build_nd_frame(
        buffer, Names::kPodAMac, {},
        nd_solicitation(Names::kPodAMac, ip<V6>(World<V6>::kPodA), ip<V6>(World<V6>::kGateway)));
    Frame frame(buffer.begin(), buffer.begin() + static_cast<long>(bytes));
    frame[14 + 7] = 64;
    rig.send(Rig::kPodA, frame);
    EXPECT_EQ(rig.drops(Drop::kNdBad), 1u);
}

TEST_F(BridgeTest, RoutersOnTheLinkAndTheNodesKernelFindEachOther) {
    const auto message = [](const MacAddress& from, const char* group, uint8_t type) {
        return test::Frame()
            .eth(from, *parse_mac("33:33:00:00:00:01"))
            .ip("fe80::1", group)
            .ttl(kNdHopLimit)
            .icmp(type, 0, 0, std::vector<uint8_t>(8))
            .build();
    };
    rig.send(Rig::kUplink, message(Names::kPeerMac, "ff02::1", kNdRouterAdvertisement));
    EXPECT_EQ(rig.take(Rig::kHost).size(), 1u);
    rig.send(Rig::kHost, message(Names::kUplinkMac, "ff02::2", kNdRouterSolicitation));
    EXPECT_EQ(rig.take(Rig::kUplink).size(), 1u);
    rig.send(Rig::kUplink, message(Names::kPeerMac, "ff02::2", kNdRouterSolicitation));
    rig.send(Rig::kHost, message(Names::kUplinkMac, "ff02::1", kNdRouterAdvertisement));
    EXPECT_EQ(rig.drops(Drop::kNdHandled), 2u) << "the node is no router on that link";
}

TEST_F(BridgeTest, SolicitationsOnTheUplinkForOthersAreNotAnswered) {
    std::array<uint8_t, 128> buffer;
    const size_t bytes = build_nd_frame(
        buffer, Names::kPeerMac, {},
        nd_solicitation(Names::kPeerMac, ip<V6>(World<V6>::kPeer), ip<V6>(World<V6>::kStranger)));
    rig.send(Rig::kUplink, Frame(buffer.begin(), buffer.begin() + static_cast<long>(bytes)));
    EXPECT_EQ(rig.drops(Drop::kNdHandled), 1u);
    EXPECT_EQ(rig.events().size(), 1u) << "the sender is reported all the same";
}

TEST_F(BridgeTest, PodToPodIsBridgedUntouchedAndMakesNoFlow) {
    using W = World<V4>;
    const Frame frame = udp<V4>(Names::kPodAMac, Names::kPodBMac, W::kPodA, 1, W::kPodB, 2, 32, 1);
    rig.send(Rig::kPodA, frame);
    EXPECT_EQ(rig.take_one(Rig::kPodB), frame);
    EXPECT_EQ(rig.shared().flows_v4->counters().active, 0u);
}

TEST_F(BridgeTest, WhatNoConnectionLedToIsBridgedWithoutBeingUnderstood) {
    using W = World<V4>;
    Frame odd = udp<V4>(Names::kPodBMac, Names::kPodAMac, W::kPodB, 8080, W::kPodA, 4000, 32, 1);
    odd[16] = 0x7f;  // claims to be longer than it is
    rig.send(Rig::kPodB, odd);
    EXPECT_EQ(rig.take_one(Rig::kPodA), odd);
    // From now on pod B's frames may have to be translated back, and so must be parsed.
    rig.send(Rig::kHost,
             udp<V4>(Names::kUplinkMac, Names::kGatewayMac, W::kNode, 4000, W::kService, 80));
    ASSERT_EQ(rig.take(Rig::kPodB).size(), 1u);
    rig.send(Rig::kPodB, odd);
    EXPECT_TRUE(rig.take(Rig::kPodA).empty());
    EXPECT_EQ(rig.all_drops(), 1u);
    // Pod A's frames still do not have to be parsed.
    Frame other = udp<V4>(Names::kPodAMac, Names::kPodBMac, W::kPodA, 1, W::kPodB, 2, 32, 1);
    other[16] = 0x7f;
    rig.send(Rig::kPodA, other);
    EXPECT_EQ(rig.take_one(Rig::kPodB), other);
}

TEST_F(BridgeTest, ANextHopThatMovedMakesItsNewPortOneToTranslateBackFrom) {
    using W = World<V4>;
    const Frame request =
        udp<V4>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 4000, W::kService, 80);
    rig.send(Rig::kPodA, request);
    ASSERT_EQ(rig.take(Rig::kPodB).size(), 1u);
    rig.shared().flow_targets.forget(rig.port(Rig::kPodB));
    rig.change([](Snapshot& next) { ++next.topology_epoch; });
    rig.send(Rig::kPodA, request);
    ASSERT_EQ(rig.take(Rig::kPodB).size(), 1u);
    rig.send(Rig::kPodB, udp<V4>(Names::kPodBMac, Names::kPodAMac, W::kPodB, 8080, W::kPodA, 4000));
    EXPECT_EQ(text(look<V4>(rig.take_one(Rig::kPodA)).key),
              text(key_of<V4>(W::kService, 80, W::kPodA, 4000)));
}

TEST_F(BridgeTest, OtherProtocolsAreBridgedByMac) {
    const Frame lldp =
        test::frame().eth(Names::kPodAMac, Names::kPodBMac).payload(60).ether_type(0x88b5).build();
    rig.send(Rig::kPodA, lldp);
    EXPECT_EQ(rig.take_one(Rig::kPodB), lldp);
}

TEST_F(BridgeTest, UnknownUnicastAndGroupsAreFloodedToAllOtherPods) {
    const MacAddress unknown{{2, 9, 9, 9, 9, 9}};
    rig.send(Rig::kPodA, udp<V4>(Names::kPodAMac, unknown, World<V4>::kPodA, 1, "10.244.1.99", 2));
    rig.send(Rig::kPodA,
             udp<V4>(Names::kPodAMac, kBroadcastMac, World<V4>::kPodA, 1, "255.255.255.255", 2));
    EXPECT_EQ(rig.take(Rig::kPodB).size(), 2u);
    EXPECT_TRUE(rig.take(Rig::kPodA).empty());
    EXPECT_TRUE(rig.take(Rig::kUplink).empty());
}

TEST_F(BridgeTest, WithNobodyToFloodToTheFrameIsDroppedByName) {
    rig.change([this](Snapshot& next) { next.bridge_ports = {rig.port(Rig::kPodA)}; });
    rig.send(Rig::kPodA,
             udp<V4>(Names::kPodAMac, kBroadcastMac, World<V4>::kPodA, 1, "255.255.255.255", 2));
    EXPECT_EQ(rig.drops(Drop::kBridgeNoPort), 1u);
}

TEST_F(BridgeTest, AFrameToTheSendersOwnPortIsDroppedByName) {
    rig.send(Rig::kPodA,
             udp<V4>(Names::kPodAMac, Names::kPodAMac, World<V4>::kPodA, 1, World<V4>::kPodB, 2));
    EXPECT_EQ(rig.drops(Drop::kBridgeSamePort), 1u);
}

TEST_F(BridgeTest, AnotherPodsMacAsSourceIsDroppedByName) {
    const MacAddress stranger{{2, 8, 8, 8, 8, 8}};
    rig.change([this, &stranger](Snapshot& next) {
        next.fdb = std::make_shared<const Fdb>(std::vector<std::pair<MacAddress, uint16_t>>{
            {Names::kPodAMac, static_cast<uint16_t>(index_of(rig.port(Rig::kPodA)))},
            {Names::kPodBMac, static_cast<uint16_t>(index_of(rig.port(Rig::kPodB)))},
            {stranger, static_cast<uint16_t>(index_of(rig.port(Rig::kPodB)))}});
    });
    rig.send(Rig::kPodA,
             udp<V4>(stranger, Names::kPodBMac, World<V4>::kPodA, 1, World<V4>::kPodB, 2));
    EXPECT_EQ(rig.drops(Drop::kMacSpoofed), 1u);
}

TEST_F(BridgeTest, AnUnknownSourceMacIsReportedToBeLearned) {
    const MacAddress nested{{2, 7, 7, 7, 7, 7}};
    rig.send(Rig::kPodA,
             udp<V4>(nested, Names::kPodBMac, World<V4>::kPodA, 1, World<V4>::kPodB, 2));
    const auto events = rig.events();
    ASSERT_EQ(events.size(), 1u);
    EXPECT_EQ(events[0].kind, EventKind::kMacLearned);
    EXPECT_EQ(events[0].mac, nested);
    EXPECT_EQ(rig.take(Rig::kPodB).size(), 1u);
}

TEST_F(BridgeTest, OnTheUplinkOthersFramesAreDroppedAndBroadcastsGoToTheHost) {
    using W = World<V4>;
    rig.send(Rig::kUplink,
             udp<V4>(Names::kPeerMac, {{2, 5, 5, 5, 5, 5}}, W::kPeer, 1, W::kNode, 2));
    EXPECT_EQ(rig.drops(Drop::kNotForUs), 1u);
    rig.send(Rig::kUplink,
             udp<V4>(Names::kPeerMac, kBroadcastMac, W::kPeer, 1, "255.255.255.255", 2));
    EXPECT_EQ(rig.take(Rig::kHost).size(), 1u);
    rig.change([](Snapshot& next) { next.host_port = kNoPort; });
    rig.send(Rig::kUplink,
             udp<V4>(Names::kPeerMac, kBroadcastMac, W::kPeer, 1, "255.255.255.255", 2));
    EXPECT_EQ(rig.drops(Drop::kMulticastUnrouted), 1u);
}

TEST_F(BridgeTest, WhatTheNodesKernelTellsAGroupLeavesByItsUplinkAsItIs) {
    using W = World<V4>;
    const MacAddress all_routers{{1, 0, 0x5e, 0, 0, 5}};  // OSPF's: RFC 2328 appendix A.1
    const Frame hello = udp<V4>(Names::kUplinkMac, all_routers, W::kNode, 1, "224.0.0.5", 2, 8, 1);
    rig.send(Rig::kHost, hello);
    EXPECT_EQ(rig.take_one(Rig::kUplink), hello);
    EXPECT_TRUE(rig.take(Rig::kPodA).empty());
    rig.change([](Snapshot& next) { next.host_uplink = kNoPort; });
    rig.send(Rig::kHost, hello);
    EXPECT_EQ(rig.drops(Drop::kMulticastUnrouted), 1u);
}

TEST_F(BridgeTest, OddFramesAreDroppedByName) {
    using W = World<V4>;
    rig.send(Rig::kPodA, Frame(10, 0));
    EXPECT_EQ(rig.drops(Drop::kFrameTooShort), 1u);
    rig.send(Rig::kPodA, test::frame()
                             .eth(Names::kPodAMac, Names::kGatewayMac)
                             .vlan(5)
                             .ip(W::kPodA, W::kPodB)
                             .udp(1, 2)
                             .build());
    EXPECT_EQ(rig.drops(Drop::kVlanUnexpected), 1u);
    rig.send(Rig::kPodA, test::frame()
                             .eth(Names::kPodAMac, Names::kGatewayMac)
                             .payload(50)
                             .ether_type(0x88b5)
                             .build());
    EXPECT_EQ(rig.drops(Drop::kUnknownEtherType), 1u);
    rig.send(Rig::kPodA, test::frame()
                             .eth(Names::kPodAMac, Names::kGatewayMac)
                             .ip(W::kPodA, W::kPodB)
                             .bad_ip_checksum()
                             .udp(1, 2)
                             .build());
    EXPECT_EQ(rig.drops(Drop::kIpBadChecksum), 1u);
}

}  // namespace
}  // namespace podlane::dataplane
