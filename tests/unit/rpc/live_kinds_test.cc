#include "control/rpc/live_kinds.h"

#include <gtest/gtest.h>

namespace podlane::control {
namespace {

TEST(LiveKinds, AreFoundByTheirPlural) {
    for (const LiveKind& kind : live_kinds()) {
        EXPECT_EQ(find_live_kind(kind.plural), &kind);
        EXPECT_FALSE(kind.columns.empty()) << kind.plural;
        EXPECT_FALSE(kind.summary.empty()) << kind.plural;
    }
    EXPECT_EQ(find_live_kind("port"), nullptr);
    EXPECT_EQ(find_live_kind("flows")->limit, 10'000U);
}

TEST(LiveKinds, ANameThatCannotBeOneIsRefused) {
    const auto fault = [](const char* kind, const char* name) {
        return live_name_fault(*find_live_kind(kind), name);
    };
    EXPECT_EQ(fault("ports", "anything"), "");
    EXPECT_EQ(fault("workers", "0"), "");
    EXPECT_EQ(fault("workers", "a"), "\"a\" is not a number");
    EXPECT_EQ(fault("neighbors", "fe80::1"), "");
    EXPECT_EQ(fault("neighbors", "10.0.0.256"), "\"10.0.0.256\" is not an IP address");
    EXPECT_EQ(fault("fdb", "02:00:00:00:00:01"), "");
    EXPECT_NE(fault("fdb", "02:00"), "");
    EXPECT_EQ(fault("routes", "10.244.1.0/24"), "");
    EXPECT_NE(fault("routes", "10.244.1.1/24"), "");
    EXPECT_EQ(fault("frontends", "shop/web"), "");
    EXPECT_NE(fault("frontends", "10.96.0.10"), "");
    EXPECT_EQ(fault("flows", "shop/web"), "");
    EXPECT_EQ(fault("flows", "10.244.1.5"), "");
    EXPECT_EQ(fault("flows", "10.244.1.5:80"), "");
    EXPECT_EQ(fault("flows", "[fd00::5]:80"), "");
    EXPECT_NE(fault("flows", "fd00::5:x"), "");
    EXPECT_EQ(fault("flows", "web"),
              "\"web\" is not an IP address, or the NAMESPACE/NAME of a Service or pod");
}

}  // namespace
}  // namespace podlane::control
