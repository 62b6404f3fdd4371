// Memory of connections: an array of blocks, handed out and taken back without locks.
//
// Owned by FlowTable. A worker allocates from its own list. Blocks that it retires come back to
// that list after a grace period. Lists that grow long give batches to the other workers.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "lib/base/bytes.h"
#include "lib/base/family.h"
#include "lib/base/quiescent.h"
#include "lib/flow/arena.h"
#include "lib/flow/entry.h"

namespace podlane {

/// The form of a connection in memory that outlives the process; raised when another version of
/// podlaned could not read what this one writes.
inline constexpr uint32_t kConnectionForm = 1;

/// The array of blocks, and which worker may use which block.
///
/// A block goes: never used or free -> allocate() -> published -> retire() -> grace period -> free.
/// Threads: `worker` is the caller's own id; any thread may call at(), limit() and spare().
template <Family F>
class BlockPool {
  public:
    /// Room for `capacity` connections, and for blocks that lie unused in the workers' lists.
    BlockPool(const FlowMemory& memory, uint32_t capacity, unsigned workers);
    /// The number of blocks that the constructor makes.
    [[nodiscard]] static uint32_t count_for(uint32_t capacity, unsigned workers) noexcept;
    [[nodiscard]] bool ok() const noexcept { return arena_.data() != nullptr; }

    /// A block with its life set to kInserting and otherwise undefined content; null if there is
    /// none.
    [[nodiscard]] Connection<F>* allocate(unsigned worker) noexcept;
    /// Takes back a block that no other thread can have seen.
    void give_back(unsigned worker, Connection<F>& block) noexcept;
    /// Takes back a block that is no longer linked anywhere but may still be read.
    void retire(unsigned worker, Connection<F>& block) noexcept;
    /// Sets how many blocks, from the first, have memory; by default all. Only these are handed
    /// out. May be called while workers allocate; never with less than before.
    void allow(uint32_t blocks) noexcept { allowed_.store(blocks, std::memory_order_relaxed); }
    /// For memory that another process left: its first `blocks` may have been used. Before any
    /// worker runs.
    void begin_with(uint32_t blocks) noexcept { fresh_.store(blocks, std::memory_order_relaxed); }
    /// Adds one of those that is free now. Before any worker runs.
    void add_free(Connection<F>& block) noexcept;
    /// Moves retired blocks on, a bounded number at a time: call once per loop turn.
    void reclaim(unsigned worker, QuiescentDomain& domain) noexcept;

    [[nodiscard]] Connection<F>& at(uint32_t index) const noexcept { return blocks_[index]; }
    [[nodiscard]] uint32_t index_of(const Connection<F>& block) const noexcept {
        return static_cast<uint32_t>(&block - blocks_);
    }

    /// An entry by its number, which is its distance from the array's start in lines of 64 bytes; a
    /// block has three lines.
    [[nodiscard]] FlowEntry<F>* entry_at(uint32_t number) const noexcept {
        static_assert(sizeof(Connection<F>) == 3 * sizeof(FlowEntry<F>));
        return reinterpret_cast<FlowEntry<F>*>(blocks_) + number;
    }
    [[nodiscard]] uint32_t number_of(const FlowEntry<F>& entry) const noexcept {
        return static_cast<uint32_t>(&entry - reinterpret_cast<const FlowEntry<F>*>(blocks_));
    }
    /// Blocks from this index on were never used.
    [[nodiscard]] uint32_t limit() const noexcept {
        const uint32_t used = fresh_.load(std::memory_order_acquire);
        return used < total_ ? used : total_;
    }
    /// How many blocks a worker can still get: a hint.
    [[nodiscard]] uint32_t spare() const noexcept {
        return total_ - limit() + shared_batches_.load(std::memory_order_relaxed) * batch_;
    }
    /// How many blocks this worker has, or will have after the current grace periods.
    [[nodiscard]] uint32_t stash(unsigned worker) const noexcept;
    /// How many blocks move between workers at once.
    [[nodiscard]] uint32_t batch() const noexcept { return batch_; }
    [[nodiscard]] uint32_t total() const noexcept { return total_; }

  private:
    /// A list of blocks through ConnectionState::next; index + 1 of the first, or 0.
    struct List {
        uint32_t head = 0;
        uint32_t count = 0;
    };
    struct alignas(kCacheLine) Cache {
        List free;     ///< to allocate from
        List retired;  ///< since the last grace period began
        List waiting;  ///< until `token` has passed
        List ready;    ///< with their grace period over; moved to `free` step by step
        uint64_t token = 0;
        uint32_t fresh_begin = 0, fresh_end = 0;  ///< never used, reserved for this worker
    };

    /// Prefetches a block's lines. Inlined: g++ drops calls of functions that only prefetch.
    [[gnu::always_inline]] static void prefetch_block(const Connection<F>& block) noexcept {
        const auto* bytes = reinterpret_cast<const char*>(&block);
        for (size_t at = 0; at < sizeof block; at += kCacheLine) __builtin_prefetch(bytes + at);
    }
    void push(List& list, Connection<F>& block) noexcept;
    [[nodiscard]] Connection<F>* pop(List& list) noexcept;
    void share_batch(Cache& cache) noexcept;
    [[nodiscard]] bool take_batch(Cache& cache) noexcept;
    [[nodiscard]] bool take_fresh(Cache& cache) noexcept;

    FlowArena arena_;
    Connection<F>* blocks_ = nullptr;
    uint32_t total_ = 0;
    std::atomic<uint32_t> allowed_{UINT32_MAX};
    uint32_t batch_ = 1;
    std::unique_ptr<Cache[]> caches_;
    alignas(kCacheLine) std::atomic<uint32_t> fresh_{0};  ///< first block never taken
    /// Top of the stack of shared batches: a count against ABA in the upper half, index + 1 below.
    alignas(kCacheLine) std::atomic<uint64_t> shared_{0};
    std::atomic<uint32_t> shared_batches_{0};
};

extern template class BlockPool<V4>;
extern template class BlockPool<V6>;

}  // namespace podlane
