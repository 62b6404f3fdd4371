// Two objects that want one thing, as a feeder may hand them in: the older one is served, and the
// younger one when the older goes.
#include <gmock/gmock.h>

#include "control/compile/refused.h"
#include "tests/unit/compile/world.h"

namespace podlane::control::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

/// A Service made at `created`, "" for no time.
std::string made_at(std::string_view name, std::string_view created, std::string_view spec) {
    return fmt::format(
        "---\napiVersion: v1\nkind: Service\nmetadata: {{name: {}, creationTimestamp: {}}}\nspec: "
        "{}\n",
        name, created.empty() ? "null" : fmt::format("\"2026-01-{}T00:00:00Z\"", created), spec);
}

const std::string kOlder = made_at("old", "01", "{clusterIP: 10.96.0.10, ports: [{port: 80}]}");
const std::string kYounger = made_at(
    "a-new", "02", "{clusterIP: 10.96.0.10, ports: [{name: c, port: 81}, {name: b, port: 80}]}");

TEST(Conflicts, OfTwoServicesWithOneClusterIpTheOlderIsServedUntilItGoes) {
    for (const bool older_first : {true, false}) {
        World world;
        ASSERT_EQ(world.apply_each(older_first ? kOlder : kYounger), "");
        ASSERT_EQ(world.apply_each(older_first ? kYounger : kOlder), "");
        EXPECT_THAT(world.frontends(),
                    ElementsAre(HasSubstr("default/old ClusterIP 10.96.0.10:80/TCP")))
            << "the address is one Service's, whatever the port";
        EXPECT_THAT(world.refused(),
                    ElementsAre("Service default/a-new: spec.clusterIP: 10.96.0.10 is served for "
                                "Service default/old, which is older"));
        ASSERT_EQ(world.remove(Kind::kService, "default", "old"), "");
        EXPECT_THAT(world.frontends(),
                    UnorderedElementsAre(HasSubstr("a-new ClusterIP 10.96.0.10:81"),
                                         HasSubstr("a-new ClusterIP 10.96.0.10:80")));
        EXPECT_THAT(world.refused(), IsEmpty());
        EXPECT_TRUE(world.now().v4.frontends.has_address(ip("10.96.0.10").as<V4>()));
    }
}

TEST(Conflicts, OneChangeMayBringBoth) {
    World world;
    ASSERT_EQ(world.apply_each(kYounger + kOlder), "");
    EXPECT_THAT(world.frontends(), ElementsAre(HasSubstr("default/old ClusterIP 10.96.0.10:80")));
    EXPECT_EQ(world.refused().size(), 1u);
}

TEST(Conflicts, AServiceWithoutATimeIsTheYoungestAndNamesDecideBetweenEquals) {
    World world;
    const std::string_view spec = "{clusterIP: 10.96.0.10, ports: [{port: 80}]}";
    ASSERT_EQ(world.apply_each(made_at("c", "01", spec) + made_at("b", "01", spec) +
                               made_at("a", "", spec)),
              "");
    EXPECT_THAT(world.frontends(), ElementsAre(HasSubstr("default/b ")));
    ASSERT_EQ(world.remove(Kind::kService, "default", "b"), "");
    EXPECT_THAT(world.frontends(), ElementsAre(HasSubstr("default/c ")));
    ASSERT_EQ(world.remove(Kind::kService, "default", "c"), "");
    EXPECT_THAT(world.frontends(), ElementsAre(HasSubstr("default/a ")));
}

