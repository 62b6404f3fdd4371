// What all workers and the control side's handle share: tables, rings, the live snapshot.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include "dataplane/clock.h"
#include "dataplane/flow_recorder.h"
#include "dataplane/flow_targets.h"
#include "dataplane/handoff.h"
#include "dataplane/kept_flows.h"
#include "dataplane/ports/port.h"
#include "dataplane/runtime.h"
#include "dataplane/worker_ctx.h"
#include "lib/base/quiescent.h"
#include "lib/flow/table.h"
#include "lib/lb/affinity.h"
#include "lib/telemetry/peer_counts.h"

namespace podlane::dataplane {

/// One object for the process, on the heap from before the first worker starts until the last has
/// ended.
struct Shared {
    explicit Shared(unsigned worker_count)
        : workers(worker_count),
          handoff(worker_count),
          events(worker_count),
          counters(worker_count),
          recorder(worker_count) {
        for (auto& ring : events) ring = std::make_unique<EventRing>();
        for (auto& block : counters) block = std::make_unique<WorkerCounters>();
    }

    template <Family F>
    [[nodiscard]] FlowTable<F>& flows_of() noexcept {
        if constexpr (std::same_as<F, V4>) {
            return *flows_v4;
        } else {
            return *flows_v6;
        }
    }

    unsigned workers;
    Clock clock;
    IdleMode idle = IdleMode::kAdaptive;
    QuiescentDomain domain;
    PortTable ports;
    FlowTargets flow_targets;
    HandoffRings handoff;
    std::vector<std::unique_ptr<EventRing>> events;         ///< by worker
    std::vector<std::unique_ptr<WorkerCounters>> counters;  ///< by worker
    FlowRecorder recorder;
    CommandRing commands;  ///< to worker 0
    /// Made when it is first needed, and kept: a worker may hold it.
    std::unique_ptr<PeerCounts> peer_counts;
    std::array<Doorbell, kMaxWorkers> doorbells;
    Doorbell control_doorbell;
    rte_mempool* pool = nullptr;
    rte_mempool* large_pool = nullptr;
    std::unique_ptr<KeptFlows> kept_flows;  ///< null: flows end with the process
    std::unique_ptr<FlowTable<V4>> flows_v4;
    std::unique_ptr<FlowTable<V6>> flows_v6;
    std::unique_ptr<AffinityTables> affinity;
    /// Stored with release by control in publish(), loaded with acquire by each worker once a turn.
    std::atomic<const Snapshot*> snapshot{nullptr};
    /// The active probes, null without any; ordered as `snapshot` is.
    std::atomic<const ProbeSet*> probes{nullptr};
    /// Where workers count the traffic of other Nodes; null: nowhere. Ordered as `snapshot` is.
    std::atomic<PeerCounts*> peers{nullptr};
    /// Set by control with the first generation. Until then workers take no packets: what is still
    /// being put together would make them drop packets and forget flows. Cleared to let them rest.
    std::atomic<bool> begun{false};
    std::atomic<unsigned> resting{0};  ///< workers that wait for `begun` now
    std::atomic<bool> stop{false};
    std::atomic<unsigned> running{0};  ///< workers whose threads have not ended
};

}  // namespace podlane::dataplane
