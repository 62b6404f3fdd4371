// A token bucket that several workers share: what goes to a pod's port, or comes from it, beyond its
// limit is dropped.
//
// Ports without a limit have none and pay nothing but a look at a null pointer for each burst.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "lib/base/bytes.h"
#include "lib/border/bandwidth.h"

namespace podlane::dataplane {

/// Holds the time at which the bucket will be full again, in place of its content, so that one word
/// is all that changes. Threads: any worker; the word orders nothing else.
class alignas(kCacheLine) RateMeter {
  public:
    /// The longest frame of many segments passes a full bucket, whatever the burst.
    static constexpr uint64_t kLeastBurstBits = uint64_t{8} * 66'000;

    explicit RateMeter(const RateLimit& limit) noexcept
        : ns_per_bit_(limit.bits_per_second == 0
                          ? 0
                          : 1e9 / static_cast<double>(limit.bits_per_second)) {
        const uint64_t burst =
            limit.burst_bits != 0 ? limit.burst_bits : limit.bits_per_second / 10;
        burst_ns_ = nanoseconds(std::max(burst, kLeastBurstBits));
    }

    /// Whether a frame may pass at `now_ns`, of any clock that only goes on; taken then.
    [[nodiscard]] bool take(uint64_t now_ns, uint32_t bytes) noexcept {
        if (ns_per_bit_ == 0) return true;
        const uint64_t cost_ns = nanoseconds(uint64_t{8} * bytes);
        uint64_t full_ns = full_ns_.load(std::memory_order_relaxed);
        while (true) {
            const uint64_t after = std::max(full_ns, now_ns) + cost_ns;
            if (after > now_ns + burst_ns_) return false;
            if (full_ns_.compare_exchange_weak(full_ns, after, std::memory_order_relaxed)) {
                return true;
            }
        }
    }

  private:
    /// How long so many bits take, thirty years at most.
    [[nodiscard]] uint64_t nanoseconds(uint64_t bits) const noexcept {
        return static_cast<uint64_t>(std::min(static_cast<double>(bits) * ns_per_bit_, 1e18));
    }

    double ns_per_bit_;  ///< 0: no limit
    uint64_t burst_ns_ = 0;
    std::atomic<uint64_t> full_ns_{0};
};

/// A port's, each way.
struct PortMeters {
    explicit PortMeters(const Bandwidth& limits) noexcept
        : to_port(limits.ingress), from_port(limits.egress) {}

    RateMeter to_port, from_port;
};

}  // namespace podlane::dataplane
