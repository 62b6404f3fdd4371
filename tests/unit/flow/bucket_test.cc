#include "lib/flow/bucket.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace podlane {
namespace {

TEST(Slot, AWordTellsMarkEntryAndWhetherItIsTentative) {
    const uint32_t mark = slot::mark_of_hash(0x1234567890abcdef);
    for (const uint32_t index : {0u, 1u, 0x7fffffffu, 0xfffffffeu}) {
        const uint64_t word = slot::make(mark, index);
        EXPECT_NE(word, 0u);
        EXPECT_EQ(slot::entry_number(word), index);
        EXPECT_EQ(slot::mark_of(word), mark);
        EXPECT_FALSE(slot::is_tentative(word));
        EXPECT_TRUE(slot::is_tentative(word | slot::kTentative));
        EXPECT_EQ(slot::mark_of(word | slot::kTentative), mark);
        EXPECT_EQ(slot::entry_number(word | slot::kTentative), index);
    }
}

TEST(Slot, NoHashHasTheMarkOfAnEmptySlot) {
    EXPECT_NE(slot::mark_of_hash(0), 0u);
    EXPECT_NE(slot::mark_of_hash(0xffffffff80000000), 0u);
}

TEST(BucketPair, LiesInRangeAndDiffers) {
    std::mt19937_64 random(7);
    for (const uint32_t count : {2u, 3u, 16u, 1000u, 655360u, 0xffffffffu}) {
        for (int i = 0; i < 10000; ++i) {
            const uint64_t hash = random();
            const BucketPair pair = bucket_pair(hash, count);
            ASSERT_LT(pair.first, count);
            ASSERT_LT(pair.second, count);
            ASSERT_NE(pair.first, pair.second);
            ASSERT_EQ(pair.first, first_bucket(hash, count));
        }
    }
}

TEST(BucketPair, KeysThatShareTheFirstBucketSpreadOverSeconds) {
    std::mt19937_64 random(7);
    std::vector<unsigned> hits(64);
    for (int i = 0; i < 64000; ++i) {
        const uint64_t hash = (random() & 0xffffffff) | uint64_t{0x12345678} << 32;
        ++hits[bucket_pair(hash, 64).second];
    }
    const uint32_t first = first_bucket(uint64_t{0x12345678} << 32, 64);
    for (unsigned i = 0; i < 64; ++i) {
        if (i == first || i == first + 1) continue;  // then the match is in the next slot
        EXPECT_GT(hits[i], 800u);
        EXPECT_LT(hits[i], 1200u);
    }
}

TEST(MatchMarks, FindsExactlyTheCommittedSlotsWithTheMark) {
    std::mt19937_64 random(11);
    const uint32_t mark = 0x1234u << 1;
    for (int round = 0; round < 10000; ++round) {
        Bucket bucket{};
        bucket.spilled = round % 2 == 0 ? 0 : mark;  // a number, not a mark
        unsigned expected = 0;
        for (unsigned i = 0; i < kBucketSlots; ++i) {
            uint64_t word = 0;
            switch (random() % 5) {
                case 0:
                    break;
                case 1:
                    word = slot::make(mark, static_cast<uint32_t>(random()));
                    expected |= 1u << i;
                    break;
                case 2:
                    word = slot::make(mark, static_cast<uint32_t>(random())) | slot::kTentative;
                    break;
                case 3:  // the mark's bits in the lower half are no match
                    word = slot::make(0x4321u << 1, mark - 1);
                    break;
                default:
                    word = slot::make(mark ^ 2, static_cast<uint32_t>(random()));
            }
            bucket.slot[i].store(word);
        }
        ASSERT_EQ(match_marks(bucket, mark), expected);
        ASSERT_EQ(match_marks_scalar(bucket, mark), expected);
    }
}

}  // namespace
}  // namespace podlane
