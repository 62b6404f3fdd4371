// How many connections each holder, a port or a service, has. Used when the table is nearly full.
//
// Owned by FlowTable. docs/decisions/shares.md says how the rest of the table is shared.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace podlane {

/// Ports come first, then services by the lower bits of their number.
inline constexpr unsigned kPortHolders = 512;
inline constexpr unsigned kServiceHolders = 512;
inline constexpr unsigned kHolders = kPortHolders + kServiceHolders;
/// For a connection that counts for no holder.
inline constexpr uint16_t kNoHolder = 0xffff;

/// One worker's counts: connections that it has made less those that it has removed, so only the
/// sum over all workers means something.
/// Threads: written by its worker, read by any.
class HeldCounts {
  public:
    void add(uint16_t holder, int32_t change) noexcept {
        if (holder >= kHolders) return;
        auto& count = counts_[holder];
        count.store(count.load(std::memory_order_relaxed) + change, std::memory_order_relaxed);
    }
    [[nodiscard]] int32_t get(uint16_t holder) const noexcept {
        return counts_[holder].load(std::memory_order_relaxed);
    }

  private:
    std::array<std::atomic<int32_t>, kHolders> counts_{};
};

}  // namespace podlane
