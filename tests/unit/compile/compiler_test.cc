#include "control/compile/compiler.h"

#include <gmock/gmock.h>

#include "tests/unit/compile/world.h"

namespace podlane::control::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::string_view kWebService = R"(---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {clusterIP: 10.96.0.10, ports: [{name: http, port: 80}]}
)";
constexpr std::string_view kNodeB = R"(---
apiVersion: v1
kind: Node
metadata: {name: node-b}
spec: {podCIDRs: [10.244.2.0/24]}
status: {addresses: [{type: InternalIP, address: 192.168.50.2}]}
)";

TEST(Compiler, BeginsEmptyAndCountsGenerations) {
    World world;
    EXPECT_EQ(world.now().generation, 0u);
    ASSERT_EQ(world.apply(kWebService), "");
    EXPECT_EQ(world.now().generation, 1u);
    EXPECT_NE(world.now().v4.routes->find(ip("10.244.1.1").as<V4>()), nullptr)
        << "the first generation has the configuration's routes, whatever it was made for";
    world.plug(plugged_in());
    EXPECT_EQ(world.now().generation, 2u);
}

TEST(Compiler, AnOldGenerationStaysAsItWas) {
    World world;
    world.plug(plugged_in());
    ASSERT_EQ(world.apply(std::string(kWebService) + slice("web", {"10.244.1.10"})), "");
    const auto old = world.compiler.current();
    ASSERT_EQ(world.remove(Kind::kService, "default", "web"), "");
    const FrontendKey<V4> key{ip("10.96.0.10").as<V4>(), be16(80), 6};
    EXPECT_NE(old->v4.frontends.find(key), nullptr);
    EXPECT_EQ(world.now().v4.frontends.find(key), nullptr);
}

TEST(Compiler, AServiceChangeTouchesNoTopologyAndANodeChangeNoService) {
    World world;
    world.plug(plugged_in());
    const auto first = world.compiler.current();
    ASSERT_EQ(world.apply(kWebService), "");
    const auto second = world.compiler.current();
    EXPECT_EQ(second->v4.routes, first->v4.routes);
    EXPECT_EQ(second->topology_epoch, first->topology_epoch);
    ASSERT_EQ(world.apply(kNodeB), "");
    const auto third = world.compiler.current();
    EXPECT_NE(third->v4.routes, second->v4.routes);
    const FrontendKey<V4> key{ip("10.96.0.10").as<V4>(), be16(80), 6};
    EXPECT_EQ(third->v4.frontends.find(key), second->v4.frontends.find(key));
}

TEST(Compiler, ARefusedChangeLeavesTopologyAndServicesAsTheyWere) {
    World world;
    world.plug(plugged_in());
    ASSERT_EQ(world.apply(kWebService), "");
    const auto live = world.compiler.current();
    const std::string both = std::string(kNodeB) + R"(---
apiVersion: v1
kind: Service
metadata: {name: other}
spec: {clusterIP: 10.96.0.10, ports: [{port: 81}]}
)";
    EXPECT_THAT(world.apply(both), HasSubstr("already taken by Service default/web"));
    EXPECT_EQ(world.compiler.current(), live);
    EXPECT_TRUE(world.store.all<Node>().empty());
    ASSERT_EQ(world.apply(kNodeB), "");
    EXPECT_EQ(world.now().generation, live->generation + 1);
}

TEST(Compiler, CheckSaysWhatNextWouldAndChangesNothing) {
    World world;
    ASSERT_EQ(world.apply(kWebService), "");
    const auto live = world.compiler.current();
    const auto objects = World::parse(R"(
apiVersion: v1
kind: Service
metadata: {name: np}
spec: {type: NodePort, clusterIP: 10.96.0.11, ports: [{port: 80, nodePort: 80}]}
)");
    ObjectStore copy = world.store;
    const ChangeSet changes = copy.plan_apply(objects);
    copy.commit(changes);
    const auto checked = world.compiler.check(copy, changes);
    ASSERT_TRUE(checked.ok());
    EXPECT_THAT(*checked, ElementsAre(HasSubstr("nodePort 80 is outside")));
    EXPECT_EQ(world.compiler.current(), live);
    EXPECT_TRUE(world.frontends("default/np").empty());
}

TEST(Compiler, NodesAreRoutedWithThePortsThatCameBefore) {
    World world;
    TopologyInput input = plugged_in();
    input.neighbours = {{kUplink, ip("192.168.50.2"), kNodeBMac, NeighbourStatus::kResolved}};
    world.plug(input);
    ASSERT_EQ(world.apply(kNodeB), "");
    const auto* route = world.now().v4.routes->find(ip("10.244.2.1").as<V4>());
    ASSERT_EQ(route->kind, RouteKind::kAdjacency);
    EXPECT_EQ(world.now().adjacencies[index_of(route->adjacency)].kind, AdjacencyKind::kTunnel);
}

/// A cluster of `count` Services with ten endpoints each.
std::vector<Object> big_cluster(unsigned count) {
    std::vector<Object> objects;
    for (unsigned i = 0; i < count; ++i) {
        auto service = std::make_shared<Service>();
        service->meta.name_space = "ns" + std::to_string(i % 100);
        service->meta.name = "svc" + std::to_string(i);
        service->type = ServiceType::kClusterIp;
        service->cluster_ips = {address_plus(ip("10.96.0.1"), i)};
        service->ports.resize(1);
        service->ports[0].name = "http";
        service->ports[0].port = 80;
        auto slice = std::make_shared<EndpointSlice>();
        slice->meta = service->meta;
        slice->service = service->meta.name;
        slice->ports.resize(1);
        slice->ports[0].name = "http";
        slice->ports[0].port = 8080;
        for (unsigned e = 0; e < 10; ++e) {
            SliceEndpoint endpoint;
            endpoint.address = address_plus(ip("10.0.0.1"), i * 10 + e);
            endpoint.node_name = "node-b";
            slice->endpoints.push_back(endpoint);
        }
        objects.emplace_back(ObjectPtr<Service>(service));
        objects.emplace_back(ObjectPtr<EndpointSlice>(slice));
    }
    return objects;
}

TEST(Compiler, AChangeOfOneServiceSharesTheTablesOfAllOthers) {
    World world;
    ASSERT_EQ(world.change(world.store.plan_replace(big_cluster(2000))), "");
    const auto before = world.compiler.current();
    EXPECT_EQ(before->v4.frontends.size(), 4000u) << "2000 frontends and their addresses' marks";

    auto changed = big_cluster(1);
    auto slice = std::make_shared<EndpointSlice>(*std::get<ObjectPtr<EndpointSlice>>(changed[1]));
    slice->endpoints.pop_back();
    ASSERT_EQ(world.change(world.store.plan_apply({ObjectPtr<EndpointSlice>(slice)})), "");
    size_t shared = 0, own = 0;
    world.now().v4.frontends.for_each([&](const Frontend<V4>& frontend) {
        const auto* old = before->v4.frontends.find(key_of(frontend));
        ++(old == &frontend ? shared : own);
    });
    EXPECT_EQ(shared, 1999u);
    EXPECT_EQ(own, 1u);
}

}  // namespace
}  // namespace podlane::control::test
