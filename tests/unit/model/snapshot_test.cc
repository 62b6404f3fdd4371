#include "lib/model/snapshot.h"

#include <gtest/gtest.h>

#include "lib/base/ip_address.h"
#include "lib/border/events.h"
#include "lib/model/adjacency.h"
#include "lib/model/ids.h"

namespace podlane {
namespace {

TEST(Snapshot, AnEmptyOneHasAllItsPartsAndNothingInThem) {
    const auto snapshot = make_empty_snapshot();
    EXPECT_EQ(snapshot->generation, 0u);
    EXPECT_EQ(snapshot->v4.routes->size(), 0u);
    EXPECT_EQ(snapshot->v6.keep_source->size(), 0u);
    EXPECT_EQ(snapshot->fdb->find(kBroadcastMac), Fdb::kMissing);
    EXPECT_EQ(snapshot->port(PortId{kMaxPorts - 1}).kind, PortKind::kNone);
    EXPECT_EQ(snapshot->adjacencies[index_of(kNoAdjacency)].kind, AdjacencyKind::kNone);
    EXPECT_EQ(snapshot->host_port, kNoPort);
    EXPECT_FALSE(snapshot->overlay.enabled);
}

TEST(Snapshot, EachFamilyHasItsOwnState) {
    const auto snapshot = make_empty_snapshot();
    EXPECT_EQ(static_cast<void*>(&snapshot->family<V4>()), static_cast<void*>(&snapshot->v4));
    EXPECT_EQ(static_cast<void*>(&snapshot->family<V6>()), static_cast<void*>(&snapshot->v6));
}

TEST(Snapshot, ACopySharesWhatItDoesNotChange) {
    const auto first = make_empty_snapshot();
    first->adjacencies.mutable_at(1).kind = AdjacencyKind::kEthernet;
    auto second = std::make_shared<Snapshot>(*first);
    EXPECT_EQ(second->v4.routes, first->v4.routes);
    EXPECT_EQ(second->adjacencies.address_of(1), first->adjacencies.address_of(1));
    second->adjacencies.mutable_at(1).kind = AdjacencyKind::kFailed;
    EXPECT_EQ(first->adjacencies[1].kind, AdjacencyKind::kEthernet);
}

TEST(Ids, NoneIsNotTheFirstOne) {
    EXPECT_EQ(index_of(kNoAdjacency), 0u) << "adjacencies begin at 1";
    EXPECT_EQ(index_of(kNoService), 0u) << "and so do services";
    EXPECT_GE(index_of(kNoPort), kMaxPorts) << "while port 0 is a port";
}

TEST(Adjacency, HoldsTheLargestOuterHeader) {
    EXPECT_GE(Adjacency{}.outer.size(), kMaxOuterBytes);
    EXPECT_EQ(kMaxOuterBytes, 70u);
}

}  // namespace
}  // namespace podlane
