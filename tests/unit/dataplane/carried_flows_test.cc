// Connections that the kernel can carry: which ones workers offer, what control learns of them, and
// what comes back.
#include "dataplane/carried_flows.h"

#include <rte_cycles.h>

#include "dataplane/offer.h"
#include "dataplane/stages/parse.h"
#include "lib/border/carried.h"
#include "tests/unit/dataplane/frames_of.h"

namespace podlane::dataplane {
namespace {

constexpr unsigned kControlReader = kMaxWorkers;

template <class F>
class CarriedFlowsTest : public testing::Test {
  protected:
    void make_pairs() {
        for (const Rig::Who who : {Rig::kPodA, Rig::kPodB}) {
            rig_.shared().flow_targets.add_pair(rig_.port(who));
        }
    }
    CarriedFlows carried() {
        Shared& shared = rig_.shared();
        return {*shared.flows_v4, *shared.flows_v6, shared.domain, kControlReader, rig_.snapshot()};
    }
    /// From the client through the Service, or the reply to it.
    void send(bool reply, uint8_t flags) {
        if (reply) {
            rig_.send(Rig::kPodB, tcp<F>(Names::kPodBMac, Names::kPodAMac, World<F>::kPodB, 8080,
                                         World<F>::kPodA, 4000, flags));
        } else {
            rig_.send(Rig::kPodA, tcp<F>(Names::kPodAMac, Names::kGatewayMac, World<F>::kPodA, 4000,
                                         World<F>::kService, 80, flags));
        }
    }
    /// The connections offered since the last call.
    std::vector<FlowRef> offers() {
        std::vector<FlowRef> out;
        for (const Event& event : rig_.events()) {
            if (event.kind == EventKind::kFlowProven) out.push_back(FlowRef::unpacked(event.flow));
        }
        return out;
    }
    FlowRef open() {
        make_pairs();
        send(false, kTcpSyn);
        send(true, kTcpSyn | kTcpAck);
        send(false, kTcpAck);
        EXPECT_TRUE(offers().empty()) << "the server has not been heard since";
        send(true, kTcpAck);
        const auto offered = offers();
        EXPECT_EQ(offered.size(), 1u);
        return offered.empty() ? FlowRef{} : offered[0];
    }

    Rig rig_{1, 1024, false, {.traffic = true}};
};
using Families = testing::Types<V4, V6>;
TYPED_TEST_SUITE(CarriedFlowsTest, Families);

TYPED_TEST(CarriedFlowsTest, AnEstablishedConnectionOfTwoPairsIsOfferedOnce) {
    const FlowRef flow = this->open();
    EXPECT_EQ(FlowRef::unpacked(flow.packed()), flow);
    for (int i = 0; i < 3; ++i) {
        this->send(false, kTcpAck);
        this->send(true, kTcpAck);
    }
    EXPECT_TRUE(this->offers().empty());
    this->send(false, kTcpFin | kTcpAck);
    EXPECT_TRUE(this->offers().empty());
    EXPECT_FALSE(this->carried().find(flow)) << "it is closing";
}

TYPED_TEST(CarriedFlowsTest, OtherPortsOfferNothing) {
    this->send(false, kTcpSyn);
    this->send(true, kTcpSyn | kTcpAck);
    this->send(false, kTcpAck);
    this->send(true, kTcpAck);
    EXPECT_TRUE(this->offers().empty());
}

TYPED_TEST(CarriedFlowsTest, BothWaysAreWhatAWorkerDoes) {
    using F = TypeParam;
    using W = World<F>;
    const FlowRef flow = this->open();
    const auto found = this->carried().find(flow);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->protocol, kProtocolTcp);
    EXPECT_FALSE(found->checks_service);
    const CarriedWay& there = found->ways[0];
    const CarriedWay& back = found->ways[1];
    EXPECT_TRUE(there.is_valid && back.is_valid);
    EXPECT_EQ(there.in, this->rig_.port(Rig::kPodA));
    EXPECT_EQ(there.out, this->rig_.port(Rig::kPodB));
    EXPECT_EQ(back.in, there.out);
    EXPECT_EQ(back.out, there.in);
    EXPECT_EQ(there.dst.to_ip(), *parse_ip(W::kService));
    EXPECT_EQ(there.to_dst.to_ip(), *parse_ip(W::kPodB));
    EXPECT_EQ(there.to_dst_port.host(), 8080);
    EXPECT_EQ(back.to_src.to_ip(), *parse_ip(W::kService));
    EXPECT_EQ(there.dst_mac, Names::kPodBMac);
    EXPECT_EQ(there.src_mac, Names::kGatewayMac);
    EXPECT_EQ(there.ports + back.ports, ChecksumDelta{0xffff}) << "they undo each other";
}

TYPED_TEST(CarriedFlowsTest, AfterANewEpochItIsNotValidUntilItsNextPacketWhichOffersItAgain) {
    const FlowRef flow = this->open();
    this->rig_.change([](Snapshot& next) {
        ++next.topology_epoch;
        ++next.isolated_epoch;
    });
    EXPECT_FALSE(this->carried().find(flow)->ways[0].is_valid);
    this->send(false, kTcpAck);
    EXPECT_EQ(this->offers(), std::vector{flow});
    EXPECT_TRUE(this->carried().find(flow)->ways[0].is_valid);
    EXPECT_FALSE(this->carried().find(flow)->ways[1].is_valid);
    this->send(true, kTcpAck);
    EXPECT_EQ(this->offers(), std::vector{flow});
    EXPECT_TRUE(this->carried().find(flow)->ways[1].is_valid);
}

TYPED_TEST(CarriedFlowsTest, PacketsBetweenPairsMakeFlowsWithoutAServiceToo) {
    using F = TypeParam;
    using W = World<F>;
    this->make_pairs();
    const auto send = [&](bool reply, uint8_t flags) {
        if (reply) {
            this->rig_.send(Rig::kPodB, tcp<F>(Names::kPodBMac, Names::kPodAMac, W::kPodB, 9,
                                               W::kPodA, 4000, flags));
        } else {
            this->rig_.send(Rig::kPodA, tcp<F>(Names::kPodAMac, Names::kPodBMac, W::kPodA, 4000,
                                               W::kPodB, 9, flags));
        }
    };
    send(false, kTcpSyn);
    send(true, kTcpSyn | kTcpAck);
    send(false, kTcpAck);
    send(true, kTcpAck);
    const auto offered = this->offers();
    ASSERT_EQ(offered.size(), 1u);
    const auto found = this->carried().find(offered[0]);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->ways[0].flags, 0) << "bridged as it is";
    EXPECT_EQ(found->ways[0].addresses, ChecksumDelta{});
}

