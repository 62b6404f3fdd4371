// How fast the time stamp counter counts.
//
// DPDK measures it while it starts, by sleeping for 100 ms, in which a node that restarts forwards
// nothing. Where DPDK is linked statically, it asks the function here instead (lib/dpdk/meson.build
// wraps `get_tsc_freq`). Any thread.
#pragma once

#include <chrono>
#include <cstdint>

namespace podlane {

/// Cycles a second, measured against CLOCK_MONOTONIC_RAW for `span` of time, in which the thread
/// sleeps. Both ends of the span are known to about 50 ns, so 10 ms give it to 10 in a million.
/// DPDK's own figure is rounded to 10 MHz. 0: there is no such clock.
[[nodiscard]] uint64_t measure_tsc_hz(std::chrono::nanoseconds span) noexcept;

}  // namespace podlane
