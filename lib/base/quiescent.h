// Grace periods: how memory that workers read without locks is reused or freed.
//
// A reader promises to hold no pointer into shared structures when it calls quiescent(), once per
// loop turn. A writer that has unlinked something gets a token from start_grace() and may reuse the
// memory once passed(token): every reader that was online has been quiescent since. The flow table
// reuses blocks this way, and the publisher frees old snapshots.
#pragma once

#include <array>
#include <atomic>
#include <cassert>
#include <chrono>
#include <cstdint>
#include <thread>

#include "lib/base/bytes.h"

namespace podlane {

/// Quiescent-state based reclamation for a fixed number of readers.
///
/// Threads: each reader id belongs to one thread at a time, and online(), offline(), quiescent()
/// are called by that thread. Any thread may call start_grace(), passed() and wait_for(), readers
/// included (but a reader that waits while online waits for itself). Nothing here blocks a reader.
///
/// Why it holds: a reader stores an epoch only after it has loaded that epoch with acquire, and
/// start_grace() raises the epoch after the unlinking. So a reader that shows an epoch >= token has
/// seen the unlinking. And since it stored with release, it is done with all that it read before.
class QuiescentDomain {
  public:
    /// 64 workers, and a few readers on the control side.
    static constexpr unsigned kMaxReaders = 72;

    QuiescentDomain() = default;
    QuiescentDomain(const QuiescentDomain&) = delete;
    QuiescentDomain& operator=(const QuiescentDomain&) = delete;

    /// From now on grace periods wait for this reader. Call before its first read of anything
    /// shared, and after a sleep. Idempotent.
    void online(unsigned reader) noexcept {
        std::atomic<uint64_t>& seen = slot(reader);
        unsigned known = readers_.load(std::memory_order_seq_cst);
        while (known <= reader &&
               !readers_.compare_exchange_weak(known, reader + 1, std::memory_order_seq_cst)) {
        }
        uint64_t epoch = epoch_.load(std::memory_order_seq_cst);
        // The second load closes the gap in which a writer raised the epoch and did not yet see us.
        // By the single order of seq_cst either the writer sees our store, or we see its epoch and
        // with it what it unlinked. Pairs with start_grace() and passed().
        for (;;) {
            seen.store(epoch, std::memory_order_seq_cst);
            const uint64_t again = epoch_.load(std::memory_order_seq_cst);
            if (again == epoch) return;
            epoch = again;
        }
    }

    /// Grace periods no longer wait for this reader, which holds nothing shared from here on.
    void offline(unsigned reader) noexcept {
        slot(reader).store(kOffline, std::memory_order_release);  // pairs with passed()
    }

    /// Once per loop turn of an online reader: it holds nothing shared at this point. Costs one
    /// load of a line that rarely changes; stores to its own line only after a grace period has
    /// begun.
    void quiescent(unsigned reader) noexcept {
        std::atomic<uint64_t>& seen = slot(reader);
        const uint64_t epoch = epoch_.load(std::memory_order_acquire);  // pairs with start_grace()
        if (seen.load(std::memory_order_relaxed) != epoch) {
            seen.store(epoch, std::memory_order_release);  // pairs with passed()
        }
    }

    /// Begins a grace period for all that this thread has unlinked so far.
    [[nodiscard]] uint64_t start_grace() noexcept {
        // Pairs with the loads in quiescent() and online().
        return epoch_.fetch_add(1, std::memory_order_seq_cst) + 1;
    }

    /// True once no reader can still hold what was unlinked before start_grace() gave `token`.
    [[nodiscard]] bool passed(uint64_t token) const noexcept {
        // A reader that is not counted here yet comes online after start_grace().
        const unsigned readers = readers_.load(std::memory_order_seq_cst);
        for (unsigned i = 0; i < readers; ++i) {
            // Pairs with the stores in quiescent(), offline() and online(). kOffline is above any
            // token.
            if (slots_[i].seen.load(std::memory_order_seq_cst) < token) return false;
        }
        return true;
    }

    /// Waits until passed(token), sleeping in between; false if a reader is still behind after
    /// `most`. Not for a reader that is online.
    [[nodiscard]] bool wait_for(uint64_t token, std::chrono::milliseconds most) const {
        const auto deadline = std::chrono::steady_clock::now() + most;
        for (unsigned tries = 0; !passed(token); ++tries) {
            if (tries < 100) {
                std::this_thread::yield();
                continue;
            }
            if (std::chrono::steady_clock::now() >= deadline) return passed(token);
            std::this_thread::sleep_for(std::chrono::microseconds(50));
        }
        return true;
    }

    /// True while this reader may still hold what was unlinked before start_grace() gave `token`.
    [[nodiscard]] bool is_behind(unsigned reader, uint64_t token) const noexcept {
        return slots_[reader].seen.load(std::memory_order_seq_cst) < token;
    }

  private:
    static constexpr uint64_t kOffline = ~uint64_t{0};
    struct alignas(kCacheLine) Slot {
        std::atomic<uint64_t> seen{kOffline};  ///< the epoch shown, or kOffline
    };

    std::atomic<uint64_t>& slot(unsigned reader) noexcept {
        assert(reader < kMaxReaders);
        return slots_[reader].seen;
    }

    alignas(kCacheLine) std::atomic<uint64_t> epoch_{1};
    std::atomic<unsigned> readers_{0};  ///< one more than the highest id that was ever online
    alignas(kCacheLine) std::array<Slot, kMaxReaders> slots_{};
};

/// Keeps a reader online for a scope: for threads that read only now and then.
class QuiescentReader {
  public:
    QuiescentReader(QuiescentDomain& domain, unsigned reader) noexcept
        : domain_(domain), reader_(reader) {
        domain_.online(reader_);
    }
    ~QuiescentReader() { domain_.offline(reader_); }
    QuiescentReader(const QuiescentReader&) = delete;
    QuiescentReader& operator=(const QuiescentReader&) = delete;

  private:
    QuiescentDomain& domain_;
    unsigned reader_;
};

}  // namespace podlane
