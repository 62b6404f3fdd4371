#include "lib/dpdk/tsc_frequency.h"

#include <gtest/gtest.h>
#include <rte_cycles.h>

#include <chrono>
#include <thread>

namespace podlane {
namespace {

using namespace std::chrono_literals;

TEST(TscFrequency, IsThatOfALongMeasurement) {
    const auto begin = std::chrono::steady_clock::now();
    const uint64_t from = rte_rdtsc();
    std::this_thread::sleep_for(300ms);
    const uint64_t cycles = rte_rdtsc() - from;
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    const double expected = static_cast<double>(cycles) / took.count();
    // NTP may slew one of the two clocks by 0.05%.
    EXPECT_NEAR(static_cast<double>(measure_tsc_hz(10ms)), expected, expected / 1000);
}

TEST(TscFrequency, TakesAsLongAsItIsAllowed) {
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_GT(measure_tsc_hz(2ms), 0u);
    const auto took = std::chrono::steady_clock::now() - begin;
    EXPECT_GE(took, 2ms);
    EXPECT_LT(took, 100ms);  // DPDK's own measurement
}

}  // namespace
}  // namespace podlane
