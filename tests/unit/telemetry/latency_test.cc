#include "lib/telemetry/latency.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

#include "lib/telemetry/counter.h"

namespace podlane {
namespace {

TEST(Latency, BucketsFollowOneAnotherWithoutGap) {
    for (size_t bucket = 0; bucket < LatencyHistogram::kBuckets; ++bucket) {
        const uint64_t longest = LatencyHistogram::longest_ns(bucket);
        EXPECT_EQ(LatencyHistogram::bucket_of(longest), bucket);
        if (bucket + 1 < LatencyHistogram::kBuckets) {
            EXPECT_EQ(LatencyHistogram::bucket_of(longest + 1), bucket + 1);
        }
    }
    EXPECT_EQ(LatencyHistogram::bucket_of(0), 0u);
    EXPECT_EQ(LatencyHistogram::bucket_of(~uint64_t{0}), LatencyHistogram::kBuckets - 1);
}

TEST(Latency, ABucketIsASixteenthWideAtMost) {
    for (size_t bucket = 17; bucket < LatencyHistogram::kBuckets; ++bucket) {
        const uint64_t before = LatencyHistogram::longest_ns(bucket - 1);
        EXPECT_LE((LatencyHistogram::longest_ns(bucket) - before) * 16, before + 1);
    }
}

TEST(Latency, QuantilesAreThoseOfTheSamplesButForTheBucketsWidth) {
    const auto histogram = std::make_unique<LatencyHistogram>();
    EXPECT_EQ(histogram->quantile_ns(0.5), 0u);
    std::mt19937 random(3);
    std::vector<uint64_t> samples(10'000);
    for (uint64_t& sample : samples) {
        sample = uint64_t{1} << (random() % 20);
        sample += random() % sample;
        histogram->add(sample, 2);
    }
    std::sort(samples.begin(), samples.end());
    for (const double share : {0.01, 0.5, 0.9, 0.99, 0.999}) {
        const auto exact = samples[static_cast<size_t>(share * 10'000) - 1];
        EXPECT_GE(histogram->quantile_ns(share), exact) << share;
        EXPECT_LE(histogram->quantile_ns(share), exact + exact / 16) << share;
    }
}

TEST(Latency, PacketsOfABurstWeighTogether) {
    const auto histogram = std::make_unique<LatencyHistogram>();
    histogram->add(100, 32);
    histogram->add(5000, 1);
    EXPECT_EQ(histogram->packets(LatencyHistogram::bucket_of(100)), 32u);
    EXPECT_EQ(histogram->quantile_ns(0.9),
              LatencyHistogram::longest_ns(LatencyHistogram::bucket_of(100)));
    EXPECT_EQ(histogram->quantile_ns(1),
              LatencyHistogram::longest_ns(LatencyHistogram::bucket_of(5000)));
}

}  // namespace
}  // namespace podlane
