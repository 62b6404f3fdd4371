// The overlay's format, from the configuration to the headers in front of a packet.
#include "lib/proto/overlay.h"

#include <gmock/gmock.h>

#include "tests/unit/compile/world.h"

namespace podlane::control::test {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

std::string node_of_backend(std::string_view backend) {
    return fmt::format(
        "apiVersion: v1\nkind: Node\nmetadata: {{name: node-f, annotations: "
        "{{flannel.alpha.coreos.com/backend-type: {}}}}}\nspec: {{podCIDRs: [10.244.3.0/24]}}\n"
        "status: {{addresses: [{{type: InternalIP, address: 192.168.50.3}}]}}\n",
        backend);
}

TEST(Overlay, TheTunnelIsOfTheConfiguredFormatAndAnotherBackendIsTold) {
    NodeConfig config = node_a();
    config.overlay.format = OverlayFormat::kGeneve;
    config.overlay.port = 6081;
    World world(config);
    TopologyInput input = plugged_in();
    input.neighbours = {{kUplink, ip("192.168.50.3"), kNodeBMac, NeighbourStatus::kResolved}};
    world.plug(input);
    ASSERT_EQ(world.apply(node_of_backend("vxlan")), "");
    EXPECT_THAT(world.notices, Contains(HasSubstr("Node node-f: its backend is vxlan, this node's "
                                                  "overlay.type geneve")));
    ASSERT_EQ(world.apply(node_of_backend("geneve")), "");
    EXPECT_THAT(world.notices, Not(Contains(HasSubstr("backend"))));
    const Snapshot& now = world.now();
    EXPECT_EQ(now.overlay.format, OverlayFormat::kGeneve);
    const Route<V4>* route = now.v4.routes->find(ip("10.244.3.9").as<V4>());
    ASSERT_NE(route, nullptr);
    const Adjacency& tunnel = now.adjacencies[index_of(route->adjacency)];
    ASSERT_EQ(tunnel.kind, AdjacencyKind::kTunnel);
    EXPECT_EQ(tunnel.mtu, 1450);
    const std::vector<uint8_t> behind_ip(tunnel.outer.begin() + 34, tunnel.outer.begin() + 50);
    EXPECT_EQ(behind_ip, (std::vector<uint8_t>{0, 0, 0x17, 0xc1, 0, 0, 0, 0,  //
                                               0, 0, 0x65, 0x58, 0, 0, 1, 0}));
}

}  // namespace
}  // namespace podlane::control::test
