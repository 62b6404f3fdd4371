// Memory of connections: an array of blocks, handed out and taken back without locks.
//
// Owned by FlowTable. A worker allocates from its own list; what it retires comes back to that list
// after a grace period; lists that grow long give batches to the others.
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

/// Of a connection in memory that outlives the process: raised when another podlaned could not read
/// what this one writes.
inline constexpr uint32_t kConnectionForm = 1;

/// The array of blocks and who may use which.
///
/// A block goes: never used or free -> allocate() -> published -> retire() -> grace period -> free.
/// Threads: `worker` ids are the caller's own; at(), limit() and spare() are for anyone.
template <Family F>
class BlockPool {
  public:
    /// Room for `capacity` connections, and for what lies unused in the workers' own lists.
    BlockPool(const FlowMemory& memory, uint32_t capacity, unsigned workers);
    /// The blocks that it then has.
    [[nodiscard]] static uint32_t count_for(uint32_t capacity, unsigned workers) noexcept;
    [[nodiscard]] bool ok() const noexcept { return arena_.data() != nullptr; }

    /// A block whose life is kInserting and whose other content is of no meaning; null when there
    /// is none.
    [[nodiscard]] Connection<F>* allocate(unsigned worker) noexcept;
    /// Takes back a block that no other thread can have seen.
    void give_back(unsigned worker, Connection<F>& block) noexcept;
    /// Takes back a block that is linked nowhere any more but may still be read.
    void retire(unsigned worker, Connection<F>& block) noexcept;
    /// Blocks that have memory: the first ones. Only these are handed out; all of them unless said.
    /// May be called while workers allocate; never with less than before.
    void allow(uint32_t blocks) noexcept { allowed_.store(blocks, std::memory_order_relaxed); }
    /// For memory that another process has left, before any worker: the first `blocks` may have
    /// been used.
    void begin_with(uint32_t blocks) noexcept { fresh_.store(blocks, std::memory_order_relaxed); }
    /// One of those that is free now. Before any worker.
    void add_free(Connection<F>& block) noexcept;
    /// Moves retired blocks on, a bounded number at a time: call once per loop turn.
    void reclaim(unsigned worker, QuiescentDomain& domain) noexcept;

    [[nodiscard]] Connection<F>& at(uint32_t index) const noexcept { return blocks_[index]; }
    [[nodiscard]] uint32_t index_of(const Connection<F>& block) const noexcept {
        return static_cast<uint32_t>(&block - blocks_);
    }

    /// An entry by its number: the lines of 64 bytes before it, of which a block has three.
    [[nodiscard]] FlowEntry<F>* entry_at(uint32_t number) const noexcept {
        static_assert(sizeof(Connection<F>) == 3 * sizeof(FlowEntry<F>));
        return reinterpret_cast<FlowEntry<F>*>(blocks_) + number;
    }
    [[nodiscard]] uint32_t number_of(const FlowEntry<F>& entry) const noexcept {
        return static_cast<uint32_t>(&entry - reinterpret_cast<const FlowEntry<F>*>(blocks_));
    }
    /// Blocks below this index may have been used.
    [[nodiscard]] uint32_t limit() const noexcept {
        const uint32_t used = fresh_.load(std::memory_order_acquire);
        return used < total_ ? used : total_;
    }
    /// Blocks that any worker can have: a hint.
    [[nodiscard]] uint32_t spare() const noexcept {
        return total_ - limit() + shared_batches_.load(std::memory_order_relaxed) * batch_;
    }
    /// Blocks that this worker has or will have after the current grace periods.
    [[nodiscard]] uint32_t stash(unsigned worker) const noexcept;
    /// Blocks that move between workers at once.
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
        List ready;    ///< whose grace period is over; moved to `free` step by step
        uint64_t token = 0;
        uint32_t fresh_begin = 0, fresh_end = 0;  ///< never used, this worker's to take
    };

    /// Asks for a block's lines. In place: g++ drops calls of functions that only prefetch.
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
    alignas(kCacheLine) std::atomic<uint32_t> fresh_{0};  ///< first block that nobody took
    /// Top of the stack of shared batches: a count against ABA in the upper half, index + 1 below.
    alignas(kCacheLine) std::atomic<uint64_t> shared_{0};
    std::atomic<uint32_t> shared_batches_{0};
};

extern template class BlockPool<V4>;
extern template class BlockPool<V6>;

}  // namespace podlane
