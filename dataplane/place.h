// Where a worker is, for finding out why one stands still.
//
// Written for each burst and each turn, never for each packet. The control side's watch reads it
// (dataplane/worker_watch.h).
#pragma once

#include <atomic>
#include <cstdint>

#include "lib/base/bytes.h"
#include "lib/model/ids.h"
#include "lib/model/snapshot.h"

namespace podlane::dataplane {

/// Threads: the worker writes, any thread reads. Relaxed: the values do not depend on each other.
class alignas(kCacheLine) Place {
  public:
    void begin_turn() noexcept {
        turns_.store(turns_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    }
    /// `step`: "receive", or a stage's name, of static storage.
    void at(const char* step, PortId port = kNoPort) noexcept {
        step_.store(step, std::memory_order_relaxed);
        port_.store(port, std::memory_order_relaxed);
    }
    /// Takes the live snapshot for the turns to come. A snapshot that a worker holds is not freed,
    /// even when all others have moved on.
    [[nodiscard]] const Snapshot* hold(const std::atomic<const Snapshot*>& live) noexcept {
        const Snapshot* found = live.load(std::memory_order_seq_cst);
        for (;;) {
            // By the single order of seq_cst, either publish() sees this store or we see its
            // snapshot.
            held_.store(found, std::memory_order_seq_cst);
            const Snapshot* const again = live.load(std::memory_order_seq_cst);
            if (again == found) return found;
            found = again;
        }
    }

    /// Rises by one each turn. An idle worker sleeps for a quarter of a second at most.
    [[nodiscard]] uint64_t turns() const noexcept { return turns_.load(std::memory_order_relaxed); }
    [[nodiscard]] const char* step() const noexcept {
        return step_.load(std::memory_order_relaxed);
    }
    [[nodiscard]] bool holds(const Snapshot* snapshot) const noexcept {
        return held_.load(std::memory_order_seq_cst) == snapshot;
    }
    /// The port that the step works on; kNoPort: none.
    [[nodiscard]] PortId port() const noexcept { return port_.load(std::memory_order_relaxed); }

  private:
    std::atomic<const char*> step_{"start"};
    std::atomic<PortId> port_{kNoPort};
    std::atomic<uint64_t> turns_{0};
    std::atomic<const Snapshot*> held_{nullptr};
};

}  // namespace podlane::dataplane
