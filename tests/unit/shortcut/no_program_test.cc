// What a build without BPF says, compiled in every build.
#include <gtest/gtest.h>

#include "control/shortcut/program.h"

namespace podlane::control {
namespace {

TEST(WithoutShortcutProgram, ItIsSaidWhyAndNothingElseFails) {
    const auto loaded = ShortcutProgram::load("node-a");
    ASSERT_FALSE(loaded.ok());
    EXPECT_EQ(loaded.error().message, "shortcut: this build has no BPF program");
    EXPECT_TRUE(pause_left_shortcut("node-a").ok());
    EXPECT_FALSE(has_shortcut(1));
}

}  // namespace
}  // namespace podlane::control
