// What a scrape tells of the node, as plain typed values.
//
// The node model fills it (control/node/node_metrics.cc), families.cc writes it as text. Counts
// only grow while the process lives; what it is not sure to keep growing is a gauge.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/dns/name_server.h"
#include "control/kube/meta.h"
#include "lib/base/drop.h"
#include "lib/border/dataplane.h"
#include "lib/border/port_state.h"
#include "lib/telemetry/latency.h"

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
[[nodiscard]] DurationMetrics duration_metrics(const LatencyHistogram& durations) noexcept;

struct PortMetrics {
    std::string name;
    std::string_view kind;
    LinkState link = LinkState::kUp;
    uint32_t mbit_per_second = 0;  ///< 0: not known
    uint64_t rx_packets = 0, rx_bytes = 0, tx_packets = 0, tx_bytes = 0;
    uint64_t rx_dropped = 0, tx_dropped = 0;  ///< by workers
    DeviceLosses device;                      ///< by the device itself
};

struct WorkerMetrics {
    unsigned id = 0;
    bool alive = false;
    uint64_t rx_packets = 0, slow_path = 0, held = 0;
    uint64_t busy_cycles = 0, idle_cycles = 0;
    DurationMetrics latency;
};

struct ServiceMetrics {
    std::string name_space, name;
    uint64_t connections = 0;
    uint64_t endpoints = 0;  ///< that connections may get, at the port that has most
};

struct DnsMetrics {
    std::array<uint64_t, kDnsOutcomes> by_workers{};
    uint64_t truncated = 0;
    std::optional<NameServerStats> server;
};

/// A number of things that have a word in common.
struct WordCount {
    std::string_view word;
    uint64_t count = 0;
};

struct NodeMetrics {
    std::string node;
    uint64_t generation = 0;
    bool is_serving = false;
    std::vector<PortMetrics> ports;
    std::vector<WorkerMetrics> workers;
    std::array<uint64_t, kDropCount> drops{};
    FlowTotals flows;
    uint64_t affinity_capacity = 0, affinity_full = 0;
    uint64_t snat_tries = 0, snat_exhausted = 0;  ///< the latter: destinations
    BufferTotals buffers;
    std::optional<DnsMetrics> dns;
    /// Those that have a series of their own, and the connections of all others together.
    std::vector<ServiceMetrics> services;
    uint64_t other_connections = 0, other_services = 0;
    std::vector<WordCount> objects;     ///< by kind
    std::vector<WordCount> neighbours;  ///< by state
    std::vector<WordCount> addresses;   ///< of LoadBalancer Services, by what became of them
    uint64_t changes = 0, refused_changes = 0;  ///< of objects
    DurationMetrics publish;                    ///< from a change to its being in use
};

}  // namespace podlane::control
