#include "lib/flow/arena.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <utility>

namespace podlane {
namespace {

TEST(FlowArena, MemoryIsZeroedAndMovesWithItsOwner) {
    FlowArena first({}, 1 << 16);
    ASSERT_NE(first.data(), nullptr);
    auto* bytes = static_cast<uint8_t*>(first.data());
    for (size_t i = 0; i < 1 << 16; ++i) ASSERT_EQ(bytes[i], 0);
    FlowArena second(std::move(first));
    EXPECT_EQ(second.data(), bytes);
    FlowArena third;
    EXPECT_EQ(third.data(), nullptr);
    third = std::move(second);
    EXPECT_EQ(third.data(), bytes);
}

}  // namespace
}  // namespace podlane
