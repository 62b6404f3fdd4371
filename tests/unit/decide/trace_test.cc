#include "lib/decide/trace.h"

#include <gtest/gtest.h>

namespace podlane {
namespace {

TEST(Trace, KeepsTheStepsInTheirOrder) {
    StepTrace trace;
    trace.step("service", "none", "the destination is no Service's");
    trace.step("route", "forward", "to a pod");
    ASSERT_EQ(trace.steps.size(), 2u);
    EXPECT_EQ(trace.steps[0].stage, "service");
    EXPECT_EQ(trace.steps[1].what, "forward");
    EXPECT_EQ(trace.steps[1].why, "to a pod");
}

TEST(Trace, CostsNothingOnThePacketsWay) {
    EXPECT_TRUE(StepTrace::kEnabled);
    EXPECT_FALSE(NoTrace::kEnabled);
    EXPECT_TRUE(std::is_empty_v<NoTrace>);
}

}  // namespace
}  // namespace podlane
