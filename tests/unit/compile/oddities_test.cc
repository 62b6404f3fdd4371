// Services that an API server would not have made so: they are served, with a notice that shows.
#include <gmock/gmock.h>

#include "tests/unit/compile/world.h"

namespace podlane::control::test {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::Not;

TEST(Oddities, AClusterIpOutsideOfTheServiceCidrsIsServedWithANotice) {
    World world;
    ASSERT_EQ(world.apply(service("a", "{clusterIP: 172.30.0.9, ports: [{port: 80}]}")), "");
    EXPECT_THAT(world.notices, Contains(HasSubstr("Service default/a: clusterIP 172.30.0.9 is "
                                                  "outside cluster.serviceCidrs")));
    EXPECT_THAT(world.frontends(), ElementsAre(HasSubstr("172.30.0.9:80")));
    ASSERT_EQ(world.apply(slice("a", {"10.244.1.9"})), "");
    EXPECT_THAT(world.notices, IsEmpty()) << "once for the Service, not for its endpoints";
}

TEST(Oddities, AServiceCidrObjectMakesItsAddressesServiceAddresses) {
    World world;
    world.plug(plugged_in());
    ASSERT_EQ(
        world.apply("---\napiVersion: networking.k8s.io/v1\nkind: ServiceCIDR\nmetadata: {name: "
                    "more}\nspec: {cidrs: [172.30.0.0/16, \"fd00:30::/108\"]}\n" +
                    service("a", "{clusterIP: 172.30.0.9, ports: [{port: 80}]}")),
        "");
    EXPECT_THAT(world.notices, IsEmpty());
    const auto route = [&](std::string_view address) {
        const Route<V4>* found = world.now().v4.routes->find(ip(address).as<V4>());
        return found == nullptr ? RouteKind::kUnreachable : found->kind;
    };
    EXPECT_EQ(route("172.30.9.9"), RouteKind::kUnallocated) << "dropped, not sent to the gateway";
    ASSERT_EQ(world.remove(Kind::kServiceCidr, "", "more"), "");
    EXPECT_NE(route("172.30.9.9"), RouteKind::kUnallocated);
}

TEST(Oddities, AClusterIpThatIsAPodsAddressNamesThePod) {
    World world;
    ASSERT_EQ(world.apply("---\napiVersion: v1\nkind: Pod\nmetadata: {name: p}\nstatus: {phase: "
                          "Running, podIP: 10.244.1.20}\n" +
                          service("a", "{clusterIP: 10.244.1.20, ports: [{port: 80}]}") +
                          service("b", "{clusterIP: 10.244.1.21, ports: [{port: 80}]}")),
              "");
    EXPECT_THAT(
        world.notices,
        IsSupersetOf({HasSubstr("clusterIP 10.244.1.20 is the address of Pod default/p too"),
                      HasSubstr("clusterIP 10.244.1.21 is inside the pods' CIDRs")}));
}

TEST(Oddities, AClusterIpThatIsANodesAddressNamesTheNode) {
    World world;
    ASSERT_EQ(
        world.apply("---\napiVersion: v1\nkind: Node\nmetadata: {name: node-b}\nspec: {podCIDR: "
                    "10.244.2.0/24}\nstatus: {addresses: [{type: InternalIP, address: "
                    "192.168.50.2}]}\n" +
                    service("a", "{clusterIP: 192.168.50.1, ports: [{port: 80}]}") +
                    service("b", "{clusterIP: 192.168.50.2, ports: [{port: 80}]}")),
        "");
    EXPECT_THAT(
        world.notices,
        IsSupersetOf({HasSubstr("Service default/a: clusterIP 192.168.50.1 is this node's own "
                                "address too"),
                      HasSubstr("Service default/b: clusterIP 192.168.50.2 is the address of Node "
                                "node-b too")}));
}

TEST(Oddities, TwoServicesWithOneHealthCheckNodePortAreTold) {
    World world;
    const auto local = [](const char* name, const char* address, int node_port) {
        return service(name, fmt::format("{{type: LoadBalancer, externalTrafficPolicy: Local, "
                                         "healthCheckNodePort: 32100, clusterIP: {}, "
                                         "ports: [{{port: 80, nodePort: {}}}]}}",
                                         address, node_port));
    };
    ASSERT_EQ(world.apply(local("a", "10.96.0.11", 30080)), "");
    EXPECT_THAT(world.notices, Not(Contains(HasSubstr("healthCheckNodePort"))));
    ASSERT_EQ(world.apply(local("b", "10.96.0.12", 30081)), "");
    EXPECT_THAT(world.notices, Contains(HasSubstr("Service default/b: healthCheckNodePort 32100 is "
                                                  "the one of Service default/a too")));
    ASSERT_EQ(world.apply(slice("b", {"10.244.1.9"})), "");
    EXPECT_THAT(world.notices, IsEmpty()) << "once for the Service, not for its endpoints";
    ASSERT_EQ(world.apply(local("c", "10.96.0.13", 32100)), "");
    EXPECT_THAT(world.notices, Contains(HasSubstr("is a nodePort of Service default/c too")));
}

TEST(Oddities, AServiceWithoutClusterIpIsToldFromAHeadlessOne) {
    World world;
    ASSERT_EQ(world.apply(service("unset", "{ports: [{port: 80}]}") +
                          service("headless", "{clusterIP: None, ports: [{port: 80}]}")),
              "");
    EXPECT_THAT(world.notices, Contains(HasSubstr("Service default/unset: no clusterIP")));
    EXPECT_THAT(world.notices, Not(Contains(HasSubstr("headless: no clusterIP"))));
}

}  // namespace
}  // namespace podlane::control::test
