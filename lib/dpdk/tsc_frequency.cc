#include "lib/dpdk/tsc_frequency.h"

#include <rte_cycles.h>
#include <time.h>

#include <optional>

namespace podlane {

namespace {

constexpr int64_t kNsPerSecond = 1'000'000'000;
/// A reading that was interrupted takes longer than the others.
constexpr int kReadings = 16;

/// The same moment on both clocks.
struct Moment {
    uint64_t tsc;
    int64_t ns;
};

std::optional<Moment> now() noexcept {
    std::optional<Moment> best;
    uint64_t shortest = ~uint64_t{0};
    for (int i = 0; i < kReadings; ++i) {
        timespec time{};
        const uint64_t before = rte_rdtsc_precise();
        if (clock_gettime(CLOCK_MONOTONIC_RAW, &time) != 0) return std::nullopt;
        const uint64_t took = rte_rdtsc_precise() - before;
        if (took >= shortest) continue;
        shortest = took;
        best = {before + took / 2, time.tv_sec * kNsPerSecond + time.tv_nsec};
    }
    return best;
}

}  // namespace

uint64_t measure_tsc_hz(std::chrono::nanoseconds span) noexcept {
    const std::optional<Moment> begin = now();
    if (!begin) return 0;
    timespec rest{span.count() / kNsPerSecond, span.count() % kNsPerSecond};
    while (nanosleep(&rest, &rest) != 0) {
    }
    const std::optional<Moment> end = now();
    if (!end || end->ns <= begin->ns) return 0;
    return static_cast<uint64_t>(static_cast<double>(end->tsc - begin->tsc) * kNsPerSecond /
                                 static_cast<double>(end->ns - begin->ns));
}

}  // namespace podlane

/// In place of DPDK's own; 0 makes DPDK estimate.
// NOLINTNEXTLINE(bugprone-reserved-identifier): the linker makes this name
extern "C" uint64_t __wrap_get_tsc_freq() {
    return podlane::measure_tsc_hz(std::chrono::milliseconds(10));
}
