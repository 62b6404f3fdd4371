// How long packets were in a worker, as a histogram of durations.
//
// Each worker adds to its own (counters.h), once for each burst that is sent; control reads it for
// `stats`. Buckets grow with the duration as in an HDR histogram: 16 for each power of two, so that
// a bucket is at most a sixteenth of its durations wide.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "lib/telemetry/counter.h"

namespace podlane {

/// Threads: as Counter.
class LatencyHistogram {
  public:
    static constexpr unsigned kSubBits = 4;
    /// Longer durations count as this one: 17 s.
    static constexpr uint64_t kLongestNs = (uint64_t{1} << 34) - 1;

    /// Constant time, no branches that depend on the duration.
    [[nodiscard]] static constexpr size_t bucket_of(uint64_t ns) noexcept {
        const uint64_t capped = ns < kLongestNs ? ns : kLongestNs;
        // Below 16 each number has a bucket of its own; the lowest bit keeps bit_width() at 5.
        const auto shift = static_cast<unsigned>(std::bit_width(capped | 16)) - 1 - kSubBits;
        return (size_t{shift} << kSubBits) + static_cast<size_t>(capped >> shift);
    }
    /// The largest duration that bucket_of() puts into this bucket.
    [[nodiscard]] static constexpr uint64_t longest_ns(size_t bucket) noexcept {
        if (bucket < 16) return bucket;
        const size_t shift = (bucket >> kSubBits) - 1;
        return ((uint64_t{16} + (bucket & 15) + 1) << shift) - 1;
    }
    static constexpr size_t kBuckets = 496;

    void add(uint64_t ns, uint64_t packets) noexcept { packets_[bucket_of(ns)].add(packets); }
    [[nodiscard]] uint64_t packets(size_t bucket) const noexcept { return packets_[bucket].get(); }

    /// The duration that the fastest `share` (0-1) of the packets did not exceed; 0 without
    /// packets.
    [[nodiscard]] uint64_t quantile_ns(double share) const noexcept {
        uint64_t total = 0;
        for (const Counter& count : packets_) total += count.get();
        const double wanted = share * static_cast<double>(total);
        uint64_t sum = 0;
        for (size_t bucket = 0; bucket < kBuckets; ++bucket) {
            sum += packets(bucket);
            if (sum > 0 && static_cast<double>(sum) >= wanted) return longest_ns(bucket);
        }
        return 0;
    }

  private:
    std::array<Counter, kBuckets> packets_;
};
static_assert(LatencyHistogram::bucket_of(LatencyHistogram::kLongestNs) + 1 ==
              LatencyHistogram::kBuckets);

}  // namespace podlane
