#include "lib/telemetry/counters.h"

#include <gtest/gtest.h>

#include <memory>

namespace podlane {
namespace {

TEST(Counters, AddUpAndDropsAreCountedByReason) {
    const auto counters = std::make_unique<WorkerCounters>();
    counters->drop(Drop::kNoRoute);
    counters->drop(Drop::kNoRoute, 3);
    counters->ports[2].rx_bytes.add(1500);
    EXPECT_EQ(counters->drops[static_cast<size_t>(Drop::kNoRoute)].get(), 4u);
    EXPECT_EQ(counters->drops[static_cast<size_t>(Drop::kTooBig)].get(), 0u);
    EXPECT_EQ(counters->ports[2].rx_bytes.get(), 1500u);
    EXPECT_EQ(counters->ports[3].rx_bytes.get(), 0u);
}

TEST(Counters, WorkersDoNotShareACacheLine) {
    EXPECT_EQ(alignof(WorkerCounters), kCacheLine);
    EXPECT_EQ(sizeof(WorkerCounters) % kCacheLine, 0u);
}

}  // namespace
}  // namespace podlane
