// Recordings of a real API server: everything in them loads, and says the same in each form.
#include <gtest/gtest.h>

#include <map>

#include "control/kube/json.h"
#include "control/kube/store.h"
#include "tests/unit/kube/support.h"

namespace podlane::control {
namespace {

fs::path fixtures() {
    if (const char* given = std::getenv("PODLANE_FIXTURES")) return fs::path(given) / "kubernetes";
    return source_root() / "../shared/fixtures/kubernetes";
}

/// Objects in each of yaml/, json/ and list/.
const std::map<std::string, size_t> kCounts{
    {"services", 36},  {"endpointslices", 40}, {"networkpolicies", 23},
    {"pods", 33},      {"nodes", 2},           {"namespaces", 9},
    {"endpoints", 33}, {"deployments", 0},     {"replicasets", 0}};
/// The same after the recording's last change.
const std::map<std::string, size_t> kCountsAfter{
    {"services", 33}, {"endpointslices", 36}, {"networkpolicies", 14}, {"pods", 29},
    {"nodes", 2},     {"namespaces", 8},      {"endpoints", 30}};

class Fixtures : public testing::Test {
  protected:
    void SetUp() override {
        if (!fs::exists(fixtures())) {
            GTEST_SKIP() << fixtures() << " is absent; set PODLANE_FIXTURES to its parent";
        }
    }
    static ParsedObjects load(const std::string& file) {
        const fs::path path = fixtures() / file;
        auto parsed = parse_objects(contents(path), path.filename());
        EXPECT_TRUE(parsed.ok()) << (parsed.ok() ? "" : parsed.error().message);
        return parsed.ok() ? std::move(parsed).value() : ParsedObjects();
    }
    static void expect_equal(const ParsedObjects& a, const ParsedObjects& b) {
        ObjectStore store;
        store.commit(store.plan_apply(a.objects));
        const ChangeSet changes = store.plan_replace(b.objects);
        EXPECT_TRUE(changes.empty());
        EXPECT_EQ(changes.unchanged, a.objects.size());
        for (const Change& change : changes.changed) ADD_FAILURE() << to_string(change.key);
    }
};

TEST_F(Fixtures, SayTheSameInYamlJsonAndAsLists) {
    for (const auto& [kind, count] : kCounts) {
        const ParsedObjects yaml = load("yaml/" + kind + ".yaml");
        EXPECT_EQ(yaml.objects.size(), count) << kind;
        EXPECT_EQ(yaml.notices.empty(), count != 0) << kind;
        expect_equal(yaml, load("json/" + kind + ".json"));
        if (count != 0) expect_equal(yaml, load("list/" + kind + ".json"));
    }
}

TEST_F(Fixtures, LoadAfterTheLastChange) {
    for (const auto& [kind, count] : kCountsAfter) {
        EXPECT_EQ(load("list-after/" + kind + ".json").objects.size(), count) << kind;
    }
}

TEST_F(Fixtures, LoadPageByPage) {
    ParsedObjects pages = load("list/pods.page1.json");
    EXPECT_EQ(pages.objects.size(), 10U);
    EXPECT_EQ(load("list/pods.page2.json").objects.size(), 10U);
    EXPECT_EQ(load("list/pods.node-1.json").objects.size(), 18U);
}

TEST_F(Fixtures, AreReadBackAsTheyArePrinted) {
    for (const auto& [kind, count] : kCounts) {
        const ParsedObjects parsed = load("yaml/" + kind + ".yaml");
        std::string text;
        for (const Object& object : parsed.objects) text += to_json(object).dump() + "\n";
        expect_equal(parsed, parse(text));
    }
}

TEST_F(Fixtures, HoldEveryFeatureOfServices) {
    ObjectStore store;
    store.commit(store.plan_apply(load("yaml/services.yaml").objects));
    const auto find = [&](const std::string& name) {
        auto service = store.find<Service>({"svc-zoo", name});
        EXPECT_NE(service, nullptr) << name;
        return service ? *service : Service();
    };
    const auto any = [&](const auto& holds) {
        return std::ranges::any_of(store.all<Service>(),
                                   [&](const auto& entry) { return holds(*entry.second); });
    };
    EXPECT_EQ(find("nodeport-local").external_policy, TrafficPolicy::kLocal);
    EXPECT_FALSE(find("external-ips").external_ips.empty());
    EXPECT_EQ(find("cip-multiport").ports.size(), 4U);
    EXPECT_TRUE(any([](const Service& s) { return s.headless; }));
    EXPECT_TRUE(any([](const Service& s) { return s.type == ServiceType::kExternalName; }));
    EXPECT_TRUE(any([](const Service& s) { return s.affinity_seconds != 0; }));
    EXPECT_TRUE(any([](const Service& s) { return s.cluster_ips.size() == 2; }));
    EXPECT_TRUE(any([](const Service& s) { return s.source_ranges.size() == 2; }));
    EXPECT_TRUE(any([](const Service& s) { return s.publish_not_ready; }));
    EXPECT_TRUE(any([](const Service& s) { return s.health_check_node_port != 0; }));
    EXPECT_TRUE(any([](const Service& s) { return !s.load_balancer_class.empty(); }));
    EXPECT_TRUE(any([](const Service& s) {
        return std::ranges::any_of(
            s.ports, [](const ServicePort& port) { return port.target_port.is_name(); });
    }));
}

TEST_F(Fixtures, JoinSlicesToTheirServices) {
    ObjectStore store;
    store.commit(store.plan_apply(load("yaml/services.yaml").objects));
    store.commit(store.plan_apply(load("yaml/endpointslices.yaml").objects));
    const auto& slices = store.slices_of({"default", "webapp"});
    ASSERT_EQ(slices.size(), 1U);
    EXPECT_EQ(slices[0]->endpoints.size(), 3U);
    EXPECT_EQ(slices[0]->endpoints[0].zone, "zone-a");
    EXPECT_EQ(slices[0]->endpoints[0].pod, "webapp-b48f7cdc4-gc9jc");
}

TEST_F(Fixtures, KnowNodesAndTheirPods) {
    ObjectStore store;
    store.commit(store.plan_apply(load("yaml/nodes.yaml").objects));
    store.commit(store.plan_apply(load("yaml/pods.yaml").objects));
    const auto node = store.find<Node>({"", "node-2"});
    ASSERT_NE(node, nullptr);
    EXPECT_EQ(node->pod_cidrs.size(), 2U);
    EXPECT_EQ(to_string(node->internal_ips.at(0)), "192.0.2.12");
    EXPECT_EQ(node->zone(), "zone-b");
    EXPECT_TRUE(node->ready);
    EXPECT_FALSE(store.pods_in("np-x").empty());
    const auto& pods = store.all<Pod>();
    EXPECT_TRUE(std::ranges::any_of(pods, [](const auto& p) { return p.second->host_network; }));
    EXPECT_TRUE(std::ranges::any_of(pods, [](const auto& p) { return !p.second->ready; }));
}

}  // namespace
}  // namespace podlane::control
