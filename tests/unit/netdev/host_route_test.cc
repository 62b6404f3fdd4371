#include "control/netdev/host_route.h"

#include "control/netdev/rtnl.h"
#include "tests/unit/netdev/namespaces.h"

namespace podlane::control {
namespace {

class HostRoute : public NetdevTest {
  protected:
    void SetUp() override {
        NetdevTest::SetUp();
        if (IsSkipped()) return;
        ASSERT_TRUE(
            here_.shell("ip link add podlane0 type veth peer name far && "
                        "ip link set podlane0 up && ip link set far up && "
                        "ip address add 192.168.50.1/24 dev podlane0"));
    }
    /// The routes that are ours.
    std::vector<KernelRoute> routes() const {
        std::vector<KernelRoute> out;
        here_.run([&] {
            auto rtnl = Rtnl::open();
            ASSERT_TRUE(rtnl.ok());
            const auto link = rtnl->find_link("podlane0");
            ASSERT_TRUE(link.ok() && link->has_value());
            const auto all = rtnl->routes((*link)->ifindex);
            ASSERT_TRUE(all.ok());
            for (const KernelRoute& route : *all) {
                if (route.protocol == kRouteProtocol) out.push_back(route);
            }
        });
        return out;
    }
    Result<void> set(const char* address, bool there, const char* ifname = "podlane0") const {
        Result<void> done{};
        here_.run([&] { done = set_host_route(ifname, ip(address), there); });
        return done;
    }
    ScratchNamespace here_;
};

TEST_F(HostRoute, IsThereOnceAndGoesAgain) {
    ASSERT_TRUE(set("198.51.100.7", true).ok());
    ASSERT_TRUE(set("198.51.100.7", true).ok());
    const auto there = routes();
    ASSERT_EQ(there.size(), 1u);
    EXPECT_EQ(there[0].destination, prefix("198.51.100.7/32"));
    EXPECT_EQ(there[0].preferred_source, ip("192.168.50.1"));
    EXPECT_FALSE(there[0].via);
    ASSERT_TRUE(set("198.51.100.7", false).ok());
    ASSERT_TRUE(set("198.51.100.7", false).ok());
    EXPECT_TRUE(routes().empty());
}

TEST_F(HostRoute, NeedsAnAddressOfItsFamily) {
    ASSERT_TRUE(set("2001:db8::7", true).ok());
    EXPECT_TRUE(routes().empty());
    ASSERT_TRUE(here_.shell("ip address add fd50::1/64 dev podlane0 nodad"));
    ASSERT_TRUE(set("2001:db8::7", true).ok());
    const auto there = routes();
    ASSERT_EQ(there.size(), 1u);
    EXPECT_EQ(there[0].destination, prefix("2001:db8::7/128"));
    EXPECT_EQ(there[0].preferred_source, ip("fd50::1"));
    ASSERT_TRUE(set("2001:db8::7", false).ok());
    EXPECT_TRUE(routes().empty());
}

TEST_F(HostRoute, OfAnInterfaceThatIsGoneIsAnErrorToMakeAndNoneToRemove) {
    EXPECT_EQ(set("198.51.100.7", true, "absent").error().message, "interface absent: it is gone");
    EXPECT_TRUE(set("198.51.100.7", false, "absent").ok());
}

}  // namespace
}  // namespace podlane::control
