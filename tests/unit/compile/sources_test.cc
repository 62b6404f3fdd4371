// Who may send as whom: pods by their ports, Nodes by the tunnel.
#include "control/compile/topology.h"
#include "tests/unit/compile/world.h"

namespace podlane::control::test {
namespace {

std::string node_of(std::string_view name, std::string_view cidr, std::string_view address) {
    return fmt::format(
        "---\napiVersion: v1\nkind: Node\nmetadata: {{name: {}}}\n"
        "spec: {{podCIDRs: [{}]}}\nstatus: {{addresses: [{{type: InternalIP, address: {}}}]}}\n",
        name, cidr, address);
}

TEST(Sources, APodMaySendFromWhatItWasGivenAndFromItsLinkLocalAddress) {
    World world;
    world.plug(plugged_in());
    const auto& sources = world.now().port(kPodPort).sources;
    ASSERT_NE(sources, nullptr);
    EXPECT_EQ(sources->mac, kPodMac);
    EXPECT_TRUE(sources->allows<V4>(ip("10.244.1.10").as<V4>()));
    EXPECT_TRUE(sources->allows<V6>(ip("fd00:10:1::10").as<V6>()));
    EXPECT_TRUE(sources->allows<V6>(ip("fe80::aff:fef4:10a").as<V6>())) << "of 02:00:0a:f4:01:0a";
    EXPECT_FALSE(sources->allows<V4>(ip("10.244.1.11").as<V4>()));
    EXPECT_FALSE(sources->allows<V6>(ip("fe80::1").as<V6>()));
    EXPECT_FALSE(sources->allows<V4>({}));
    EXPECT_EQ(world.now().port(kUplink).sources, nullptr);
}

TEST(Sources, AnAnnotationAllowsMoreSourcesButNobodyElses) {
    World world;
    TopologyInput input = plugged_in();
    input.pods.push_back({"default/other", PortId{3}, kNodeBMac, {ip("10.244.1.12")}, 1450});
    world.plug(input);
    EXPECT_EQ(world.apply(node_of("node-b", "10.244.2.0/24", "192.168.50.2")), "");
    const std::string pod =
        "apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: default, annotations: "
        "{podlane.io/allowed-addresses: '10.244.1.200, 172.16.0.0/24, 10.244.1.12, 10.244.1.1, "
        "10.244.2.9, 192.168.50.1, 192.168.50.2, 10.96.0.9, 0.0.0.0/0'}}\n";
    EXPECT_EQ(world.apply(pod), "");
    const auto& sources = world.now().port(kPodPort).sources;
    EXPECT_TRUE(sources->allows<V4>(ip("10.244.1.200").as<V4>()));
    EXPECT_TRUE(sources->allows<V4>(ip("172.16.0.77").as<V4>()));
    for (const char* other : {"10.244.1.12", "10.244.1.1", "10.244.2.9", "192.168.50.1",
                              "192.168.50.2", "10.96.0.9", "8.8.8.8"}) {
        EXPECT_FALSE(sources->allows<V4>(ip(other).as<V4>())) << other;
    }
    EXPECT_EQ(world.remove(Kind::kPod, "default", "web"), "");
    EXPECT_FALSE(world.now().port(kPodPort).sources->allows<V4>(ip("10.244.1.200").as<V4>()));
}

TEST(Sources, TheTunnelKnowsWhichNodeSendsFromWhere) {
    World world;
    world.plug(plugged_in());
    EXPECT_EQ(world.apply(node_of("node-b", "10.244.2.0/24", "192.168.50.2") +
                          node_of("node-c", "10.244.3.0/24", "192.168.50.3")),
              "");
    const auto number = [&](const auto& table, const char* address) {
        const NodeNumber* found = table->find(ip(address).as<V4>());
        return found == nullptr ? -1 : static_cast<int>(*found);
    };
    const auto& v4 = world.now().v4;
    const int b = number(v4.tunnel_peers, "192.168.50.2");
    EXPECT_GE(b, 0);
    EXPECT_EQ(number(v4.tunnel_sources, "192.168.50.2"), b);
    EXPECT_EQ(number(v4.tunnel_sources, "10.244.2.77"), b);
    EXPECT_NE(number(v4.tunnel_sources, "10.244.3.77"), b);
    EXPECT_EQ(number(v4.tunnel_peers, "192.168.50.9"), -1);
    EXPECT_EQ(number(v4.tunnel_sources, "10.244.1.10"), -1);
    const int c = number(v4.tunnel_peers, "192.168.50.3");
    EXPECT_EQ(world.remove(Kind::kNode, "", "node-b"), "");
    EXPECT_EQ(number(world.now().v4.tunnel_peers, "192.168.50.2"), -1);
    EXPECT_EQ(number(world.now().v4.tunnel_peers, "192.168.50.3"), c) << "keeps its number";
}

TEST(Sources, WithoutATunnelNodesHaveNumbersAndNoTrust) {
    NodeConfig direct = node_a();
    direct.overlay.format.reset();
    World world(direct);
    world.plug(plugged_in());
    EXPECT_EQ(world.apply(node_of("node-b", "10.244.2.0/24", "192.168.50.2") +
                          node_of("node-c", "fd00:10:3::/64", "fd00:50::3")),
              "");
    const auto& numbers = world.compiler.node_numbers();
    ASSERT_EQ(numbers.size(), 2u);
    const auto& v4 = *world.now().v4.node_prefixes;
    for (const char* address : {"10.244.2.77", "192.168.50.2"}) {
        const NodeNumber* found = v4.find(ip(address).as<V4>());
        ASSERT_NE(found, nullptr) << address;
        EXPECT_EQ(*found, numbers.at("node-b"));
    }
    const NodeNumber* c = world.now().v6.node_prefixes->find(ip("fd00:10:3::9").as<V6>());
    ASSERT_NE(c, nullptr);
    EXPECT_EQ(*c, numbers.at("node-c"));
    EXPECT_EQ(v4.find(ip("10.244.1.10").as<V4>()), nullptr) << "a pod of this node";
    EXPECT_EQ(world.now().v4.tunnel_sources->size(), 0u);
    EXPECT_EQ(world.now().v4.tunnel_peers->size(), 0u);
    EXPECT_EQ(world.remove(Kind::kNode, "", "node-b"), "");
    EXPECT_EQ(numbers.size(), 1u);
    EXPECT_EQ(world.now().v4.node_prefixes->size(), 0u);
}

TEST(Sources, ANumberThatWasLeftIsNotTheNextNodes) {
    World world;
    world.plug(plugged_in());
    EXPECT_EQ(world.apply(node_of("node-b", "10.244.2.0/24", "192.168.50.2")), "");
    const NodeNumber had = world.compiler.node_numbers().at("node-b");
    EXPECT_EQ(world.remove(Kind::kNode, "", "node-b"), "");
    EXPECT_EQ(world.apply(node_of("node-c", "10.244.2.0/24", "192.168.50.2")), "");
    EXPECT_NE(world.compiler.node_numbers().at("node-c"), had);
}

}  // namespace
}  // namespace podlane::control::test
