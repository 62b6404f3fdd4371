// A noisy port leaves the others alone: budgets, the hold queue, the flow table's rest.
#include "dataplane/port_budgets.h"
#include "tests/unit/dataplane/frames_of.h"

namespace podlane::dataplane {
namespace {

using World4 = World<V4>;

TEST(Budget, IsFullAtFirstAndComesBackWithTime) {
    Budget budget;
    constexpr Budget::Rate kRate{100, 5};
    for (int i = 0; i < 5; ++i) EXPECT_TRUE(budget.take(0, 1, kRate));
    EXPECT_FALSE(budget.take(0, 1, kRate));
    EXPECT_FALSE(budget.take(9, 1, kRate));
    EXPECT_TRUE(budget.take(10, 1, kRate));
    EXPECT_FALSE(budget.take(10'000, 6, kRate)) << "more than the burst";
    EXPECT_TRUE(budget.take(10'000, 5, kRate));
}

class NoiseTest : public testing::Test {
  protected:
    Frame broadcast(const MacAddress& mac, const char* sender, uint32_t n) {
        return test::frame()
            .eth(mac, kBroadcastMac)
            .arp_request(mac, ip<V4>(sender), Ipv4Address{be32(0x0af40900 + n)})
            .build();
    }
    Rig rig;
};

TEST_F(NoiseTest, APodsBroadcastsAreBoundedAndAnothersGoOn) {
    uint64_t came = 0;
    for (uint32_t n = 0; n < 2000; ++n) {
        rig.send(Rig::kPodA, broadcast(Names::kPodAMac, World4::kPodA, n));
        came += rig.take(Rig::kPodB).size();
    }
    EXPECT_GT(rig.drops(Drop::kFloodShareFull), 0u);
    EXPECT_EQ(came + rig.drops(Drop::kFloodShareFull), 2000u);
    rig.send(Rig::kPodB, broadcast(Names::kPodBMac, World4::kPodB, 1));
    EXPECT_EQ(rig.take(Rig::kPodA).size(), 1u);
}

TEST_F(NoiseTest, APodThatLooksForManyNeighboursHoldsItsShareOfPacketsOnly) {
    for (unsigned i = 0; i < HoldQueue::kPerPort + 50; ++i) {
        const std::string target = "192.168.50." + std::to_string(100 + i / 2);
        rig.send(Rig::kPodA, udp<V4>(Names::kPodAMac, Names::kGatewayMac, World4::kPodA,
                                     static_cast<uint16_t>(1 + i), target.c_str(), 9));
    }
    EXPECT_EQ(rig.drops(Drop::kNeighbourHoldFull), 50u);
    (void)rig.events();
    rig.send(Rig::kPodB,
             udp<V4>(Names::kPodBMac, Names::kGatewayMac, World4::kPodB, 1, World4::kStranger, 9));
    EXPECT_EQ(rig.drops(Drop::kNeighbourHoldFull), 50u);
    EXPECT_EQ(rig.events().size(), 1u) << "its question is asked";
}

TEST_F(NoiseTest, IcmpErrorsHaveAShareForEachPort) {
    const auto knock = [&](Rig::Who who, const MacAddress& mac, const char* from, uint16_t port) {
        rig.send(who, udp<V4>(mac, Names::kGatewayMac, from, port, World4::kEmptyService, 80));
        return rig.take(who).size();
    };
    size_t told = 0;
    for (uint16_t i = 0; i < 80; ++i) {
        told += knock(Rig::kPodA, Names::kPodAMac, World4::kPodA, static_cast<uint16_t>(1000 + i));
    }
    EXPECT_GE(told, PortBudgets::kNotices.burst);
    EXPECT_EQ(knock(Rig::kPodB, Names::kPodBMac, World4::kPodB, 1000), 1u);
}

TEST(TableShares, AFullTableRefusesWhoHasMuchByName) {
    Rig rig(1, 512, true);
    FlowTable<V4>& flows = *rig.shared().flows_v4;
    uint16_t port = 1000;
    for (; rig.drops(Drop::kFlowShareFull) == 0 && port < 2000; ++port) {
        rig.send(Rig::kPodA, tcp<V4>(Names::kPodAMac, Names::kGatewayMac, World4::kPodA, port,
                                     World4::kService, 80, kTcpSyn));
        (void)rig.take(Rig::kPodB);
        const auto key = key_of<V4>(World4::kPodA, port, World4::kService, 80, kProtocolTcp);
        FlowEntry<V4>* const entry = flows.lookup(key, flows.hash(key));
        if (entry == nullptr) continue;
        (void)connection_of(*entry).note_packet(FlowDirection::kReply, kTcpSyn | kTcpAck, {});
        (void)connection_of(*entry).note_packet(FlowDirection::kOriginal, kTcpAck, {});
    }
    EXPECT_EQ(rig.drops(Drop::kFlowShareFull), 1u);
    EXPECT_GE(flows.counters().active, 500u);
    rig.send(Rig::kPodB, tcp<V4>(Names::kPodBMac, Names::kGatewayMac, World4::kPodB, 1,
                                 World4::kPeer, 80, kTcpSyn));
    EXPECT_EQ(rig.take(Rig::kUplink).size(), 1u) << "another pod has little";
}

}  // namespace
}  // namespace podlane::dataplane
