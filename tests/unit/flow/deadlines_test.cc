#include "lib/flow/deadlines.h"

#include <gtest/gtest.h>

namespace podlane {
namespace {

TEST(Deadlines, NewOnesAreDueAtOnce) {
    const Deadlines deadlines({}, 100);
    ASSERT_TRUE(deadlines.ok());
    EXPECT_EQ(deadlines.at(0), Deadlines::kAtOnce);
    EXPECT_EQ(deadlines.at(99), Deadlines::kAtOnce);
}

TEST(Deadlines, AreSetHastenedAndClearedBlockByBlock) {
    Deadlines deadlines({}, 3);
    for (uint32_t block = 0; block < 3; ++block) deadlines.set(block, 70 + block);
    deadlines.set(0, Deadlines::kAtOnce);
    deadlines.clear(2);
    EXPECT_EQ(deadlines.at(0), Deadlines::kAtOnce);
    EXPECT_EQ(deadlines.at(1), 71u);
    EXPECT_EQ(deadlines.at(2), Deadlines::kNever);
}

TEST(Deadlines, AStaleReplacementChangesNothing) {
    Deadlines deadlines({}, 1);
    deadlines.set(0, 70);
    deadlines.set(0, Deadlines::kAtOnce);
    deadlines.replace(0, 70, 130);
    EXPECT_EQ(deadlines.at(0), Deadlines::kAtOnce);
    deadlines.replace(0, Deadlines::kAtOnce, 130);
    EXPECT_EQ(deadlines.at(0), 130u);
}

}  // namespace
}  // namespace podlane
