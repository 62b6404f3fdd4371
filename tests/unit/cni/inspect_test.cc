#include "control/cni/inspect.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "control/netdev/netns.h"

namespace podlane::cni {
namespace {

TEST(CniInspect, ANamespaceThatIsNotThereOrOurOwnIsNoContainers) {
    EXPECT_FALSE(check_foreign_namespace("/run/netns/no-such-namespace").ok());
    const auto own = check_foreign_namespace("/proc/self/ns/net");
    ASSERT_FALSE(own.ok());
    EXPECT_NE(own.error().message.find("the node's own"), std::string::npos);
}

TEST(CniInspect, SeesWhetherAnInterfaceIsUpAndWhatItHas) {
    const auto netns = control::new_network_namespace();
    if (!netns.ok()) GTEST_SKIP() << netns.error().message;
    const std::string path = control::namespace_path(*netns);
    EXPECT_TRUE(check_foreign_namespace(path).ok());
    const auto lo = inspect_interface(path, "lo");
    ASSERT_TRUE(lo.ok()) << lo.error().message;
    EXPECT_FALSE(lo->up);
    EXPECT_TRUE(lo->mac.is_zero());
    EXPECT_TRUE(lo->default_gateways.empty());
    const auto none = inspect_interface(path, "eth0");
    ASSERT_FALSE(none.ok());
    EXPECT_NE(none.error().message.find("eth0"), std::string::npos);
}

}  // namespace
}  // namespace podlane::cni
