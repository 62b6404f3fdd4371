#include "control/cli/program.h"

#include <gtest/gtest.h>

namespace podlane::control {
namespace {

TEST(RunProgram, GivesTheCodeAndBothOutputs) {
    const auto end = run_program({"sh", "-c", "echo out; echo err >&2; exit 3"});
    ASSERT_TRUE(end.ok());
    EXPECT_EQ(end->code, 3);
    EXPECT_EQ(end->output, "out\nerr\n");
}

TEST(RunProgram, ArgumentsArePassedAsTheyAre) {
    EXPECT_EQ(run_program({"printf", "%s|", "a b", "$HOME;"})->output, "a b|$HOME;|");
}

TEST(RunProgram, ReadsNothing) {
    EXPECT_EQ(run_program({"cat"})->code, 0);
}

TEST(RunProgram, TakesMoreOutputThanAPipeHolds) {
    EXPECT_EQ(run_program({"head", "-c", "300000", "/dev/zero"})->output.size(), 300'000U);
}

TEST(RunProgram, ThatASignalEndedIsNotTakenForGood) {
    EXPECT_EQ(run_program({"sh", "-c", "kill -9 $$"})->code, 128 + 9);
}

TEST(RunProgram, ThatIsNotThereIsNamed) {
    const auto end = run_program({"/nonexistent/program"});
    ASSERT_FALSE(end.ok());
    EXPECT_EQ(end.error().message, "/nonexistent/program: No such file or directory");
}

}  // namespace
}  // namespace podlane::control
