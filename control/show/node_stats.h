// A node's counters, as plain typed values: the only form in which a number leaves the node model.
//
// The node model fills them from its workers' counters, on the control thread; front ends render
// them (stats_json.h is one). All counts are since the start and only grow, unless stated
// otherwise.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "control/dns/name_server.h"
#include "control/loadbalancer/allocator.h"
#include "control/show/logged_flow.h"
#include "lib/base/drop.h"
#include "lib/border/dataplane.h"
#include "lib/border/port_state.h"
#include "lib/dns/answer.h"
#include "lib/telemetry/peer_counts.h"
#include "lib/telemetry/snat_shortages.h"
#include "lib/telemetry/stages.h"

namespace podlane::control {

/// What workers counted at a port, all of them together.
struct PortTotals {
    uint64_t rx_packets = 0, rx_bytes = 0, tx_packets = 0, tx_bytes = 0;
    uint64_t rx_dropped = 0, tx_dropped = 0;
};

struct PortStats {
    std::string name;
    PortKind kind = PortKind::kNone;
    std::string device;
    PortTotals totals;    ///< since the port was opened; with what its device lost
    DeviceLosses losses;  ///< of `totals`, what the device lost
};

struct LatencyBucket {
    uint64_t longest_ns = 0;
    uint64_t packets = 0;  ///< of this bucket alone
};

/// How long the packets that left were in a worker.
struct LatencyStats {
    uint64_t p50_ns = 0, p99_ns = 0, p999_ns = 0;  ///< 0: no packet yet
    std::vector<LatencyBucket> buckets;            ///< those that have packets, shortest first
};

struct WorkerStats {
    unsigned id = 0;
    int cpu = -1;  ///< -1: not known
    int tid = 0;   ///< Linux thread id
    uint64_t rx_packets = 0;
    uint64_t busy_cycles = 0, idle_cycles = 0;  ///< of the TSC
    uint64_t slow_path = 0;                     ///< packets that took the slow path
    uint64_t held = 0;                          ///< packets that waited for a neighbour
    LatencyStats latency;
};

/// Packets by Drop; the entry of Drop::kNone is 0.
using DropCounts = std::array<uint64_t, kDropCount>;

struct AffinityStats {
    uint64_t capacity = 0;  ///< clients that can be remembered, in each family
    uint64_t full = 0;      ///< connections whose client could not be remembered for lack of room
};

struct SnatStats {
    uint64_t tries = 0;  ///< source ports tried because the first one was another's
    /// Destinations towards which no source port was free, the most refused first.
    std::vector<SnatShortage> exhausted;
};

struct ServiceStats {
    std::string service;   ///< "namespace/name"
    uint64_t created = 0;  ///< connections
};

struct DnsStats {
    std::array<uint64_t, kDnsOutcomes> workers{};  ///< queries by DnsOutcome
    uint64_t truncated = 0;                        ///< of the workers' answers, those cut
    std::optional<NameServerStats> server;         ///< none without a server behind the workers
};

/// Accounts for every frame: received + made = sent + dropped + taken + held, exactly while no
/// frame moves.
struct FrameStats {
    uint64_t received = 0, made = 0, sent = 0, dropped = 0, taken = 0, held = 0;
    uint64_t lost_before = 0;  ///< by devices, before `received`
    uint64_t lost_after = 0;   ///< by devices, after `sent`
    uint64_t buffers_total = 0, buffers_in_use = 0;
};

/// Packets that a pipeline stage handled, and how many of them it passed on.
struct StageStats {
    uint64_t in = 0, out = 0;
};

struct ObjectStats {
    uint64_t refused = 0;        ///< now: not served, or not whole
    uint64_t refused_total = 0;  ///< how often one came to be refused
};

/// All of it, as `stats` answers.
struct NodeStats {
    uint64_t generation = 0;
    std::vector<PortStats> ports;
    std::vector<WorkerStats> workers;
    FrameStats frames;
    DropCounts drops{};
    std::array<StageStats, kPipelineStages.size()> stages{};  ///< by PipelineStage
    FlowTotals flows;
    uint64_t kernel_flows = 0;  ///< those of them that the node's kernel carries
    ObjectStats objects;
    AffinityStats affinity;
    SnatStats snat;
    std::vector<ServiceStats> services;  ///< by name
    AllocationTotals load_balancer;
    std::optional<DnsStats> dns;           ///< none if the node does not serve DNS
    std::optional<FlowLogStats> flow_log;  ///< none while the flow log is off
};

struct PeerStats {
    std::string node;  ///< its name
    PeerTraffic traffic;
};

/// As `peers` answers: traffic from and to the other Nodes, counted while somebody looks.
struct PeerReport {
    uint64_t milliseconds = 0;     ///< for how long it was counted: the time for rates
    std::vector<PeerStats> peers;  ///< by name
};

/// As `drops` answers.
struct DropStats {
    DropCounts packets{};
};

}  // namespace podlane::control
