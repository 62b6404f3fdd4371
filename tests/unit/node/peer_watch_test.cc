// The traffic of other Nodes: who is counted, for how long, and from what on.
#include "control/node/peer_watch.h"

#include "control/show/stats_json.h"
#include "tests/unit/node/node_fixture.h"

namespace podlane::control {
namespace {

using Nodes = std::map<std::string, NodeNumber>;

class PeerWatchTest : public testing::Test {
  protected:
    void pass(uint64_t milliseconds) {
        for (uint64_t i = 0; i < milliseconds; i += 100) watch_.tick(now_ms_ += 100);
    }
    PeerReport report(const Nodes& nodes) { return watch_.report(nodes, now_ms_); }

    FakeDataplane dataplane_;
    PeerWatch watch_{dataplane_};
    uint64_t now_ms_ = 1000;
};

TEST_F(PeerWatchTest, CountsWhileSomebodyLooks) {
    EXPECT_FALSE(dataplane_.counts_peers);
    EXPECT_EQ(report({}).milliseconds, 0u);
    EXPECT_TRUE(dataplane_.counts_peers);
    pass(9'000);
    EXPECT_EQ(report({}).milliseconds, 9'000u);
    pass(PeerWatch::kLookMs);
    EXPECT_TRUE(dataplane_.counts_peers);
    pass(200);
    EXPECT_FALSE(dataplane_.counts_peers);
}

TEST_F(PeerWatchTest, TheTimeForRatesStandsStillWhileNobodyLooks) {
    (void)report({});
    pass(60'000);
    const uint64_t counted = report({}).milliseconds;
    EXPECT_GE(counted, PeerWatch::kLookMs);
    EXPECT_LT(counted, 11'000u);
    pass(1'000);
    EXPECT_EQ(report({}).milliseconds, counted + 1'000);
}

TEST_F(PeerWatchTest, ANumbersNextNodeBeginsAtZero) {
    const NodeNumber one{1}, two{2};
    dataplane_.peers[one] = {10, 1000, 20, 2000};
    EXPECT_EQ(report({{"b", one}}).peers.at(0).traffic, PeerTraffic{});
    dataplane_.peers[one] = {15, 1500, 20, 2000};
    EXPECT_EQ(report({{"b", one}}).peers.at(0).traffic, (PeerTraffic{5, 500, 0, 0}));
    const PeerReport other = report({{"c", one}});
    ASSERT_EQ(other.peers.size(), 1u);
    EXPECT_EQ(other.peers[0].node, "c");
    EXPECT_EQ(other.peers[0].traffic, PeerTraffic{});
    // The same name again, as another Node: it has another number.
    dataplane_.peers[two] = {99, 99, 99, 99};
    EXPECT_EQ(report({{"b", two}, {"c", one}}).peers.at(0).traffic, PeerTraffic{});
    dataplane_.peers[two].rx_packets = 100;
    EXPECT_EQ(report({{"b", two}, {"c", one}}).peers.at(0).traffic.rx_packets, 1u);
}

TEST(PeerWatch, WorkersDoNotCountOnForOneThatIsGone) {
    FakeDataplane dataplane;
    {
        PeerWatch watch(dataplane);
        (void)watch.report({}, 5);
    }
    EXPECT_FALSE(dataplane.counts_peers);
}

class NodePeers : public NodeFixture {};

TEST_F(NodePeers, OtherNodesAreNamedAndThisOneIsNot) {
    start();
    apply(
        "{apiVersion: v1, kind: Node, metadata: {name: node-b}, spec: {podCIDRs: [10.244.2.0/24]}, "
        "status: {addresses: [{type: InternalIP, address: 192.168.50.2}]}}");
    apply("{apiVersion: v1, kind: Node, metadata: {name: node-a}, spec: {}}");
    (void)node_->peers();
    const NodeNumber* const number = live().v4.node_prefixes->find(address("10.244.2.9").as<V4>());
    ASSERT_NE(number, nullptr);
    dataplane_.peers[*number] = {1, 64, 2, 128};
    pass(2'000);
    const PeerReport report = node_->peers();
    ASSERT_EQ(report.peers.size(), 1u);
    EXPECT_EQ(to_json(report).dump(),
              R"({"milliseconds":)" + std::to_string(report.milliseconds) +
                  R"(,"peers":[{"node":"node-b","rxPackets":1,"rxBytes":64,"txPackets":2,)"
                  R"("txBytes":128}]})");
    EXPECT_GE(report.milliseconds, 2'000u);
    pass(11'000);
    EXPECT_FALSE(dataplane_.counts_peers);
}

}  // namespace
}  // namespace podlane::control