TYPED_TEST(CarriedFlowsTest, WhatTheKernelHasCarriedKeepsItAlive) {
    const FlowRef flow = this->open();
    const uint32_t later = this->rig_.shared().clock.seconds(rte_rdtsc()) + 1000;
    EXPECT_TRUE(this->carried().note(
        flow, {.last_seen_s = later, .packets = {10, 20}, .bytes = {1000, 2000}}));
    EXPECT_FALSE(this->carried().note({flow.block, flow.generation + 1, flow.is_v6}, {}));
    EXPECT_FALSE(this->carried().find({flow.block, flow.generation + 1, flow.is_v6}));
    EXPECT_FALSE(this->carried().note({UINT32_MAX, flow.generation, flow.is_v6}, {}));
    const auto look = [&](auto& table) {
        const auto& connection = *table.connection_at(flow.block, flow.generation);
        EXPECT_EQ(connection.last_seen_s(), later);
        const auto traffic = table.traffic_of(connection);
        ASSERT_TRUE(traffic);
        EXPECT_EQ(traffic->packets[0], 2u + 10u);
        EXPECT_EQ(traffic->packets[1], 2u + 20u);
        EXPECT_GT(traffic->bytes[1], 2000u);
    };
    if (flow.is_v6) {
        look(*this->rig_.shared().flows_v6);
    } else {
        look(*this->rig_.shared().flows_v4);
    }
}

/// A UDP flow of a pod's to one behind another node, through the tunnel.
template <class F>
class TunnelledFlowsTest : public CarriedFlowsTest<F> {
  protected:
    FlowRef open_remote() {
        using W = World<F>;
        for (const Rig::Who who : {Rig::kPodA, Rig::kUplink}) {
            this->rig_.shared().flow_targets.add_pair(this->rig_.port(who));
        }
        for (int i = 0; i < 2; ++i) {
            this->rig_.send(Rig::kPodA, udp<F>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 4000,
                                               W::kRemotePod, 80, 100));
            this->rig_.send(Rig::kUplink, test::frame()
                                              .eth(Names::kPeerMac, Names::kUplinkMac)
                                              .ip(World<V4>::kPeer, World<V4>::kNode)
                                              .udp(50000, 8472)
                                              .vxlan(1)
                                              .eth(Names::kPeerVtepMac, Names::kVtepMac)
                                              .ip(W::kRemotePod, W::kPodA)
                                              .udp(80, 4000)
                                              .payload(64)
                                              .build());
        }
        const auto offered = this->offers();
        EXPECT_EQ(offered.size(), 1u);
        return offered.empty() ? FlowRef{} : offered[0];
    }
};
TYPED_TEST_SUITE(TunnelledFlowsTest, Families);

