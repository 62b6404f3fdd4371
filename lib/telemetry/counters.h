// Counters that workers raise and control reads. One block for each worker, written by it alone.
#pragma once

#include <array>
#include <cstdint>

#include "lib/base/bytes.h"
#include "lib/base/drop.h"
#include "lib/model/ids.h"
#include "lib/telemetry/counter.h"
#include "lib/telemetry/latency.h"
#include "lib/telemetry/snat_shortages.h"
#include "lib/telemetry/stages.h"

namespace podlane {

struct PortCounters {
    Counter rx_packets, rx_bytes, tx_packets, tx_bytes;
    Counter rx_dropped;  ///< came from this port and were dropped for any reason
    Counter tx_dropped;  ///< should have left by this port and did not
};

/// Connections made through services, by ServiceId; ids beyond this share slot 0.
inline constexpr size_t kServiceCounters = 1 << 17;

/// DNS queries that a worker saw, by DnsOutcome (lib/dns/answer.h): room for all outcomes.
inline constexpr size_t kDnsCounters = 16;

/// Threads: the worker adds, any thread reads; numbers only grow.
struct alignas(kCacheLine) WorkerCounters {
    std::array<Counter, kDropCount> drops;
    std::array<PortCounters, kMaxPorts> ports;
    // Every frame is counted: rx + made = tx + drops + taken + holds now, and those in the rings
    // between workers (Dataplane::buffer_use()).
    Counter rx_packets;
    Counter tx_packets;  ///< that a port has taken
    Counter made;        ///< made by the worker: answers, copies, fragments, pieces, requests
    /// Frames that end here: ARP and ND for us, originals of floods, and frames that were cut or
    /// joined to another.
    Counter taken;
    Gauge holds;            ///< packets waiting now: for a neighbour, or their first fragment
    Counter busy_cycles;    ///< TSC cycles of turns that moved a packet
    Counter idle_cycles;    ///< TSC cycles of turns that did not, sleep included
    Counter held;           ///< packets that waited for a neighbour
    Counter affinity_full;  ///< connections for which session affinity had no room
    Counter snat_tries;     ///< source ports tried because the first one was taken
    SnatShortages snat_shortages;
    std::array<StageCounts, kPipelineStages.size()> stages;
    /// From polling the port that brought a packet to sending it, by packets sent.
    LatencyHistogram latency;
    std::array<Counter, kDnsCounters> dns;
    Counter dns_truncated;  ///< answers that were truncated
    std::array<Counter, kServiceCounters> service_connections;

    [[nodiscard]] StageCounts& at(PipelineStage stage) noexcept {
        return stages[static_cast<size_t>(stage)];
    }
    [[nodiscard]] const StageCounts& at(PipelineStage stage) const noexcept {
        return stages[static_cast<size_t>(stage)];
    }
    void drop(Drop reason, uint64_t n = 1) noexcept { drops[static_cast<size_t>(reason)].add(n); }
};

}  // namespace podlane
