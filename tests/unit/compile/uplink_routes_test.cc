// Routes of an uplink beside its default route.
#include <gmock/gmock.h>

#include "tests/unit/compile/world.h"

namespace podlane::control::test {
namespace {

TEST(UplinkRoutes, LeadToTheirRoutersUnlessAPodCidrIsMoreSpecific) {
    NodeConfig config = node_a();
    config.uplinks[0].routes = {{prefix("10.0.0.0/8"), ip("192.168.50.253")}};
    config.uplinks[0].neighbors = {{ip("192.168.50.253"), mac("02:00:00:00:00:fd")}};
    World world(config);
    world.plug(plugged_in());
    const Route<V4>* route = world.now().v4.routes->find(ip("10.77.3.4").as<V4>());
    ASSERT_NE(route, nullptr);
    EXPECT_EQ(route->origin, "route of uplink uplink0");
    ASSERT_EQ(route->kind, RouteKind::kAdjacency);
    EXPECT_EQ(world.now().adjacencies[index_of(route->adjacency)].dst, mac("02:00:00:00:00:fd"));
    EXPECT_THAT(world.compiler.wanted_neighbours(),
                ::testing::Contains(WantedNeighbour{kUplink, ip("192.168.50.253")}));
    const Route<V4>* pods = world.now().v4.routes->find(ip("10.244.9.9").as<V4>());
    ASSERT_NE(pods, nullptr);
    EXPECT_EQ(pods->kind, RouteKind::kUnreachable);
}

}  // namespace
}  // namespace podlane::control::test
