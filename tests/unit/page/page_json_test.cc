#include "control/page/page_json.h"

#include <gtest/gtest.h>

namespace podlane::control {
namespace {

TEST(PageJson, BusiestServicesStayInTheOrderOfTheirNames) {
    NodeStats stats;
    stats.services = {{"a/idle", 0}, {"b/busy", 9}, {"c/some", 3}, {"d/most", 20}};
    EXPECT_EQ(keep_busiest_services(stats, 4), 4u);
    EXPECT_EQ(stats.services.size(), 4u);
    EXPECT_EQ(keep_busiest_services(stats, 2), 4u);
    ASSERT_EQ(stats.services.size(), 2u);
    EXPECT_EQ(stats.services[0].service, "b/busy");
    EXPECT_EQ(stats.services[1].service, "d/most");
}

TEST(PageJson, NodesWithTrafficStayTheBusiestFirst) {
    PeerReport report{
        .milliseconds = 1,
        .peers = {{"a", {1, 0, 0, 0}}, {"b", {}}, {"c", {0, 0, 5, 0}}, {"d", {1, 0, 1, 0}}}};
    keep_busiest_peers(report, 2);
    ASSERT_EQ(report.peers.size(), 2u);
    EXPECT_EQ(report.peers[0].node, "c");
    EXPECT_EQ(report.peers[1].node, "d");
    keep_busiest_peers(report, 1);
    EXPECT_EQ(report.peers.size(), 1u);
}

TEST(PageJson, CutRowsAreCounted) {
    Listing listing{.kind = "neighbors", .rows = std::vector<NeighbourRow>(5), .total = {}};
    cut_rows(listing, 5);
    EXPECT_FALSE(listing.total);
    cut_rows(listing, 2);
    EXPECT_EQ(listing.total, 5u);
    EXPECT_EQ(std::get<std::vector<NeighbourRow>>(listing.rows).size(), 2u);
}

TEST(PageJson, PoliciesAreNamedOnceForEachDirection) {
    const auto closed = std::make_shared<CompiledPolicy>(CompiledPolicy{.name = "shop/closed"});
    const auto open = std::make_shared<CompiledPolicy>(CompiledPolicy{.name = "shop/a"});
    PodPolicies policies{.pod = "shop/web", .ingress = {closed, open, closed}, .egress = {closed}};
    Snapshot snapshot;
    PortRow selected, other;
    selected.name = "shop/web";
    selected.id = 3;
    other.name = "shop/db";
    other.id = 4;
    EXPECT_TRUE(policies_by_port(snapshot, {selected, other}).empty());
    snapshot.pod_policies.set(3, std::make_shared<const PodPolicies>(policies));
    const auto found = policies_by_port(snapshot, {selected, other});
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found.at("shop/web").ingress, (std::vector<std::string>{"shop/a", "shop/closed"}));
    EXPECT_EQ(found.at("shop/web").egress, (std::vector<std::string>{"shop/closed"}));
}

}  // namespace
}  // namespace podlane::control
