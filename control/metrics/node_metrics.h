// The contents of a scrape, from the typed answers of the node model.
//
// The daemon puts it together for a request (control/daemon/http_pages.cc), families.cc writes it
// as text.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "control/show/node_stats.h"
#include "control/show/rows.h"
#include "control/show/views.h"

namespace podlane::control {

/// Durations, by powers of two of a nanosecond.
struct DurationMetrics {
    /// The longest durations of the buckets: 2^8 - 1 ns to 2^24 - 1 ns (16.8 ms).
    static constexpr unsigned kFirstBits = 8;
    static constexpr size_t kBuckets = 17;
    [[nodiscard]] static constexpr uint64_t longest_ns(size_t bucket) noexcept {
        return (uint64_t{1} << (kFirstBits + bucket)) - 1;
    }

    std::array<uint64_t, kBuckets> counts{};  ///< not longer than that: cumulative
    uint64_t count = 0;                       ///< of all
    double sum_seconds = 0;                   ///< within 1/32: from the middles of the buckets
};
[[nodiscard]] DurationMetrics duration_metrics(const LatencyStats& durations);

struct ServiceMetrics {
    std::string name_space, name;
    uint64_t connections = 0;
    uint64_t endpoints = 0;  ///< that connections may get, at the port that has most
};
/// For each Service: its connections, and the endpoints that it serves.
[[nodiscard]] std::vector<ServiceMetrics> service_metrics(const std::vector<ServiceStats>& stats,
                                                          const std::vector<FrontendRow>& served);

struct NodeMetrics {
    NodeStats stats;
    HealthReport health;
    bool is_serving = false;
    std::vector<PortRow> ports;            ///< for their links
    std::vector<NeighbourRow> neighbours;  ///< to be counted by state
    /// Services with series of their own, and the connections of all others together.
    std::vector<ServiceMetrics> services;
    uint64_t other_connections = 0, other_services = 0;
};

}  // namespace podlane::control
