#include "lib/lb/maglev.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <numeric>
#include <random>

namespace podlane {
namespace {

std::vector<uint64_t> identities(size_t count, uint64_t seed) {
    std::mt19937_64 random(seed);
    std::vector<uint64_t> out(count);
    for (auto& identity : out) identity = random();
    return out;
}

std::vector<size_t> slots_of_each(const MaglevTable& table, size_t count) {
    std::vector<size_t> slots(count);
    for (const uint16_t index : table.slots()) ++slots[index];
    return slots;
}

TEST(Maglev, FewerThanTwoEndpointsNeedNoTable) {
    EXPECT_EQ(MaglevTable::build({}).size(), 0u);
    EXPECT_EQ(MaglevTable::build(identities(1, 1)).size(), 0u);
}

TEST(Maglev, TheSizeIsAPowerOfTwoOfAtLeastAHundredSlotsAnEndpointUpToItsCap) {
    for (const size_t count :
         {2u, 3u, 5u, 10u, 20u, 40u, 80u, 160u, 320u, 655u, 656u, 5000u, 16383u, 16384u, 20000u}) {
        const MaglevTable table = MaglevTable::build(identities(count, count));
        EXPECT_TRUE(std::has_single_bit(table.size())) << table.size();
        if (count <= 655) {
            EXPECT_GE(table.size(), count * 100) << count;
        }
        EXPECT_GE(table.size(), count * 4) << count;
    }
}

TEST(Maglev, EverySlotHasAnEndpointAndTheEndpointsHaveTheSameShareOfThem) {
    // Endpoints take turns, so shares differ by one slot at most: under 1 % of a share if there are
    // a hundred slots for each endpoint.
    for (const size_t count : {2u, 3u, 7u, 10u, 100u, 655u, 3000u}) {
        const MaglevTable table = MaglevTable::build(identities(count, 100 + count));
        const auto slots = slots_of_each(table, count);
        const auto [least, most] = std::minmax_element(slots.begin(), slots.end());
        EXPECT_EQ(std::accumulate(slots.begin(), slots.end(), size_t{0}), table.size());
        EXPECT_LE(*most - *least, 1u) << count;
        if (count <= 655) {
            EXPECT_LE(static_cast<double>(*most - *least), 0.01 * static_cast<double>(*most) + 1e-9)
                << count;
        }
    }
}

TEST(Maglev, HashesAreSpreadAsTheSlotsAre) {
    constexpr size_t kCount = 10, kPicks = 1'000'000;
    const MaglevTable table = MaglevTable::build(identities(kCount, 5));
    std::mt19937 random(6);
    std::vector<size_t> picked(kCount);
    for (size_t i = 0; i < kPicks; ++i) ++picked[table.pick(static_cast<uint32_t>(random()))];
    for (const size_t count : picked) {
        EXPECT_NEAR(static_cast<double>(count), kPicks / kCount, kPicks / kCount * 0.02);
    }
}

TEST(Maglev, TheExtremeHashesAreInTheTable) {
    const MaglevTable table = MaglevTable::build(identities(3, 9));
    EXPECT_LT(table.pick(0), 3u);
    EXPECT_LT(table.pick(~uint32_t{0}), 3u);
}

TEST(Maglev, WhenOneEndpointGoesFewOfTheOthersConnectionsMove) {
    for (const size_t count : {3u, 10u, 100u, 500u}) {
        auto before = identities(count, 200 + count);
        const MaglevTable full = MaglevTable::build(before);
        const size_t gone = count / 2;
        auto after = before;
        after.erase(after.begin() + static_cast<ptrdiff_t>(gone));
        const MaglevTable less = MaglevTable::build(after);
        if (less.size() != full.size()) continue;  // everything may move then
        size_t moved = 0, kept = 0;
        for (size_t slot = 0; slot < full.size(); ++slot) {
            const uint64_t was = before[full.slots()[slot]];
            if (was == before[gone]) continue;
            ++(was == after[less.slots()[slot]] ? kept : moved);
        }
        const double share = static_cast<double>(moved) / static_cast<double>(moved + kept);
        EXPECT_LE(share, 0.04) << count << " endpoints";
    }
}

TEST(Maglev, TheOrderOfTheEndpointsDecidesNothing) {
    std::mt19937 random(11);
    auto order = identities(17, 300);
    const auto one = order;
    const MaglevTable table = MaglevTable::build(one);
    std::shuffle(order.begin(), order.end(), random);
    const MaglevTable shuffled = MaglevTable::build(order);
    ASSERT_EQ(table.size(), shuffled.size());
    for (size_t slot = 0; slot < table.size(); ++slot) {
        ASSERT_EQ(one[table.slots()[slot]], order[shuffled.slots()[slot]]);
    }
}

TEST(Maglev, EqualIdentitiesStillFillTheTable) {
    const std::vector<uint64_t> equal(5, 42);
    EXPECT_EQ(MaglevTable::build(equal).size(), 512u);
}

}  // namespace
}  // namespace podlane
