// TAPs beside NICs, without the programs that pass frames between them.
#include "control/netdev/uplink_tap.h"

#include "control/netdev/rtnl.h"
#include "tests/unit/netdev/namespaces.h"

namespace podlane::control {
namespace {

class UplinkTapTest : public NetdevTest {
  protected:
    /// In the caller's namespace.
    Result<KeptTap> make(const std::string& nic, bool refuse = false) {
        return make_uplink_tap(nic, 1500, 2, "node-a",
                               [&](int of_nic, int of_tap, const MacAddress& mac) -> Result<void> {
                                   connected_.emplace_back(of_nic, of_tap);
                                   mac_ = mac;
                                   return refuse ? Result<void>(Error{"refused"}) : Result<void>{};
                               });
    }
    static std::optional<LinkInfo> link(const std::string& name) {
        return *Rtnl::open()->find_link(name);
    }

    ScratchNamespace node_;
    std::vector<std::pair<int, int>> connected_;
    MacAddress mac_{};
};

TEST_F(UplinkTapTest, IsUpWithoutAddressesAndEndsWithItsQueues) {
    node_.run([this] {
        ASSERT_TRUE(Rtnl::open()->add_veth("nic", "wire").ok());
        const auto made = make("nic");
        ASSERT_TRUE(made.ok()) << made.error().message;
        const auto nic = link("nic");
        const std::string name = "plu" + std::to_string(nic->ifindex);
        const auto tap = link(name);
        ASSERT_TRUE(tap);
        EXPECT_TRUE(tap->up && tap->carrier);
        EXPECT_TRUE(Rtnl::open()->addresses(tap->ifindex)->empty());
        EXPECT_EQ(made->ifindex, nic->ifindex);
        EXPECT_EQ(made->queue_fds.size(), 2u);
        EXPECT_EQ(connected_, (std::vector{std::pair(nic->ifindex, tap->ifindex)}));
        EXPECT_EQ(mac_, nic->mac);
        for (const int fd : made->queue_fds) ::close(fd);
        EXPECT_FALSE(link(name));
    });
}

TEST_F(UplinkTapTest, NothingIsLeftAfterAFailureWhichNamesTheNic) {
    node_.run([this] {
        const auto nowhere = make("nic");
        ASSERT_FALSE(nowhere.ok());
        EXPECT_EQ(nowhere.error().message, "interface nic: there is no such network interface");
        ASSERT_TRUE(Rtnl::open()->add_veth("nic", "wire").ok());
        const auto refused = make("nic", true);
        ASSERT_FALSE(refused.ok());
        EXPECT_EQ(refused.error().message, "interface nic: refused");
        EXPECT_FALSE(link("plu" + std::to_string(link("nic")->ifindex)));
    });
}

}  // namespace
}  // namespace podlane::control
