#include "lib/flow/traffic.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/unit/flow/support.h"

namespace podlane {
namespace {

using namespace test;

TEST(TrafficCounts, CellsOfAnyWorkerBlockAndDirectionAreApart) {
    constexpr uint32_t kBlocks = 300;
    TrafficCounts counts({}, kBlocks, 3);
    ASSERT_TRUE(counts.ok());
    std::set<const TrafficCounts::Cell*> seen;
    for (uint32_t block = 0; block < kBlocks; ++block) {
        for (unsigned worker = 0; worker < 3; ++worker) {
            for (unsigned direction = 0; direction < 2; ++direction) {
                seen.insert(&counts.cell(worker, block, direction));
            }
        }
    }
    EXPECT_EQ(seen.size(), kBlocks * 3u * 2u);
    const auto first = reinterpret_cast<uintptr_t>(*seen.begin());
    const auto last = reinterpret_cast<uintptr_t>(*seen.rbegin());
    EXPECT_LE(last + sizeof(TrafficCounts::Cell) - first,
              TrafficCounts::groups_for(kBlocks) * TrafficCounts::group_bytes(3));
}

TEST(TrafficCounts, WorkersShareNoLine) {
    const TrafficCounts counts({}, 1000, 2);
    for (uint32_t block = 0; block < 1000; ++block) {
        for (const uint32_t other : {block, block + 1}) {
            if (other == 1000) continue;
            const auto one = reinterpret_cast<uintptr_t>(&counts.cell(0, block, 0));
            const auto two = reinterpret_cast<uintptr_t>(&counts.cell(1, other, 0));
            EXPECT_NE(one / kCacheLine, two / kCacheLine);
        }
    }
}

TEST(TrafficCounts, AllWorkersAreSummedAndForgottenTogether) {
    TrafficCounts counts({}, 130, 2);
    counts.cell(0, 129, 0).add(100);
    counts.cell(1, 129, 0).add(1500);
    counts.cell(1, 129, 1).add(40);
    counts.cell(0, 128, 0).add(7);
    EXPECT_EQ(counts.sum(129), (FlowTraffic{{2, 1}, {1600, 40}}));
    counts.reset(129);
    EXPECT_EQ(counts.sum(129), FlowTraffic{});
    EXPECT_EQ(counts.sum(128), (FlowTraffic{{1, 0}, {7, 0}}));
}

template <class F>
class TrafficOfTable : public ::testing::Test {
  protected:
    TrafficOfTable() {
        FlowTableOptions options;
        options.capacity = 64;
        options.traffic = true;
        table_ = FlowTable<F>::create(options, domain_).value();
        domain_.online(0);
    }
    ~TrafficOfTable() override { domain_.offline(0); }

    QuiescentDomain domain_;
    std::unique_ptr<FlowTable<F>> table_;
};
TYPED_TEST_SUITE(TrafficOfTable, Families, FamilyName);

TYPED_TEST(TrafficOfTable, EachDirectionHasItsOwnAndANewConnectionNone) {
    auto& table = *this->table_;
    EXPECT_TRUE(table.counts_traffic());
    // Whatever block a later connection gets, it has no counts of earlier ones.
    for (uint32_t n = 0; n < 300; ++n) {
        const auto made = table.insert(0, client_connection<TypeParam>(n), 1);
        ASSERT_EQ(made.status, InsertStatus::kInserted);
        auto& connection = connection_of(*made.entry);
        ASSERT_EQ(*table.traffic_of(connection), FlowTraffic{}) << n;
        table.traffic_cell(0, connection.original()).add(60);
        table.traffic_cell(0, connection.original()).add(1500);
        table.traffic_cell(0, connection.reply()).add(n);
        EXPECT_EQ(*table.traffic_of(connection), (FlowTraffic{{2, 1}, {1560, n}}));
        ASSERT_TRUE(table.remove(0, connection));
        for (int turns = 0; turns < 3; ++turns) {
            this->domain_.quiescent(0);
            table.maintain(0, 1);
        }
    }
}

TYPED_TEST(TrafficOfTable, NobodyAskedNothingIsCounted) {
    OneWorker<TypeParam> worker(64);
    const auto made = worker.insert(client_connection<TypeParam>(1));
    EXPECT_FALSE(worker.table().counts_traffic());
    EXPECT_FALSE(worker.table().traffic_of(connection_of(*made.entry)));
}

}  // namespace
}  // namespace podlane
