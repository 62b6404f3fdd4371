// When the sweep must look at which block: one number for each, apart from the blocks.
//
// A pass over the table a second reads these alone, sixteen to a cache line, and comes to a
// connection's own lines only when something may have to be done about it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "lib/flow/arena.h"

namespace podlane {

/// Seconds of the worker clock, by block.
///
/// Threads: any. The numbers are hints: a connection's own state decides, and is read afterwards.
class Deadlines {
  public:
    Deadlines(const FlowMemory& memory, uint32_t blocks)
        : arena_(memory, size_t{blocks} * sizeof(std::atomic<uint32_t>)),
          // Zeroed memory is a valid array: kAtOnce, until a first look finds nothing there.
          second_(static_cast<std::atomic<uint32_t>*>(arena_.data())) {}
    [[nodiscard]] bool ok() const noexcept { return second_ != nullptr; }

    /// What stands there, to be given to replace().
    [[nodiscard]] uint32_t at(uint32_t block) const noexcept {
        return second_[block].load(std::memory_order_relaxed);
    }
    /// Not before `second`.
    void set(uint32_t block, uint32_t second) noexcept {
        second_[block].store(second, std::memory_order_relaxed);
    }
    /// Not at all: nothing lives there.
    void clear(uint32_t block) noexcept { set(block, kNever); }
    /// Sets `second` unless somebody has changed what stands there from `seen`.
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
