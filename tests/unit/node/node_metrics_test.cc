#include "control/metrics/node_metrics.h"

#include "tests/unit/node/node_fixture.h"

namespace podlane::control {
namespace {

class Metrics : public NodeFixture {
  protected:
    Metrics() : NodeFixture(2) { start(); }
    static uint64_t count_of(const std::vector<WordCount>& counts, std::string_view word) {
        for (const WordCount& each : counts) {
            if (each.word == word) return each.count;
        }
        ADD_FAILURE() << word;
        return 0;
    }
};

TEST_F(Metrics, WorkersAreAddedUpWhereTheyShareANumber) {
    dataplane_.mutable_counters(0).affinity_full.add(2);
    dataplane_.mutable_counters(1).affinity_full.add(3);
    dataplane_.mutable_counters(0).drop(Drop::kNoRoute, 4);
    dataplane_.mutable_counters(1).drop(Drop::kNoRoute, 5);
    dataplane_.mutable_counters(1).slow_path.add(6);
    dataplane_.mutable_counters(1).ports[index_of(uplink_)].rx_packets.add(7);
    const NodeMetrics metrics = node_->metrics();
    EXPECT_EQ(metrics.affinity_full, 5U);
    EXPECT_EQ(metrics.drops[static_cast<size_t>(Drop::kNoRoute)], 9U);
    ASSERT_EQ(metrics.workers.size(), 2U);
    EXPECT_TRUE(metrics.workers[1].alive);
    EXPECT_EQ(metrics.workers[0].slow_path, 0U);
    EXPECT_EQ(metrics.workers[1].slow_path, 6U);
    EXPECT_EQ(metrics.ports[0].name, "uplink0");
    EXPECT_EQ(metrics.ports[0].rx_packets, 7U);
    EXPECT_EQ(metrics.buffers.free, 1000U);
}

TEST_F(Metrics, ServicesHaveTheConnectionsOfAllTheirPorts) {
    apply(R"(
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIP: 10.96.0.20, ports: [{name: a, port: 80}, {name: b, port: 81}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, namespace: shop, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
endpoints: [{addresses: [10.244.2.10]}, {addresses: [10.244.2.11]}]
ports: [{name: a, port: 8080}, {name: b, port: 8081}]
)");
    std::set<ServiceId> ids;
    dataplane_.current()->v4.frontends.for_each(
        [&ids](const Frontend<V4>& frontend) { ids.insert(frontend.service); });
    ASSERT_EQ(ids.size(), 2U);
    for (const ServiceId id : ids) {
        dataplane_.mutable_counters(1).service_connections[index_of(id)].add(10);
    }
    const NodeMetrics metrics = node_->metrics();
    ASSERT_EQ(metrics.services.size(), 1U);
    EXPECT_EQ(metrics.services[0].name_space, "shop");
    EXPECT_EQ(metrics.services[0].name, "web");
    EXPECT_EQ(metrics.services[0].connections, 20U);
    EXPECT_EQ(metrics.services[0].endpoints, 2U);
    EXPECT_EQ(count_of(metrics.objects, "Service"), 1U);
}

TEST_F(Metrics, ChangesAndTheirTimesAreCounted) {
    const NodeMetrics before = node_->metrics();
    apply(kNodeB);
    const NodeMetrics after = node_->metrics();
    EXPECT_EQ(after.changes, before.changes + 1);
    EXPECT_EQ(after.refused_changes, before.refused_changes);
    EXPECT_EQ(after.publish.count, before.publish.count + 1);
    EXPECT_GT(after.publish.sum_seconds, before.publish.sum_seconds);
    EXPECT_EQ(after.generation, generation());
    EXPECT_EQ(count_of(after.objects, "Node"), 1U);
}

TEST_F(Metrics, NeighboursAreCountedByState) {
    apply(kNodeB);
    EXPECT_EQ(count_of(node_->metrics().neighbours, "incomplete"), 1U);
    Event seen = event(EventKind::kNeighbourSeen, "192.168.50.2", kPeerMac);
    seen.solicited = true;
    deliver(seen);
    EXPECT_EQ(count_of(node_->metrics().neighbours, "incomplete"), 0U);
    EXPECT_EQ(count_of(node_->metrics().neighbours, "reachable"), 1U);
}

}  // namespace
}  // namespace podlane::control
