// The owners of links and of announcements by themselves, without a node model.
#include "control/node/links.h"

#include "control/node/announcements.h"
#include "tests/unit/node/node_fixture.h"

namespace podlane::control {
namespace {

class LinksTest : public testing::Test {
  protected:
    LinksTest() : uplink_(dataplane_.add_uplink("uplink0", kUplinkMac)) {}

    NodeConfig config_ = node_a();
    FakeDataplane dataplane_;
    PortId uplink_;
    Links links_{config_, dataplane_};
};

TEST_F(LinksTest, ADeviceThatIsGoneIsNewsOnceAndAProblemForGood) {
    EXPECT_FALSE(links_.has_lost());
    EXPECT_TRUE(links_.add_lost("uplink uplink0"));
    EXPECT_FALSE(links_.add_lost("uplink uplink0"));
    EXPECT_TRUE(links_.has_lost());
    EXPECT_EQ(links_.troubles({}, {}, 0).problems,
              (std::vector<std::string>{"uplink uplink0: its device is gone"}));
}

TEST_F(LinksTest, NeighboursAreNewsWhenTheirStateIsAnother) {
    const NeighbourKey key{uplink_, address("192.168.50.77")};
    const auto only_news = [&](NewsType type) {
        const auto news = links_.neighbour_news();
        EXPECT_EQ(news.size(), 1u);
        if (news.size() != 1) return std::string("none");
        EXPECT_EQ(news[0].type, type);
        EXPECT_EQ(news[0].address, key.address);
        return news[0].text;
    };
    (void)links_.needed(key, 1000);
    EXPECT_EQ(only_news(NewsType::kAdded), "") << "that it is asked for says nothing";
    EXPECT_TRUE(links_.neighbour_news().empty());
    EXPECT_TRUE(links_.seen(key, kPeerMac, true, 1100));
    EXPECT_EQ(only_news(NewsType::kModified), "reachable at " + to_string(kPeerMac));
    EXPECT_TRUE(links_.seen(key, kUplinkMac, true, 1200));
    EXPECT_EQ(only_news(NewsType::kModified),
              "moved to " + to_string(kUplinkMac) + ", was at " + to_string(kPeerMac));
    EXPECT_EQ(dataplane_.commands_of(CommandKind::kSolicit).size(), 1u);
}

TEST_F(LinksTest, NobodyIsAskedForOnAPortThatIsNoUplink) {
    EXPECT_FALSE(links_.needed({PortId{7}, address("10.244.1.10")}, 1000));
    EXPECT_TRUE(dataplane_.commands.empty());
}

TEST_F(LinksTest, TheNodesOwnAddressesAreAnnouncedTwiceTwoSecondsApart) {
    Announcements announcements(dataplane_, links_);
    announcements.tick(500);
    EXPECT_TRUE(dataplane_.commands.empty()) << "before it has begun";
    announcements.announce_own(1000);
    const size_t once = config_.uplinks[0].addresses.size();
    EXPECT_EQ(dataplane_.commands_of(CommandKind::kAnnounce).size(), once);
    announcements.tick(2999);
    EXPECT_EQ(dataplane_.commands_of(CommandKind::kAnnounce).size(), once);
    announcements.tick(3000);
    announcements.tick(9000);
    EXPECT_EQ(dataplane_.commands_of(CommandKind::kAnnounce).size(), 2 * once);
}

TEST_F(LinksTest, WhatWasLearnedGoesOnInTheNextProcess) {
    const NeighbourKey key{uplink_, address("192.168.50.77")};
    (void)links_.needed(key, 1000);
    (void)links_.seen(key, kPeerMac, true, 1100);
    (void)links_.needed({uplink_, address("192.168.50.78")}, 1000);
    const PortId pod = dataplane_.add_uplink("default/web", kUplinkMac);
    (void)links_.learn(kPeerMac, pod, 1000);
    const KeptLinks kept = links_.to_keep();
    ASSERT_EQ(kept.neighbours.size(), 1u) << "what is not known is not kept";
    dataplane_.commands.clear();

    Links next(config_, dataplane_);
    KeptLinks with_others = kept;
    with_others.neighbours.push_back({"uplink9", address("192.168.50.79"), kPeerMac});
    with_others.macs.push_back({"default/gone", kUplinkMac});
    next.restore(with_others, 5000);
    ASSERT_NE(next.neighbours().find(key), nullptr);
    EXPECT_TRUE(next.neighbours().find(key)->is_resolved()) << "no packet waits";
    EXPECT_EQ(next.neighbours().all().size(), 1u);
    ASSERT_EQ(next.macs().learned().size(), 1u);
    EXPECT_EQ(next.macs().learned().begin()->second.port, pod);
    EXPECT_FALSE(next.tick(5000));
    ASSERT_EQ(dataplane_.commands_of(CommandKind::kSolicit).size(), 1u) << "and is asked at once";
    EXPECT_EQ(dataplane_.commands_of(CommandKind::kSolicit)[0].mac, MacAddress{}) << "to all";
}

}  // namespace
}  // namespace podlane::control
