// What is gathered for podlaned, and how objects are cut down on their way.
#include "control/watch/cluster.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "control/watch/backoff.h"
#include "control/watch/object_json.h"
#include "control/watch/resource.h"
#include "control/watch/watched_object.h"

namespace podlane::control {
namespace {

using Json = nlohmann::json;

Result<WatchedObject> read_watched_object(const Resource& resource, std::string_view text) {
    Json object = parse_server_json(text);
    if (!object.is_object()) return Error{"no JSON object"};
    return cut_down(resource, std::move(object));
}

const Resource& pods() {
    return watched_resources()[2];
}
const Resource& services() {
    return watched_resources()[3];
}

WatchedObject service(const std::string& name, const std::string& uid, int port) {
    auto read = read_watched_object(
        services(), Json{{"metadata", {{"name", name}, {"namespace", "d"}, {"uid", uid}}},
                         {"spec", {{"ports", {{{"port", port}}}}}}}
                        .dump());
    EXPECT_TRUE(read.ok());
    return *read;
}

Json items(const std::string& list) {
    return list.empty() ? Json::array() : Json::parse(list)["items"];
}

TEST(Cluster, ABatchHasWhatChangedSinceTheLastOne) {
    Cluster cluster(watched_resources());
    cluster.change(services(), service("a", "1", 80));
    cluster.change(services(), service("a", "1", 81));
    Batch first = cluster.take_news();
    ASSERT_EQ(items(first.changes).size(), 1u) << "two changes of one object are one";
    EXPECT_EQ(items(first.changes)[0]["spec"]["ports"][0]["port"], 81);
    EXPECT_EQ(first.removed, 0u);
    EXPECT_TRUE(cluster.take_news().is_empty());
    cluster.change(services(), service("a", "1", 81));
    EXPECT_TRUE(cluster.take_news().is_empty()) << "nothing that concerns podlaned has changed";
}

TEST(Cluster, AnObjectWithAnotherUidIsRemovedFirst) {
    Cluster cluster(watched_resources());
    cluster.change(services(), service("a", "1", 80));
    (void)cluster.take_news();
    cluster.change(services(), service("a", "2", 80));
    const Batch batch = cluster.take_news();
    ASSERT_EQ(items(batch.removals).size(), 1u);
    EXPECT_EQ(items(batch.removals)[0]["metadata"]["name"], "a");
    EXPECT_EQ(items(batch.removals)[0]["kind"], "Service");
    EXPECT_EQ(items(batch.changes).size(), 1u);
}

TEST(Cluster, WhatALaterListLacksIsRemoved) {
    Cluster cluster(watched_resources());
    cluster.replace(services(), {service("a", "1", 80), service("b", "2", 80)});
    (void)cluster.take_news();
    cluster.replace(services(), {service("b", "2", 80)});
    const Batch batch = cluster.take_news();
    ASSERT_EQ(items(batch.removals).size(), 1u);
    EXPECT_EQ(items(batch.removals)[0]["metadata"]["name"], "a");
    EXPECT_EQ(batch.changed, 0u);
    EXPECT_EQ(cluster.objects(), 1u);
}

TEST(Cluster, AnObjectThatCameAndWentBetweenBatchesIsOnlyRemoved) {
    Cluster cluster(watched_resources());
    cluster.change(services(), service("a", "1", 80));
    cluster.remove(services(), "d/a");
    const Batch batch = cluster.take_news();
    EXPECT_EQ(batch.changed, 0u);
    EXPECT_EQ(batch.removed, 1u) << "podlaned may know it from before";
    EXPECT_EQ(cluster.text_bytes(), 0u);
}

TEST(Cluster, AllIsEverythingAndLeavesNoNews) {
    Cluster cluster(watched_resources());
    EXPECT_EQ(items(cluster.take_all()).size(), 0u);
    cluster.change(services(), service("a", "1", 80));
    cluster.change(services(), service("b", "2", 80));
    EXPECT_EQ(items(cluster.take_all()).size(), 2u);
    EXPECT_TRUE(cluster.take_news().is_empty());
    EXPECT_EQ(cluster.uid_of("Service", "d/b"), "2");
    EXPECT_EQ(cluster.uid_of("Service", "d/c"), "");
}

TEST(Cluster, IsCompleteWhenEachResourceWasListed) {
    Cluster cluster(watched_resources());
    for (const Resource& each : watched_resources()) {
        EXPECT_FALSE(cluster.is_complete());
        cluster.replace(each, {});
    }
    EXPECT_TRUE(cluster.is_complete());
}

TEST(Cluster, ObjectsAreFoundByNameAndByWhatTheyHold) {
    Cluster cluster(watched_resources());
    cluster.change(services(), service("a", "1", 80));
    cluster.change(services(), service("b", "2", 81));
    const auto has_81 = [](const std::string& text) {
        return Json::parse(text)["spec"]["ports"][0]["port"] == 81;
    };
    EXPECT_EQ(cluster.first_of("Service", has_81), "d/b");
    EXPECT_EQ(cluster.first_of("Pod", has_81), "");
    EXPECT_TRUE(has_81(cluster.text_of("Service", "d/b")));
    EXPECT_EQ(cluster.text_of("Service", "d/c"), "");
    EXPECT_EQ(cluster.uid_of("Service", "d/a"), "1");
}

TEST(WatchedObject, APodKeepsWhatTheDataplaneReads) {
    const std::string text = R"({"metadata": {"name": "web-0", "namespace": "d", "uid": "u",
        "resourceVersion": "7", "labels": {"app": "web"}, "managedFields": [{"manager": "kubelet"}],
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "mine": "kept"}},
      "spec": {"nodeName": "node-1", "hostname": "web-0", "subdomain": "web", "volumes": [{}],
        "containers": [{"name": "c", "image": "i", "env": [{}],
                        "ports": [{"name": "http", "containerPort": 80}]}]},
      "status": {"phase": "Running", "podIP": "10.244.1.5", "podIPs": [{"ip": "10.244.1.5"}],
        "containerStatuses": [{}],
        "conditions": [{"type": "Ready", "status": "True", "lastProbeTime": "x"}]}})";
    const auto read = read_watched_object(pods(), text);
    ASSERT_TRUE(read.ok());
    EXPECT_EQ(read->name, "d/web-0");
    EXPECT_EQ(read->version, 7u);
    const Json pod = Json::parse(read->text);
    EXPECT_EQ(pod["kind"], "Pod");
    EXPECT_EQ(pod["apiVersion"], "v1");
    EXPECT_EQ(pod["metadata"]["annotations"], (Json{{"mine", "kept"}}));
    EXPECT_FALSE(pod["metadata"].contains("managedFields"));
    EXPECT_EQ(pod["spec"]["containers"][0],
              (Json{{"name", "c"}, {"ports", {{{"name", "http"}, {"containerPort", 80}}}}}));
    EXPECT_FALSE(pod["spec"].contains("volumes"));
    EXPECT_EQ(pod["status"]["conditions"][0], (Json{{"type", "Ready"}, {"status", "True"}}));
    EXPECT_FALSE(pod["status"].contains("containerStatuses"));
}

