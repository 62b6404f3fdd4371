// Tells control of connections that begin, end or are denied, while a sample is being recorded.
//
// The slow path and the flow table call it where a connection is made, removed or refused: never
// for a packet of an established one. While nothing is recorded, each of those costs one load.
#pragma once

#include <atomic>
#include <concepts>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/clock.h"
#include "dataplane/packet.h"
#include "lib/base/spsc_ring.h"
#include "lib/border/flow_records.h"
#include "lib/flow/table.h"
#include "lib/telemetry/counter.h"

namespace podlane::dataplane {

struct WorkerCtx;

/// Threads: record(), take() and lost() on the control thread; opened(), denied() and ended() on a
/// worker with its own id; wants() on any thread.
class FlowRecorder final : FlowEndListener<V4>, FlowEndListener<V6> {
  public:
    /// Records that a worker can be ahead of control: 100 ms at 160,000 records a second.
    static constexpr size_t kSlots = 16'384;

    explicit FlowRecorder(unsigned workers) : rings_(workers), lost_(workers) {}
    FlowRecorder(const FlowRecorder&) = delete;
    FlowRecorder& operator=(const FlowRecorder&) = delete;

    /// Sets the tables to record from, and the workers' clock. Call before any worker runs.
    void attach(FlowTable<V4>& v4, FlowTable<V6>& v6, const Clock& clock) noexcept;

    /// Sets which connections are recorded from now on. The first call with a sample makes the
    /// rings.
    void record(FlowSample sample);
    /// Takes the records of all workers, each worker's oldest first. Their times are since 1970.
    [[nodiscard]] size_t take(std::span<FlowRecord> out) noexcept;
    /// Records lost to full rings since the start.
    [[nodiscard]] uint64_t lost() const noexcept;

    [[nodiscard]] bool wants(uint64_t hash) const noexcept {
        // Pairs with record(): the rings are there.
        return mark_of(hash) < sample_.load(std::memory_order_acquire);
    }
    template <Family F>
    void opened(const WorkerCtx& ctx, const Packet& packet, FlowEntry<F>& entry) noexcept;
    /// Call when the slow path has dropped the packet.
    void denied(const WorkerCtx& ctx, const Packet& packet) noexcept;

  private:
    using Ring = SpscRing<FlowRecord, kSlots>;

    [[nodiscard]] static uint32_t mark_of(uint64_t hash) noexcept {
        return static_cast<uint32_t>(hash);
    }
    void ended(unsigned worker, const Connection<V4>& connection, FlowEnd why) noexcept override {
        note_end(worker, connection, why);
    }
    void ended(unsigned worker, const Connection<V6>& connection, FlowEnd why) noexcept override {
        note_end(worker, connection, why);
    }
    template <Family F>
    [[nodiscard]] const FlowTable<F>& table() const noexcept {
        if constexpr (std::same_as<F, V4>) {
            return *v4_;
        } else {
            return *v6_;
        }
    }
    template <Family F>
    void note_end(unsigned worker, const Connection<F>& connection, FlowEnd why) noexcept;
    void push(unsigned worker, const FlowRecord& record) noexcept {
        if (!rings_[worker]->push(record)) lost_[worker].count.add(1);
    }

    struct alignas(kCacheLine) Lost {
        Counter count;
    };
    std::atomic<FlowSample> sample_{0};
    std::vector<std::unique_ptr<Ring>> rings_;  ///< by worker; null until record()
    std::vector<Lost> lost_;                    ///< by worker
    FlowTable<V4>* v4_ = nullptr;
    FlowTable<V6>* v6_ = nullptr;
    const Clock* clock_ = nullptr;
    size_t next_ = 0;  ///< take(): the worker to begin with
};

}  // namespace podlane::dataplane
