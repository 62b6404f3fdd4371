#include "lib/proto/fragment_ranges.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bitset>
#include <random>

#include "tests/support/frames.h"
#include "tests/support/seed.h"

namespace podlane {
namespace {

FragmentPart part(uint32_t offset, uint32_t bytes, bool more = true) {
    return {offset, bytes, 65515, more};
}

TEST(FragmentRanges, InOrderInReverseAndWithAGapAPacketIsCompleteOnce) {
    const std::vector<FragmentPart> parts = {part(0, 1480), part(1480, 1480),
                                             part(2960, 45, false)};
    std::vector<size_t> order = {0, 1, 2};
    do {
        FragmentRanges ranges;
        for (const size_t i : order) {
            EXPECT_FALSE(ranges.complete());
            EXPECT_EQ(ranges.add(parts[i]), FragmentFit::kNew);
        }
        EXPECT_TRUE(ranges.complete());
    } while (std::next_permutation(order.begin(), order.end()));
}

TEST(FragmentRanges, ARepetitionIsToldFromAnOverlap) {
    FragmentRanges ranges;
    ASSERT_EQ(ranges.add(part(0, 16)), FragmentFit::kNew);
    ASSERT_EQ(ranges.add(part(32, 16)), FragmentFit::kNew);
    EXPECT_EQ(ranges.add(part(0, 16)), FragmentFit::kRepeated);
    EXPECT_EQ(ranges.add(part(8, 8)), FragmentFit::kRepeated);
    EXPECT_EQ(ranges.add(part(8, 16)), FragmentFit::kOverlaps);
    EXPECT_EQ(ranges.add(part(24, 16)), FragmentFit::kOverlaps);
    EXPECT_EQ(ranges.add(part(16, 24)), FragmentFit::kOverlaps);
    EXPECT_EQ(ranges.add(part(0, 64)), FragmentFit::kOverlaps);
    EXPECT_EQ(ranges.add(part(16, 16)), FragmentFit::kNew) << "exactly the gap";
}

TEST(FragmentRanges, ThePacketHasOneEndAndNothingBehindIt) {
    FragmentRanges ranges;
    ASSERT_EQ(ranges.add(part(64, 5, false)), FragmentFit::kNew);
    EXPECT_EQ(ranges.add(part(72, 8)), FragmentFit::kOverlaps);
    EXPECT_EQ(ranges.add(part(72, 8, false)), FragmentFit::kOverlaps);
    EXPECT_EQ(ranges.add(part(0, 8, false)), FragmentFit::kOverlaps);
    EXPECT_EQ(ranges.add(part(0, 64)), FragmentFit::kNew);
    EXPECT_TRUE(ranges.complete());

    FragmentRanges other;
    ASSERT_EQ(other.add(part(64, 8)), FragmentFit::kNew);
    EXPECT_EQ(other.add(part(0, 64, false)), FragmentFit::kOverlaps) << "an end before the middle";
}

TEST(FragmentRanges, GapsAreFollowedUpToABound) {
    FragmentRanges ranges;
    for (uint32_t i = 0; i < FragmentRanges::kMaxRanges; ++i) {
        ASSERT_EQ(ranges.add(part(i * 16, 8)), FragmentFit::kNew);
    }
    EXPECT_EQ(ranges.add(part(4096, 8)), FragmentFit::kTooMany);
    EXPECT_EQ(ranges.add(part(8, 8)), FragmentFit::kNew) << "this closes a gap";
    EXPECT_EQ(ranges.add(part(4096, 8)), FragmentFit::kNew);
}

// Against one bit for each eight bytes, on packets cut at random and on parts that do not belong.
TEST(FragmentRanges, AgreesWithABitmap) {
    const uint64_t seed = test::test_seed();
    SCOPED_TRACE("PODLANE_TEST_SEED=" + std::to_string(seed));
    std::mt19937_64 random(seed);
    for (int round = 0; round < 2000; ++round) {
        FragmentRanges ranges;
        std::bitset<8192> seen;
        for (int i = 0; i < 30; ++i) {
            const auto begin = static_cast<uint32_t>(random() % 64);
            const auto words = static_cast<uint32_t>(1 + random() % 6);
            size_t there = 0;
            for (uint32_t w = begin; w < begin + words; ++w) there += seen[w];
            const FragmentFit fit = ranges.add(part(begin * 8, words * 8));
            if (fit == FragmentFit::kTooMany) continue;
            const FragmentFit expected = there == 0       ? FragmentFit::kNew
                                         : there == words ? FragmentFit::kRepeated
                                                          : FragmentFit::kOverlaps;
            ASSERT_EQ(fit, expected) << "round " << round << " part " << i;
            if (fit == FragmentFit::kNew) {
                for (uint32_t w = begin; w < begin + words; ++w) seen.set(w);
            }
        }
    }
}

TEST(FragmentPart, WhatNoPacketCanHaveIsSaidSo) {
    EXPECT_TRUE(part(0, 8).is_possible());
    EXPECT_TRUE(part(8, 1, false).is_possible());
    EXPECT_FALSE(part(8, 0, false).is_possible());
    EXPECT_FALSE(part(8, 9).is_possible()) << "only the last may have odd bytes";
    EXPECT_TRUE(part(65512, 3, false).is_possible());
    EXPECT_FALSE(part(65512, 4, false).is_possible()) << "beyond what a length field can say";
}

TEST(ParseBehindFragmentHeader, AllHeadersAreThereAndNoOtherFragmentHeader) {
    const auto read_on = [](const test::Bytes& bytes) {
        Headers headers;
        EXPECT_EQ(parse_frame(bytes, static_cast<uint32_t>(bytes.size()), headers), Drop::kNone);
        return parse_behind_fragment_header(bytes, headers);
    };
    const auto fragment = [](uint8_t next, const test::Bytes& rest) {
        return test::frame()
            .eth()
            .ip("fd00::1", "fd00::2")
            .frag(0, true)
            .payload(rest)
            .protocol(next);
    };
    const test::Bytes cut = {kProtocolUdp, 1, 0, 0, 0, 0, 0, 0};
    EXPECT_EQ(read_on(fragment(kProtocolDestinationOptions, cut)), Drop::kFragmentTiny);
    const test::Bytes no_l4 = {kProtocolUdp, 0, 0, 0, 0, 0, 0, 0};
    EXPECT_EQ(read_on(fragment(kProtocolDestinationOptions, no_l4)), Drop::kFragmentTiny);
    const test::Bytes nested = {kProtocolUdp, 0, 0, 8, 0, 0, 0, 1};
    EXPECT_EQ(read_on(fragment(kProtocolFragment, nested)), Drop::kFragmentBad);
}

template <class F>
class FragmentPartTest : public testing::Test {};
using Families = testing::Types<V4, V6>;
TYPED_TEST_SUITE(FragmentPartTest, Families);

TYPED_TEST(FragmentPartTest, IsReadFromTheFrame) {
    using F = TypeParam;
    const auto bytes =
        test::frame()
            .eth()
            .ip(IpAddress(test::pod_address<F>(1)), IpAddress(test::pod_address<F>(2)))
            .frag(1448, true)
            .payload(64)
            .protocol(kProtocolUdp)
            .build();
    Headers headers;
    ASSERT_EQ(parse_frame(bytes, static_cast<uint32_t>(bytes.size()), headers), Drop::kNone);
    const FragmentPart part = fragment_part<F>(bytes.data(), headers);
    EXPECT_EQ(part.offset, 1448u);
    EXPECT_EQ(part.bytes, 64u);
    EXPECT_EQ(part.limit, F::kVersion == 4 ? 65515u : 65535u);
    EXPECT_TRUE(part.more);
}

}  // namespace
}  // namespace podlane