TEST(WatchedObject, ANodeKeepsWhetherItIsReadyAndItsHeartbeatIsNoChange) {
    const auto read = [](const char* heartbeat) {
        const Json node{{"metadata", {{"name", "node-1"}}},
                        {"spec", {{"podCIDRs", {"10.244.1.0/24"}}, {"taints", {{{"key", "k"}}}}}},
                        {"status",
                         {{"addresses", {{{"type", "InternalIP"}, {"address", "192.0.2.1"}}}},
                          {"images", {{{"sizeBytes", 1}}}},
                          {"conditions",
                           {{{"type", "MemoryPressure"}, {"status", "False"}},
                            {{"type", "Ready"},
                             {"status", "Unknown"},
                             {"reason", heartbeat},
                             {"lastHeartbeatTime", heartbeat}}}}}}};
        return read_watched_object(watched_resources()[1], node.dump()).value().text;
    };
    const Json node = Json::parse(read("a"));
    EXPECT_EQ(node["status"]["conditions"],
              (Json::array({{{"type", "Ready"}, {"status", "Unknown"}}})));
    EXPECT_EQ(node["status"]["addresses"][0]["address"], "192.0.2.1");
    EXPECT_FALSE(node["status"].contains("images"));
    EXPECT_EQ(node["spec"], (Json{{"podCIDRs", {"10.244.1.0/24"}}}));
    EXPECT_EQ(read("a"), read("b"));
}

TEST(WatchedObject, WithoutANameThereIsNone) {
    EXPECT_FALSE(read_watched_object(pods(), R"({"metadata": {}})").ok());
    EXPECT_FALSE(read_watched_object(pods(), "[]").ok());
    EXPECT_FALSE(read_watched_object(pods(), "{").ok());
    EXPECT_TRUE(parse_server_json("{").is_discarded());
}

TEST(WatchedObject, VersionsAreNumbersOrUnknown) {
    EXPECT_EQ(version_number("954"), 954u);
    EXPECT_EQ(version_number(""), 0u);
    EXPECT_EQ(version_number("12a"), 0u);
}

TEST(Backoff, DoublesWithARandomShareUpToItsBound) {
    using std::chrono::milliseconds;
    Backoff backoff(milliseconds(100), milliseconds(400), 1);
    for (const int step : {100, 200, 400, 400}) {
        const auto wait = backoff.next();
        EXPECT_GE(wait.count(), step / 2);
        EXPECT_LE(wait.count(), step);
    }
    backoff.reset();
    EXPECT_LE(backoff.next().count(), 100);
}

}  // namespace
}  // namespace podlane::control
