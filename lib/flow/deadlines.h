// When the sweep must look at each block: one number a block, apart from the blocks.
//
// A pass over the table each second reads only these, sixteen to a cache line, and touches a
// connection's own lines only when something may have to be done about it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "lib/flow/arena.h"

namespace podlane {

/// Seconds of the worker clock, by block.
///
/// Threads: any. The numbers are hints: the connection's state decides, and is read afterwards.
class Deadlines {
  public:
    Deadlines(const FlowMemory& memory, uint32_t blocks)
        : arena_(memory, size_t{blocks} * sizeof(std::atomic<uint32_t>)),
          // Zeroed memory is a valid array: every block is due at once, until a first look finds it
          // unused.
          second_(static_cast<std::atomic<uint32_t>*>(arena_.data())) {}
    [[nodiscard]] bool ok() const noexcept { return second_ != nullptr; }

    /// The present number, to be passed to replace().
    [[nodiscard]] uint32_t at(uint32_t block) const noexcept {
        return second_[block].load(std::memory_order_relaxed);
    }
    /// The sweep need not look before `second`.
    void set(uint32_t block, uint32_t second) noexcept {
        second_[block].store(second, std::memory_order_relaxed);
    }
    /// The sweep need not look at all: the block is unused.
    void clear(uint32_t block) noexcept { set(block, kNever); }
    /// Sets `second` unless the number is no longer `seen`.
    void replace(uint32_t block, uint32_t seen, uint32_t second) noexcept {
        second_[block].compare_exchange_strong(seen, second, std::memory_order_relaxed);
    }

    static constexpr uint32_t kAtOnce = 0;
    static constexpr uint32_t kNever = ~uint32_t{0};

  private:
    FlowArena arena_;
    std::atomic<uint32_t>* second_;
};

}  // namespace podlane
