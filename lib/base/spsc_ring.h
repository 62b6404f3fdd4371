// A bounded ring of plain values between one producing and one consuming thread.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "lib/base/bytes.h"

namespace podlane {

/// Single producer, single consumer, wait-free both ways; holds Slots values, a power of two.
/// Threads: push() on one thread, pop() on one other. Any thread may call size(), which is a hint.
template <class T, size_t Slots>
class SpscRing {
    static_assert(std::is_trivially_copyable_v<T>);
    static_assert((Slots & (Slots - 1)) == 0 && Slots > 1);

  public:
    /// False when full; nothing is stored then.
    [[nodiscard]] bool push(const T& value) noexcept {
        const uint64_t tail = tail_.load(std::memory_order_relaxed);
        // Pairs with the release in pop(): the slot has been read before it is written again.
        if (tail - head_.load(std::memory_order_acquire) == Slots) return false;
        slots_[tail & (Slots - 1)] = value;
        tail_.store(tail + 1, std::memory_order_release);  // pairs with the acquire in pop()
        return true;
    }
    /// False when empty; `out` is untouched then.
    [[nodiscard]] bool pop(T& out) noexcept {
        const uint64_t head = head_.load(std::memory_order_relaxed);
        if (tail_.load(std::memory_order_acquire) == head) return false;  // pairs with push()
        out = slots_[head & (Slots - 1)];
        head_.store(head + 1, std::memory_order_release);  // pairs with the acquire in push()
        return true;
    }
    [[nodiscard]] size_t size() const noexcept {
        return static_cast<size_t>(tail_.load(std::memory_order_relaxed) -
                                   head_.load(std::memory_order_relaxed));
    }

  private:
    alignas(kCacheLine) std::atomic<uint64_t> head_{0};
    alignas(kCacheLine) std::atomic<uint64_t> tail_{0};
    alignas(kCacheLine) std::array<T, Slots> slots_{};
};

}  // namespace podlane
