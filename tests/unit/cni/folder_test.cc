#include "control/cni/folder.h"

#include <gtest/gtest.h>

#include "control/cni/failure.h"
#include "tests/unit/cni/temporary_folder.h"

namespace podlane::cni {
namespace {

using test::failure_code;

TEST(CniFolder, ALinkIsMadeOnceAndReadBack) {
    const test::TemporaryFolder there;
    const Folder folder(there.path() + "/x/y");
    EXPECT_TRUE(folder.make_link("10.0.0.2", "a:eth0"));
    EXPECT_FALSE(folder.make_link("10.0.0.2", "b:eth0"));
    EXPECT_EQ(folder.read_link("10.0.0.2"), "a:eth0");
    EXPECT_EQ(folder.read_link("10.0.0.3"), std::nullopt);
    folder.replace_link("10.0.0.2", "b:eth0");
    EXPECT_EQ(folder.read_link("10.0.0.2"), "b:eth0");
    EXPECT_EQ(folder.names(), std::vector<std::string>{"10.0.0.2"});
    folder.remove("10.0.0.2");
    folder.remove("10.0.0.2");
    EXPECT_TRUE(folder.names().empty());
}

TEST(CniFolder, AFileIsWholeAndTheLastOne) {
    const test::TemporaryFolder there;
    const Folder folder(there.path());
    folder.write("a", std::string(100'000, 'x'));
    folder.write("a", "short");
    EXPECT_EQ(folder.read("a"), "short");
    EXPECT_EQ(folder.read("b"), std::nullopt);
}

TEST(CniFolder, ALockIsWaitedForAndThenGivenUp) {
    const test::TemporaryFolder there;
    const Folder folder(there.path());
    auto held = folder.lock(std::chrono::milliseconds(0));
    EXPECT_EQ(failure_code([&] { (void)folder.lock(std::chrono::milliseconds(10)); }),
              code::kTryAgainLater);
    held.reset();
    EXPECT_TRUE(folder.lock(std::chrono::milliseconds(0)).valid());
}

TEST(CniFolder, AFolderThatCannotBeIsAnInputOutputFailure) {
    EXPECT_EQ(failure_code([] { Folder folder("/proc/podlane/x"); }), code::kInputOutput);
}

}  // namespace
}  // namespace podlane::cni
