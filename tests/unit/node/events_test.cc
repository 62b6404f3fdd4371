#include <spdlog/sinks/ostream_sink.h>

#include <sstream>

#include "tests/unit/node/node_fixture.h"

namespace podlane::control {
namespace {

class Events : public NodeFixture {
  protected:
    Events() { start(); }
    const Adjacency* adjacency_to(const std::string& destination) const {
        const auto* route = live().v4.routes->find(address(destination).as<V4>());
        if (route == nullptr || route->adjacency == kNoAdjacency) return nullptr;
        return &live().adjacencies[index_of(route->adjacency)];
    }
};

TEST_F(Events, ATickTakesWhatWorkersHaveSaidWithoutWakingControl) {
    dataplane_.commands.clear();
    dataplane_.inject(event(EventKind::kNeighbourNeeded, "192.168.50.77"));
    node_->tick();
    node_->publish_pending();
    EXPECT_EQ(dataplane_.commands_of(CommandKind::kSolicit).size(), 1u);
}

TEST_F(Events, ANeededNeighbourIsAskedForAtOnceFromOurAddressInItsSubnet) {
    dataplane_.commands.clear();
    deliver(event(EventKind::kNeighbourNeeded, "192.168.50.77"));
    const auto asked = dataplane_.commands_of(CommandKind::kSolicit);
    ASSERT_EQ(asked.size(), 1u);
    EXPECT_EQ(asked[0].port, uplink_);
    EXPECT_EQ(asked[0].address.to_ip(), address("192.168.50.77"));
    EXPECT_EQ(asked[0].source.to_ip(), address("192.168.50.1"));
    EXPECT_EQ(asked[0].our_mac, kUplinkMac);
    EXPECT_TRUE(asked[0].mac.is_zero());
}

TEST_F(Events, SoIsOneOfIpv6) {
    dataplane_.commands.clear();
    deliver(event(EventKind::kNeighbourNeeded, "fd50::77"));
    const auto asked = dataplane_.commands_of(CommandKind::kSolicit);
    ASSERT_EQ(asked.size(), 1u);
    EXPECT_EQ(asked[0].source.to_ip(), address("fd50::1"));
}

TEST_F(Events, AnAnswerMakesAnAdjacencyInOneNewGeneration) {
    deliver(event(EventKind::kNeighbourNeeded, "192.168.50.77"));
    const uint64_t before = generation();
    Event seen = event(EventKind::kNeighbourSeen, "192.168.50.77", kPeerMac);
    seen.solicited = true;
    dataplane_.inject(seen);
    dataplane_.inject(seen);
    node_->handle_events();
    EXPECT_TRUE(node_->has_pending());
    EXPECT_EQ(generation(), before);
    node_->publish_pending();
    EXPECT_FALSE(node_->has_pending());
    EXPECT_EQ(generation(), before + 1);
    const Adjacency* adjacency = adjacency_to("192.168.50.77");
    ASSERT_NE(adjacency, nullptr);
    EXPECT_EQ(adjacency->kind, AdjacencyKind::kEthernet);
    EXPECT_EQ(adjacency->dst, kPeerMac);
}

TEST_F(Events, StrangersChangeNothing) {
    const size_t published = dataplane_.published.size();
    deliver(event(EventKind::kNeighbourSeen, "192.168.50.99", kPeerMac));
    EXPECT_EQ(dataplane_.published.size(), published);
}

TEST_F(Events, ANextHopThatStaysSilentFailsAndIsAProblemOfHealth) {
    apply(kNodeB);
    pass(3000);
    const Json health = ok(node_->health());
    EXPECT_EQ(health.at("status"), "degraded");
    EXPECT_NE(health.at("problems").dump().find("192.168.50.2"), std::string::npos);
}

TEST_F(Events, ASilentNodeIsItsOwnTroubleAsLongAsAnotherNeighbourAnswers) {
    apply(kNodeB);
    Event seen = event(EventKind::kNeighbourSeen, "192.168.50.254", kPeerMac);
    seen.solicited = true;
    deliver(seen);
    pass(3000);
    const Json health = ok(node_->health());
    EXPECT_EQ(health.at("status"), "ok") << health;
    EXPECT_NE(health.at("elsewhere").dump().find("192.168.50.2 (Node node-b)"), std::string::npos)
        << health;
}

TEST_F(Events, OtherNodesAreResolvedBeforeAnyPacketNeedsThem) {
    dataplane_.commands.clear();
    apply(kNodeB);
    const auto asked = dataplane_.commands_of(CommandKind::kSolicit);
    ASSERT_EQ(asked.size(), 1u);
    EXPECT_EQ(asked[0].address.to_ip(), address("192.168.50.2"));
    Event seen = event(EventKind::kNeighbourSeen, "192.168.50.2", kPeerMac);
    seen.solicited = true;
    deliver(seen);
    const Adjacency* adjacency = adjacency_to("10.244.2.10");
    ASSERT_NE(adjacency, nullptr);
    EXPECT_EQ(adjacency->kind, AdjacencyKind::kTunnel);
}

TEST_F(Events, AMacBehindAPodIsLearnedAndAges) {
    add_pod("default/web", {"10.244.1.10"});
    Event learned;
    learned.kind = EventKind::kMacLearned;
    learned.port = port_of("default/web");
    learned.mac = {{2, 0, 0, 0, 9, 9}};
    deliver(learned);
    EXPECT_EQ(live().fdb->find(learned.mac), index_of(learned.port));
    pass(MacTable::kAgeMs + 100);
    EXPECT_EQ(live().fdb->find(learned.mac), Fdb::kMissing);
}

TEST_F(Events, TheGatewaysMacCannotBeTakenByAPod) {
    add_pod("default/web", {"10.244.1.10"});
    Event learned;
    learned.kind = EventKind::kMacLearned;
    learned.port = port_of("default/web");
    learned.mac = live().gateway_mac;
    const size_t published = dataplane_.published.size();
    deliver(learned);
    EXPECT_EQ(dataplane_.published.size(), published);
}

TEST_F(Events, NothingIsLearnedOnAnUplink) {
    Event learned = event(EventKind::kMacLearned, "0.0.0.0", kPeerMac);
    const size_t published = dataplane_.published.size();
    deliver(learned);
    EXPECT_EQ(dataplane_.published.size(), published);
}

TEST_F(Events, ALostUplinkIsAProblemOfHealth) {
    EXPECT_NE(ok(node_->health()).at("problems").dump().find("[]"), std::string::npos);
    deliver(event(EventKind::kPortLost, "0.0.0.0"));
    deliver(event(EventKind::kPortLost, "0.0.0.0"));
    const Json health = ok(node_->health());
    EXPECT_EQ(health.at("status"), "degraded");
    ASSERT_EQ(health.at("problems").size(), 1u);
    EXPECT_NE(health.at("problems")[0].get<std::string>().find("uplink0"), std::string::npos);
}

class UplinkBesideTap : public NodeFixture {};

TEST_F(UplinkBesideTap, ANicThatIsThereAgainGetsAnotherTap) {
    config_.uplinks[0].device = *parse_device("net_tc0,iface=lo");  // is there at any time
    start();
    deliver(event(EventKind::kPortLost, "0.0.0.0"));
    pass(200);
    EXPECT_EQ(taps_.uplink_taps, std::vector<std::string>{"lo"});
    EXPECT_EQ(dataplane_.removed, std::vector{uplink_});
    EXPECT_NE(port_of("uplink0"), kNoPort);
    EXPECT_EQ(ok(node_->health()).at("status"), "ok");
}

TEST_F(Events, ADeviceThatDoesNotWakeWorkersIsSaidOnceAndHarmsNobody) {
    std::ostringstream out;
    const auto before = spdlog::default_logger();
    spdlog::set_default_logger(std::make_shared<spdlog::logger>(
        "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(out)));
    deliver(event(EventKind::kWakeMissed, "0.0.0.0"));
    deliver(event(EventKind::kWakeMissed, "0.0.0.0"));
    spdlog::set_default_logger(before);
    const std::string log = out.str();
    const size_t first = log.find("port uplink0: its device does not wake an idle worker");
    ASSERT_NE(first, log.npos) << log;
    EXPECT_EQ(log.find("does not wake", first + 30), log.npos) << log;
    EXPECT_EQ(ok(node_->health()).at("status"), "ok");
}

TEST_F(Events, ATickWithoutNewsPublishesNothing) {
    pass(2000);  // the gateway is asked for and fails
    const size_t published = dataplane_.published.size();
    pass(2000);
    EXPECT_EQ(dataplane_.published.size(), published);
}

TEST(EventsOfStaticNeighbours, AConfiguredNeighbourIsNeverAskedFor) {
    class Fixture : public NodeFixture {
      public:
        void TestBody() override {
            config_.uplinks[0].neighbors = {{address("192.168.50.2"), kPeerMac}};
            start();
            dataplane_.commands.clear();
            apply(kNodeB);
            EXPECT_TRUE(dataplane_.commands_of(CommandKind::kSolicit).empty());
            const auto* route = live().v4.routes->find(address("10.244.2.10").as<V4>());
            ASSERT_NE(route, nullptr);
            EXPECT_EQ(live().adjacencies[index_of(route->adjacency)].kind, AdjacencyKind::kTunnel);
        }
    };
    Fixture().TestBody();
}

}  // namespace
}  // namespace podlane::control
