#include "control/cni/attachments.h"

#include <gtest/gtest.h>

#include <fstream>

#include "control/cni/failure.h"
#include "tests/unit/cni/temporary_folder.h"

namespace podlane::cni {
namespace {

constexpr auto kLockWait = std::chrono::seconds(1);
const Attachment kOne{"c1", "eth0"};
const Attachment kTwo{"c1", "net1"};

TEST(CniAttachments, AreKeptUntilTheyAreForgotten) {
    const test::TemporaryFolder there;
    const Attachments list(there.path(), kLockWait);
    EXPECT_FALSE(list.find(kOne));
    list.keep(kOne, {"shop/web", "/run/netns/web", nullptr});
    const Record whole{"shop/web", "/run/netns/web", {{"ips", Json::array()}}};
    list.keep(kOne, whole);
    list.keep(kTwo, {"shop/web", "/run/netns/web", nullptr});
    EXPECT_EQ(list.find(kOne), whole);
    EXPECT_EQ(list.all().size(), 2U);
    list.forget(kOne);
    EXPECT_FALSE(list.find(kOne));
    EXPECT_EQ(list.all(), std::vector<Attachment>{kTwo});
}

TEST(CniAttachments, AFileThatIsNoRecordIsAsGoodAsNone) {
    const test::TemporaryFolder there;
    const Attachments list(there.path(), kLockWait);
    std::ofstream(there.path() + "/attachments/" + kOne.key()) << "{\"pod\": \"sh";
    EXPECT_FALSE(list.find(kOne));
    EXPECT_EQ(list.all(), std::vector<Attachment>{kOne});
}

TEST(CniAttachments, ARemovalIsOwedUntilItWasDone) {
    const test::TemporaryFolder there;
    const Attachments list(there.path(), kLockWait);
    list.owe_removal(kOne);
    list.owe_removal(kOne);
    EXPECT_THROW(
        list.pay_removals([](const Attachment&) { throw Failure(code::kTryAgainLater, "away"); }),
        Failure);
    std::vector<Attachment> removed;
    const auto remove = [&](const Attachment& each) { removed.push_back(each); };
    list.pay_removals(remove);
    list.pay_removals(remove);
    EXPECT_EQ(removed, std::vector<Attachment>{kOne});
}

}  // namespace
}  // namespace podlane::cni
