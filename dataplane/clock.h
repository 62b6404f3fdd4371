// Time as workers see it: the TSC, read once a turn and once for each burst that is sent.
#pragma once

#include <rte_cycles.h>
#include <time.h>

#include <algorithm>
#include <cstdint>

namespace podlane::dataplane {

/// Milliseconds since the machine started, by CLOCK_BOOTTIME.
[[nodiscard]] inline uint64_t boot_clock_ms() noexcept {
    timespec now{};
    clock_gettime(CLOCK_BOOTTIME, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1000 +
           static_cast<uint64_t>(now.tv_nsec) / 1'000'000;
}

/// The machine's boot clock, computed from the TSC. All workers share it, and flow timestamps are
/// in it. A process that starts later on the same machine sees the same clock go on.
struct Clock {
    uint64_t start_tsc = rte_rdtsc();
    uint64_t start_ms = boot_clock_ms();  ///< the boot clock at start_tsc
    uint64_t tsc_per_ms = std::max<uint64_t>(rte_get_tsc_hz() / 1000, 1);
    uint64_t ns_per_tsc_q20 = (uint64_t{1'000'000} << 20) / tsc_per_ms;

    [[nodiscard]] uint64_t milliseconds(uint64_t tsc) const noexcept {
        return start_ms + (tsc - start_tsc) / tsc_per_ms;
    }
    [[nodiscard]] uint32_t seconds(uint64_t tsc) const noexcept {
        return static_cast<uint32_t>(milliseconds(tsc) / 1000);
    }
    /// Nanoseconds in an interval, which must be shorter than an hour.
    [[nodiscard]] uint64_t nanoseconds(uint64_t tsc_difference) const noexcept {
        return (tsc_difference * ns_per_tsc_q20) >> 20;
    }
};

}  // namespace podlane::dataplane
