// Decisions about new connections in advance, burst by burst.
#include "dataplane/slowpath/flow_plans.h"

#include <memory>
#include <vector>

#include "tests/unit/dataplane/frames_of.h"

namespace podlane::dataplane {
namespace {

PathDecision<V4> decision_for(uint32_t service) {
    PathDecision<V4> out;
    out.service = ServiceId{service};
    return out;
}

TEST(FlowPlans, GivesEachPacketItsOwnAndNoneTwice) {
    auto plans = std::make_unique<FlowPlans<V4>>();
    std::vector<Packet> burst(4);
    plans->add(burst[0], decision_for(10));
    plans->add(burst[2], decision_for(12));
    plans->add(burst[3], decision_for(13));
    // The first packet's flow was there by then, so its plan was not taken.
    EXPECT_EQ(plans->take(burst[1]), nullptr);
    ASSERT_NE(plans->take(burst[2]), nullptr);
    EXPECT_EQ(plans->take(burst[2]), nullptr);
    const PathDecision<V4>* const last = plans->take(burst[3]);
    ASSERT_NE(last, nullptr);
    EXPECT_EQ(last->service, ServiceId{13});
    plans->clear();
    EXPECT_EQ(plans->take(burst[0]), nullptr);
}

TEST(FlowPlans, ATrainOfOneFlowsPacketsNeedsOne) {
    auto plans = std::make_unique<FlowPlans<V4>>();
    std::vector<Packet> burst(3);
    burst[0].hash = burst[1].hash = 7;
    burst[2].hash = 8;
    EXPECT_FALSE(plans->repeats(burst[0]));
    plans->add(burst[0], decision_for(10));
    EXPECT_TRUE(plans->repeats(burst[1]));
    EXPECT_FALSE(plans->repeats(burst[2]));
}

template <class F>
class NewConnectionsTest : public testing::Test {};
using Families = testing::Types<V4, V6>;
TYPED_TEST_SUITE(NewConnectionsTest, Families);

/// Connections of both families alternating, a train of three in between, and a refused one.
template <Family F>
std::vector<Frame> mixed_burst() {
    using W = World<F>;
    using Other = std::conditional_t<std::same_as<F, V4>, V6, V4>;
    std::vector<Frame> frames;
    for (uint16_t n = 0; n < 12; ++n) {
        const auto port = static_cast<uint16_t>(4000 + n);
        const auto to_service =
            udp<F>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, port, W::kService, 80);
        frames.push_back(to_service);
        if (n == 5) frames.insert(frames.end(), 2, to_service);
        frames.push_back(udp<Other>(Names::kPodAMac, Names::kGatewayMac, World<Other>::kPodA, port,
                                    World<Other>::kService, 80));
        frames.push_back(tcp<F>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, port, W::kService,
                                static_cast<uint16_t>(n == 7 ? 81 : 80), kTcpSyn));
    }
    return frames;
}

TYPED_TEST(NewConnectionsTest, ABurstOfThemFaresAsOneByOne) {
    const std::vector<Frame> frames = mixed_burst<TypeParam>();
    Rig together, alone;
    together.send_burst(Rig::kPodA, frames);
    for (const Frame& frame : frames) alone.send(Rig::kPodA, frame);
    EXPECT_EQ(together.take(Rig::kPodB), alone.take(Rig::kPodB));
    EXPECT_EQ(together.take(Rig::kPodA), alone.take(Rig::kPodA));
    EXPECT_EQ(together.all_drops(), alone.all_drops());
    const auto made = [](Rig& rig) {
        return rig.shared().flows_v4->counters().created +
               rig.shared().flows_v6->counters().created;
    };
    EXPECT_EQ(made(together), made(alone));
    EXPECT_EQ(made(together), 35u);
}

TYPED_TEST(NewConnectionsTest, AResetConnectionIsForgottenInTwoMinutes) {
    using F = TypeParam;
    using W = World<F>;
    Rig rig;
    const auto from_client = [](uint8_t flags) {
        return tcp<F>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 4000, W::kService, 80, flags);
    };
    rig.send(Rig::kPodA, from_client(kTcpSyn));
    rig.send(Rig::kPodB, tcp<F>(Names::kPodBMac, Names::kGatewayMac, W::kPodB, 8080, W::kPodA, 4000,
                                kTcpSyn | kTcpAck));
    rig.send(Rig::kPodA, from_client(kTcpAck));
    rig.send(Rig::kPodA, from_client(kTcpRst));
    const auto active = [&] { return rig.shared().template flows_of<F>().counters().active; };
    EXPECT_EQ(active(), 1u);
    rig.pass(119'000);
    EXPECT_EQ(active(), 1u);
    rig.pass(2000);
    EXPECT_EQ(active(), 0u);
}

}  // namespace
}  // namespace podlane::dataplane
