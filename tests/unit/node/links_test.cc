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
    EXPECT_TRUE(links_.lose("uplink uplink0"));
    EXPECT_FALSE(links_.lose("uplink uplink0"));
    EXPECT_TRUE(links_.has_lost());
    EXPECT_EQ(links_.problems({}, 0),
              (std::vector<std::string>{"uplink uplink0: its device is gone"}));
}

TEST_F(LinksTest, NeighboursAreNewsWhenTheirStateIsAnother) {
    const NeighbourKey key{uplink_, address("192.168.50.77")};
    using News = std::vector<std::pair<NewsType, IpAddress>>;
    (void)links_.needed(key, 1000);
    EXPECT_EQ(links_.neighbour_news(), (News{{NewsType::kAdded, key.address}}));
    EXPECT_TRUE(links_.neighbour_news().empty());
    EXPECT_TRUE(links_.seen(key, kPeerMac, true, 1100));
    EXPECT_EQ(links_.neighbour_news(), (News{{NewsType::kModified, key.address}}));
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
