// Objects as a real API server lists them: PODLANE_FIXTURES names the folder with kubernetes/ in
// it; skipped without one.
#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/unit/compile/world.h"

namespace podlane::control::test {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class Fixtures : public ::testing::Test {
  protected:
    void SetUp() override {
        const char* given = std::getenv("PODLANE_FIXTURES");
        const char* root = std::getenv("PODLANE_SOURCE");
        const std::filesystem::path source = root != nullptr ? root : ".";
        folder_ =
            (given != nullptr ? std::filesystem::path(given) : source / "../shared/fixtures") /
            "kubernetes";
        if (!std::filesystem::is_directory(folder_)) GTEST_SKIP() << "no " << folder_;
        for (const char* kind : {"nodes", "services", "endpointslices", "endpoints", "pods"}) {
            std::ifstream in(folder_ / "yaml" / (std::string(kind) + ".yaml"));
            std::stringstream text;
            text << in.rdbuf();
            auto parsed = parse_objects(text.str(), kind);
            ASSERT_TRUE(parsed.ok()) << parsed.error().message;
            for (Object& object : parsed->objects) objects_.push_back(std::move(object));
        }
        ASSERT_EQ(world_.change(world_.store.plan_replace(objects_)), "");
    }

    /// The recording's node-1.
    static NodeConfig node_1() {
        NodeConfig config = node_a();
        config.node = "node-1";
        config.uplinks[0].addresses = {*parse_interface_address("192.0.2.11/24"),
                                       *parse_interface_address("fd00:2::11/64")};
        config.uplinks[0].gateways = {ip("192.0.2.1")};
        config.pods.cidrs = {prefix("10.244.1.0/24"), prefix("fd00:10:244:1::/64")};
        config.cluster.pod_cidrs = {prefix("10.244.0.0/16"), prefix("fd00:10:244::/48")};
        config.cluster.service_cidrs = {prefix("10.96.0.0/12"), prefix("fd00:10:96::/112")};
        return config;
    }

    World world_{node_1()};
    std::filesystem::path folder_;
    std::vector<Object> objects_;
};

TEST_F(Fixtures, EveryServedServiceHasAFrontendForEachClusterIpAndPort) {
    size_t expected = 0;
    for (const auto& [name, service] : world_.store.all<Service>()) {
        if (is_unserved(*service)) {
            EXPECT_THAT(world_.frontends(to_string(name)), IsEmpty()) << to_string(name);
            continue;
        }
        expected += service->cluster_ips.size() * service->ports.size();
    }
    size_t found = 0;
    for (const auto& line : world_.frontends())
        found += line.find(" ClusterIP ") != std::string::npos;
    EXPECT_EQ(found, expected);
    EXPECT_GT(found, 20u);
}

TEST_F(Fixtures, TheWorkedExampleIsServed) {
    const auto web = world_.frontends("default/webapp");
    EXPECT_THAT(web, SizeIs(2));
    EXPECT_THAT(web, Contains(HasSubstr("NodePort *:30080/TCP")));
    EXPECT_THAT(web, Each(::testing::Not(HasSubstr("in= "))));
    EXPECT_THAT(world_.frontends("default/webapp-sql1"),
                ElementsAre(HasSubstr(":3306/TCP in=10.")));
}

TEST_F(Fixtures, TheOtherNodesPodsAreRoutedInBothFamilies) {
    world_.plug(plugged_in());
    const auto* v4 = world_.now().v4.routes->find(ip("10.244.2.9").as<V4>());
    ASSERT_NE(v4, nullptr);
    EXPECT_EQ(v4->origin, "node node-2");
    const auto* v6 = world_.now().v6.routes->find(ip("fd00:10:244:2::9").as<V6>());
    ASSERT_NE(v6, nullptr);
    EXPECT_EQ(v6->origin, "node node-2");
    EXPECT_EQ(v4->adjacency, v6->adjacency);
}

TEST_F(Fixtures, AppliedOneByOneInAnyOrderTheyGiveTheSameFrontends) {
    World backwards(node_1());
    for (auto object = objects_.rbegin(); object != objects_.rend(); ++object) {
        ASSERT_EQ(backwards.change(backwards.store.plan_apply({*object})), "");
    }
    EXPECT_TRUE(frontend_rows(backwards.now()) == frontend_rows(world_.now()));
}

}  // namespace
}  // namespace podlane::control::test