TYPED_TEST(TunnelledFlowsTest, BothWaysHaveTheTunnelsHeaders) {
    const FlowRef flow = this->open_remote();
    this->rig_.take(Rig::kUplink);
    using W = World<TypeParam>;
    this->rig_.send(Rig::kPodA, udp<TypeParam>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 4000,
                                               W::kRemotePod, 80, 100));
    const Frame sent = this->rig_.take_one(Rig::kUplink);
    const auto found = this->carried().find(flow);
    ASSERT_TRUE(found);
    const CarriedWay& there = found->ways[0];
    const CarriedWay& back = found->ways[1];
    EXPECT_TRUE(there.is_valid && back.is_valid);
    EXPECT_EQ(there.out, this->rig_.port(Rig::kUplink));
    EXPECT_EQ(back.in, there.out);
    EXPECT_EQ(back.out, there.in);
    EXPECT_TRUE(there.into_tunnel && back.out_of_tunnel);
    EXPECT_FALSE(there.out_of_tunnel || back.into_tunnel);
    EXPECT_EQ(there.dst_mac, Names::kPeerVtepMac);
    EXPECT_EQ(there.src_mac, Names::kVtepMac);
    // But for lengths, identification, checksum and source port, what a worker sends.
    for (const size_t at : {0u, 6u, 12u, 15u, 22u, 23u, 26u, 30u, 36u, 42u, 46u}) {
        EXPECT_EQ(there.outer[at], sent[at]) << at;
    }
    EXPECT_EQ(load<Ipv4Address>(back.outer.data() + 26), ip<V4>(World<V4>::kPeer));
    EXPECT_EQ(load<Ipv4Address>(back.outer.data() + 30), ip<V4>(World<V4>::kNode));
}

TYPED_TEST(TunnelledFlowsTest, WhatTheKernelHasCarriedCountsForTheNode) {
    const FlowRef flow = this->open_remote();
    PeerCounts counts(1);
    CarriedTraffic traffic;
    traffic.packets = {3, 5};
    traffic.bytes = {300, 500};
    EXPECT_TRUE(this->carried().note(flow, traffic, &counts.row(0)));
    const auto from = ingress_of_peer<V4>(this->rig_.snapshot(), ip<V4>(World<V4>::kPeer));
    const PeerTraffic seen = counts.sum(node_of_ingress(from));
    EXPECT_EQ(seen, (PeerTraffic{5, 500, 3, 300}));
}

/// A UDP flow between the node's own kernel and a pod, or a host outside.
template <class F>
class NodesFlowsTest : public CarriedFlowsTest<F> {
  protected:
    std::vector<FlowRef> open_to(Rig::Who who, const char* address, const MacAddress& mac) {
        using W = World<F>;
        FlowTargets& targets = this->rig_.shared().flow_targets;
        targets.add_pair(this->rig_.port(Rig::kPodA));
        targets.add_pair(this->rig_.port(Rig::kHost), false);
        targets.add_pair(this->rig_.port(Rig::kUplink), false);
        for (int i = 0; i < 2; ++i) {
            this->rig_.send(Rig::kHost, udp<F>(Names::kUplinkMac, Names::kGatewayMac, W::kNode,
                                               4000, address, 80, 100));
            const MacAddress& router = who == Rig::kPodA ? Names::kGatewayMac : Names::kUplinkMac;
            this->rig_.send(who, udp<F>(mac, router, address, 80, W::kNode, 4000, 100));
        }
        return this->offers();
    }
};
TYPED_TEST_SUITE(NodesFlowsTest, Families);

TYPED_TEST(NodesFlowsTest, WhatTheNodeAndAPodSayIsOfferedAsAWorkerDoesIt) {
    using W = World<TypeParam>;
    const auto offered = this->open_to(Rig::kPodA, W::kPodA, Names::kPodAMac);
    ASSERT_EQ(offered.size(), 1u);
    const auto found = this->carried().find(offered[0]);
    ASSERT_TRUE(found);
    const CarriedWay& there = found->ways[0];
    const CarriedWay& back = found->ways[1];
    EXPECT_TRUE(there.is_valid && back.is_valid);
    EXPECT_EQ(there.in, this->rig_.port(Rig::kHost));
    EXPECT_EQ(there.out, this->rig_.port(Rig::kPodA));
    EXPECT_EQ(back.in, there.out);
    EXPECT_EQ(back.out, there.in);
    EXPECT_EQ(there.flags, 0) << "no hop";
    EXPECT_EQ(there.dst_mac, Names::kPodAMac);
    EXPECT_EQ(there.src_mac, Names::kGatewayMac);
    EXPECT_EQ(back.src_mac, Names::kGatewayMac);
}

TYPED_TEST(NodesFlowsTest, WhatTheNodeSaysToTheOutsideIsNotOffered) {
    using W = World<TypeParam>;
    EXPECT_TRUE(this->open_to(Rig::kUplink, W::kPeer, Names::kPeerMac).empty());
}

}  // namespace
}  // namespace podlane::dataplane