TEST(Conflicts, OfTwoServicesWithOneNodePortTheOlderHasIt) {
    World world;
    const auto spec = [](std::string_view ip) {
        return fmt::format(
            "{{type: NodePort, clusterIP: {}, ports: [{{port: 80, nodePort: 30080}}]}}", ip);
    };
    ASSERT_EQ(world.apply_each(made_at("new", "02", spec("10.96.0.1"))), "");
    ASSERT_EQ(world.apply_each(made_at("old", "01", spec("10.96.0.2"))), "");
    EXPECT_THAT(world.frontends("default/old"),
                UnorderedElementsAre(HasSubstr("ClusterIP"), HasSubstr("NodePort *:30080")));
    EXPECT_THAT(world.frontends("default/new"), ElementsAre(HasSubstr("ClusterIP")))
        << "what is its alone is served";
    EXPECT_THAT(
        world.refused(),
        ElementsAre("Service default/new: spec.ports.nodePort: port 30080/TCP of the node is "
                    "served for Service default/old, which is older"));
    ASSERT_EQ(world.remove(Kind::kService, "default", "old"), "");
    EXPECT_THAT(world.frontends("default/new"),
                UnorderedElementsAre(HasSubstr("ClusterIP"), HasSubstr("NodePort *:30080")));
}

TEST(Conflicts, AnOperatorsChangeIsRefusedOnlyForAConflictOfItsOwn) {
    World world;
    ASSERT_EQ(world.apply_each(kOlder + kYounger), "");
    EXPECT_EQ(world.apply(slice("a-new", {"10.244.1.9"}, "{name: b, port: 8080}")), "");
    EXPECT_EQ(world.apply(kYounger), "") << "what is there already";
    EXPECT_THAT(world.apply(made_at("third", "03", "{clusterIP: 10.96.0.10, ports: [{port: 1}]}")),
                HasSubstr("10.96.0.10 is already taken by Service default/"));
}

TEST(Conflicts, AnExternalIpAndAHostPortAreTheOlderOnes) {
    World world;
    const auto external = [](std::string_view ip) {
        return fmt::format("{{clusterIP: {}, externalIPs: [198.51.100.7], ports: [{{port: 80}}]}}",
                           ip);
    };
    const auto pod = [](std::string_view name, std::string_view created, std::string_view ip) {
        return fmt::format(
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {}, creationTimestamp: "
            "\"2026-01-{}T00:00:00Z\"}}\nspec: {{nodeName: node-a, containers: [{{ports: "
            "[{{containerPort: 80, hostPort: 8080}}]}}]}}\nstatus: {{phase: Running, podIP: {}}}\n",
            name, created, ip);
    };
    ASSERT_EQ(world.apply(made_at("a-new", "02", external("10.96.0.1")) +
                          made_at("old", "01", external("10.96.0.2")) +
                          pod("a-new", "02", "10.244.1.20") + pod("old", "01", "10.244.1.21")),
              "");
    EXPECT_THAT(
        world.frontends("default/old"),
        UnorderedElementsAre(HasSubstr("ClusterIP"), HasSubstr("ExternalIP 198.51.100.7:80"),
                             HasSubstr("HostPort *:8080/TCP in=10.244.1.21:80")));
    EXPECT_THAT(
        world.refused(),
        ElementsAre("Pod default/a-new: spec.containers.ports.hostPort: port 8080/TCP of the "
                    "node is served for Pod default/old, which is older",
                    "Service default/a-new: spec.externalIPs: 198.51.100.7:80/TCP is served "
                    "for Service default/old, which is older"));
}

TEST(Conflicts, ThePodCidrOfTwoNodesLeadsToTheOlderOne) {
    World world;
    world.plug(plugged_in());
    const auto node = [](std::string_view name, std::string_view created, std::string_view cidr) {
        return fmt::format(
            "---\napiVersion: v1\nkind: Node\nmetadata: {{name: {}, creationTimestamp: "
            "\"2026-01-{}T00:00:00Z\"}}\nspec: {{podCIDR: {}}}\nstatus: {{addresses: [{{type: "
            "InternalIP, address: 192.168.50.{}}}]}}\n",
            name, created, cidr, created);
    };
    ASSERT_EQ(world.apply(node("b", "03", "10.244.4.0/23") + node("c", "02", "10.244.5.0/24")), "");
    EXPECT_THAT(world.refused(), ElementsAre("Node b: podCIDR 10.244.4.0/23 is Node c's, which is "
                                             "older; no route to it"));
    ASSERT_EQ(world.remove(Kind::kNode, "", "c"), "");
    EXPECT_THAT(world.refused(), IsEmpty());
}

}  // namespace
}  // namespace podlane::control::test
