// One number that goes up: the building block of counters.h and latency.h.
#pragma once

#include <atomic>
#include <cstdint>

namespace podlane {

/// A number that one thread raises and others may read at any time.
class Counter {
  public:
    void add(uint64_t n) noexcept {
        value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
    }
    [[nodiscard]] uint64_t get() const noexcept { return value_.load(std::memory_order_relaxed); }

  private:
    std::atomic<uint64_t> value_{0};
};

/// A number that one thread sets and others may read at any time.
class Gauge {
  public:
    void set(uint64_t n) noexcept {
        if (get() != n) value_.store(n, std::memory_order_relaxed);
    }
    [[nodiscard]] uint64_t get() const noexcept { return value_.load(std::memory_order_relaxed); }

  private:
    std::atomic<uint64_t> value_{0};
};

}  // namespace podlane
