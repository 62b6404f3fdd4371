#include "control/metrics/node_metrics.h"

namespace podlane::control {

DurationMetrics duration_metrics(const LatencyHistogram& durations) noexcept {
    DurationMetrics out;
    size_t next = 0;
    for (size_t bucket = 0; bucket < LatencyHistogram::kBuckets; ++bucket) {
        const uint64_t longest = LatencyHistogram::longest_ns(bucket);
        // A power of two is a border of the histogram's own buckets as well.
        while (next < out.counts.size() && longest > DurationMetrics::longest_ns(next)) {
            out.counts[next++] = out.count;
        }
        const uint64_t packets = durations.packets(bucket);
        const uint64_t shortest = bucket == 0 ? 0 : LatencyHistogram::longest_ns(bucket - 1) + 1;
        out.count += packets;
        out.sum_seconds +=
            static_cast<double>(packets) * static_cast<double>(shortest + longest) / 2e9;
    }
    return out;
}

}  // namespace podlane::control
