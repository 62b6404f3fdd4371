#include "control/keep/keeper.h"

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "control/kube/json.h"
#include "control/kube/parse.h"
#include "lib/persist/key_log.h"
#include "tests/support/random_objects.h"
#include "tests/support/seed.h"

namespace podlane::control {
namespace {

namespace fs = std::filesystem;

class KeeperTest : public testing::Test {
  protected:
    KeeperTest() {
        spdlog::set_level(spdlog::level::off);
        std::string name = (fs::temp_directory_path() / "keeper-XXXXXX").string();
        folder_ = ::mkdtemp(name.data());
    }
    ~KeeperTest() override { fs::remove_all(folder_); }

    KeptState load(Keeper& keeper) {
        notes_.clear();
        return keeper.load(notes_);
    }
    KeptState load() {
        Keeper keeper(folder_);
        return load(keeper);
    }
    static ChangeSet apply(ObjectStore& store, const std::string& text) {
        auto parsed = parse_objects(text, "test.yml");
        EXPECT_TRUE(parsed.ok()) << parsed.error().message;
        ChangeSet plan = store.plan_apply(parsed->objects);
        store.commit(plan);
        return plan;
    }
    static KeptPod pod(const std::string& name) {
        return {.name = name,
                .pod = name,
                .container = "abc",
                .ifname = "eth0",
                .netns = "/run/netns/x",
                .netns_id = {4, 4026532000},
                .mac = {{2, 0, 0, 0, 0, 7}},
                .addresses = {*parse_ip("10.244.1.5"), *parse_ip("fd00::5")},
                .mtu = 1450,
                .host_ports = {{"", 80, 8080, std::nullopt, Protocol::kTcp},
                               {"", 53, 5353, parse_ip("192.0.2.1"), Protocol::kUdp}},
                .bandwidth = {.ingress = {1'000'000, 4'294'967'295}, .egress = {2'000'000, 0}},
                .socket = {PodInterface::kMemif, "/run/podlane/pods/x/y/net1.sock", 7, 8}};
    }

    std::string folder_;
    std::vector<std::string> notes_;
};

constexpr const char* kObjects = R"(
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec: {clusterIP: 10.96.0.10, ports: [{port: 80}]}
---
apiVersion: v1
kind: Secret
type: kubernetes.io/tls
metadata: {name: cert, namespace: default}
data: {tls.crt: Y2VydA==, tls.key: a2V5}
)";

TEST_F(KeeperTest, ObjectsComeBackEqualWithTheirOwners) {
    ObjectStore store;
    {
        Keeper keeper(folder_);
        keeper.put_objects(apply(store, kObjects), [](const ObjectKey& key) -> std::string_view {
            return key.kind == Kind::kSecret ? "operator" : "feeder";
        });
    }
    const KeptState state = load();
    ASSERT_EQ(state.objects.size(), 2u);
    for (const KeptObject& kept : state.objects) {
        EXPECT_TRUE(equal_objects(kept.object, *store.find(key_of(kept.object))));
        EXPECT_EQ(kept.owner, kind_of(kept.object) == Kind::kSecret ? "operator" : "feeder");
    }
    EXPECT_TRUE(notes_.empty());
}

TEST_F(KeeperTest, ReadAheadFindsTheSame) {
    ObjectStore store;
    {
        Keeper keeper(folder_);
        keeper.put_objects(apply(store, kObjects),
                           [](const ObjectKey&) { return std::string_view("operator"); });
        keeper.put_pod(pod("default/web-0"));
    }
    Keeper keeper(folder_);
    keeper.read_ahead();
    EXPECT_EQ(keeper.pods().size(), 1u);
    const KeptState state = load(keeper);
    ASSERT_EQ(state.objects.size(), 2u);
    for (const KeptObject& kept : state.objects) {
        EXPECT_TRUE(equal_objects(kept.object, *store.find(key_of(kept.object))));
    }
    EXPECT_EQ(state.pods.size(), 1u);
    EXPECT_EQ(load(keeper).objects.size(), 2u) << "without reading ahead";
}

TEST_F(KeeperTest, ReadAheadWithoutLoadEnds) {
    Keeper(folder_).read_ahead();
}

TEST_F(KeeperTest, WhatIsRemovedStaysRemoved) {
    ObjectStore store;
    {
        Keeper keeper(folder_);
        const auto owner = [](const ObjectKey&) { return std::string_view("operator"); };
        keeper.put_objects(apply(store, kObjects), owner);
        const ChangeSet plan = store.plan_delete({{Kind::kService, "default", "web"}});
        store.commit(plan);
        keeper.put_objects(plan, owner);
    }
    const KeptState state = load();
    ASSERT_EQ(state.objects.size(), 1u);
    EXPECT_EQ(kind_of(state.objects[0].object), Kind::kSecret);
}

TEST_F(KeeperTest, AddressesFromPoolsAreNotAnObjectsOwn) {
    ObjectStore store;
    apply(store, R"(
apiVersion: v1
kind: Service
metadata: {name: lb, namespace: default}
spec: {type: LoadBalancer, clusterIP: 10.96.0.11, ports: [{port: 80}]}
)");
    auto given = std::make_shared<Service>(*store.find<Service>({"default", "lb"}));
    given->from_pools = true;
    given->load_balancer.push_back({*parse_ip("192.168.50.200"), {}, false});
    ChangeSet plan;
    plan.added.push_back({key_of(Object(ObjectPtr<Service>(given))), std::nullopt,
                          Object(ObjectPtr<Service>(given))});
    {
        Keeper keeper(folder_);
        keeper.put_objects(plan, [](const ObjectKey&) { return std::string_view("operator"); });
    }
    const KeptState state = load();
    ASSERT_EQ(state.objects.size(), 1u);
    EXPECT_TRUE(std::get<ObjectPtr<Service>>(state.objects[0].object)->load_balancer.empty());
}

TEST_F(KeeperTest, AfterManyChangesTheObjectsAreThoseOfTheStore) {
    const uint64_t seed = podlane::test::test_seed();
    SCOPED_TRACE("PODLANE_TEST_SEED=" + std::to_string(seed));
    test::RandomObjects random(seed);
    ObjectStore store;
    {
        Keeper keeper(folder_);
        for (int round = 0; round < 50; ++round) {
            std::vector<Object> objects;
            while (objects.size() < 10) {
                // As in life, each has come from a text.
                auto parsed = parse_objects(to_json(random.object()).dump(), "random");
                if (parsed.ok()) objects.push_back(parsed->objects.at(0));
            }
            const ChangeSet plan =
                round % 5 == 4 ? store.plan_replace(objects) : store.plan_apply(objects);
            store.commit(plan);
            keeper.put_objects(plan, [](const ObjectKey&) { return std::string_view("feeder"); });
        }
    }
    const KeptState state = load();
    EXPECT_TRUE(notes_.empty()) << notes_.front();
    EXPECT_EQ(state.objects.size(), store.size());
    for (const KeptObject& kept : state.objects) {
        const auto there = store.find(key_of(kept.object));
        ASSERT_TRUE(there.has_value()) << to_string(key_of(kept.object));
        EXPECT_TRUE(equal_objects(kept.object, *there)) << to_string(key_of(kept.object));
    }
}

TEST_F(KeeperTest, PodsComeBackWhole) {
    {
        Keeper keeper(folder_);
        keeper.put_pod(pod("default/web"));
        keeper.put_pod(pod("default/gone"));
        keeper.erase_pod("default/gone");
    }
    const KeptState state = load();
    ASSERT_EQ(state.pods.size(), 1u);
    const KeptPod& back = state.pods[0];
    const KeptPod put = pod("default/web");
    EXPECT_EQ(back.name, put.name);
    EXPECT_EQ(back.pod, put.pod);
    EXPECT_EQ(back.container, put.container);
    EXPECT_EQ(back.ifname, put.ifname);
    EXPECT_EQ(back.netns, put.netns);
    EXPECT_EQ(back.netns_id, put.netns_id);
    EXPECT_EQ(back.mac, put.mac);
    EXPECT_EQ(back.addresses, put.addresses);
    EXPECT_EQ(back.mtu, put.mtu);
    EXPECT_EQ(back.host_ports, put.host_ports);
    EXPECT_EQ(back.bandwidth, put.bandwidth);
    EXPECT_EQ(back.socket, put.socket);
}

TEST_F(KeeperTest, APodOfAnOlderPodlanedHasNeitherHostPortsNorLimitsNorASocket) {
    Keeper(folder_).put_pod(pod("default/web"));
    ASSERT_EQ(Keeper(folder_).pods().size(), 1u);
    EXPECT_EQ(Keeper(folder_).pods().front().name, "default/web");
    {
        KeyLog log = KeyLog::open(folder_ + "/journal", 1);
        auto kept = nlohmann::ordered_json::parse(log.values().find("pod/default/web")->second);
        for (const char* key : {"hostPorts", "bandwidth", "socket"}) {
            ASSERT_EQ(kept.erase(key), 1u) << key;
        }
        ASSERT_TRUE(log.commit({{"pod/default/web", kept.dump()}}).ok());
    }
    const KeptState state = load();
    ASSERT_EQ(state.pods.size(), 1u) << (notes_.empty() ? "" : notes_.front());
    EXPECT_EQ(state.pods[0].addresses, pod("").addresses);
    EXPECT_TRUE(state.pods[0].host_ports.empty());
    EXPECT_FALSE(state.pods[0].bandwidth.is_limited());
    EXPECT_FALSE(state.pods[0].socket.is_socket());
}

TEST_F(KeeperTest, PodsOfAnotherBootAreDroppedAndObjectsAreNot) {
    ObjectStore store;
    {
        Keeper keeper(folder_);
        keeper.put_pod(pod("default/web"));
        keeper.put_objects(apply(store, kObjects),
                           [](const ObjectKey&) { return std::string_view("operator"); });
    }
    {
        KeyLog log = KeyLog::open(folder_ + "/journal", 1);
        ASSERT_TRUE(log.commit({{"boot", "another"}}).ok());
    }
    Keeper keeper(folder_);
    const KeptState state = load(keeper);
    EXPECT_TRUE(state.pods.empty());
    EXPECT_EQ(state.objects.size(), 2u);
}

TEST_F(KeeperTest, AnObjectThatCannotBeReadIsDroppedAndTold) {
    {
        KeyLog log = KeyLog::open(folder_ + "/journal", 1);
        ASSERT_TRUE(log.commit({{"object/Service/default/bad", "operator\nkind: Nonsense"},
                                {"object/Service/default/worse", "no line end"},
                                {"pod/default/odd", "{}"},
                                {"of/the/future", "unknown"}})
                        .ok());
    }
    Keeper keeper(folder_);
    const KeptState state = load(keeper);
    EXPECT_TRUE(state.objects.empty());
    EXPECT_EQ(notes_.size(), 2u) << "the pod is of another boot";
    EXPECT_TRUE(load().objects.empty());
    EXPECT_TRUE(notes_.empty()) << notes_[0];
}

TEST_F(KeeperTest, AFolderThatVanishesIsAProblemUntilItIsMadeAgain) {
    Keeper keeper(folder_);
    (void)load(keeper);
    keeper.tick(1000);
    EXPECT_TRUE(keeper.problems().empty());
    fs::remove_all(folder_);
    std::ofstream(folder_) << "a file in its place";
    keeper.put_pod(pod("default/web"));
    keeper.tick(2000);
    ASSERT_EQ(keeper.problems().size(), 1u);
    EXPECT_NE(keeper.problems()[0].find(folder_ + "/journal"), std::string::npos);
    fs::remove(folder_);
    keeper.tick(60'000);
    EXPECT_TRUE(keeper.problems().empty());
    EXPECT_EQ(load().pods.size(), 1u);
}

TEST_F(KeeperTest, ForgottenNothingIsThere) {
    Keeper keeper(folder_);
    keeper.put_pod(pod("default/web"));
    keeper.forget();
    keeper.put_pod(pod("default/late"));
    keeper.tick(1'000'000);
    EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(KeeperTest, GenerationsGoOnCountingHoweverItEnds) {
    {
        Keeper keeper(folder_);
        EXPECT_EQ(load(keeper).generation, 0u);
        for (uint64_t generation = 1; generation < 3000; ++generation) {
            keeper.put_generation(generation);
        }
    }
    const uint64_t next = load().generation;
    EXPECT_GE(next, 2999u);
    EXPECT_LE(next, 2999u + Keeper::kAhead);
}

TEST_F(KeeperTest, WhatWasLearnedOfTheLinksIsThereButNotAfterAReboot) {
    const KeptLinks links{.neighbours = {{"uplink0", *parse_ip("192.0.2.1"), {{2, 0, 0, 0, 0, 1}}},
                                         {"uplink0", *parse_ip("fe80::1"), {{2, 0, 0, 0, 0, 2}}}},
                          .macs = {{"default/web", {{2, 0, 0, 0, 0, 3}}}}};
    {
        Keeper keeper(folder_);
        (void)load(keeper);
        keeper.put_links(links);
        const auto bytes = fs::file_size(folder_ + "/journal");
        keeper.put_links(links);
        EXPECT_EQ(fs::file_size(folder_ + "/journal"), bytes) << "nothing is new";
    }
    const KeptLinks seen = load().links;
    ASSERT_EQ(seen.neighbours.size(), 2u);
    EXPECT_EQ(seen.neighbours[1].port, "uplink0");
    EXPECT_EQ(seen.neighbours[1].address, *parse_ip("fe80::1"));
    EXPECT_EQ(to_string(seen.neighbours[1].mac), "02:00:00:00:00:02");
    ASSERT_EQ(seen.macs.size(), 1u);
    EXPECT_EQ(seen.macs[0].port, "default/web");
    {
        KeyLog log = KeyLog::open(folder_ + "/journal", 1);
        ASSERT_TRUE(log.commit({{"boot", "another"}}).ok());
    }
    EXPECT_TRUE(load().links.neighbours.empty());
}

TEST_F(KeeperTest, WhatIsOddOfLinksAndGenerationIsDropped) {
    { const Keeper keeper(folder_); }
    {
        KeyLog log = KeyLog::open(folder_ + "/journal", 1);
        ASSERT_TRUE(log.commit({{"links", "{"}, {"generation", "many"}}).ok());
    }
    const KeptState state = load();
    EXPECT_TRUE(state.links.neighbours.empty());
    EXPECT_EQ(notes_.size(), 2u);
}

TEST_F(KeeperTest, ALookSaysWhatTheNextOneWouldFind) {
    ObjectStore store;
    {
        Keeper keeper(folder_);
        keeper.put_pod(pod("default/a"));
        keeper.put_objects(apply(store, kObjects), [](const auto&) { return "feeder"; });
    }
    const auto seen = Keeper::look(folder_);
    ASSERT_TRUE(seen.ok()) << seen.error().message;
    EXPECT_EQ(*seen, "journal: 2 objects, 1 pods' ports");
    {
        KeyLog log = KeyLog::open(folder_ + "/journal", 1);
        ASSERT_TRUE(log.commit({{"object/Service/a/b", "feeder\n{}"}}).ok());
    }
    EXPECT_FALSE(Keeper::look(folder_).ok());
    EXPECT_FALSE(Keeper::look(folder_ + "/none").ok());
}

TEST_F(KeeperTest, WritingAllTakesThePlaceOfWhatAnotherHasWritten) {
    Keeper keeper(folder_);
    keeper.put_pod(pod("default/a"));
    {
        Keeper other(folder_);
        other.erase_pod("default/a");
        other.put_pod(pod("default/b"));
    }
    keeper.write_all();
    const auto pods = load().pods;
    ASSERT_EQ(pods.size(), 1u);
    EXPECT_EQ(pods[0].name, "default/a");
    EXPECT_TRUE(keeper.problems().empty());
}

}  // namespace
}  // namespace podlane::control
