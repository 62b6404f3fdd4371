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
    EXPECT_EQ(links_.problems({}, 0),
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

}  // namespace
}  // namespace podlane::control
