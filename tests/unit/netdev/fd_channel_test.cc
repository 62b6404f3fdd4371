// Messages with descriptors between two ends of one process.
#include "control/netdev/fd_channel.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <optional>

namespace podlane::control {
namespace {

constexpr std::chrono::seconds kWait{2};

class FdChannelTest : public testing::Test {
  protected:
    FdChannelTest() {
        std::string name = "/tmp/fd-channel-XXXXXX";
        folder_ = ::mkdtemp(name.data());
        auto listener = FdListener::open(path());
        EXPECT_TRUE(listener.ok()) << listener.error().message;
        listener_.emplace(std::move(listener).value());
        auto near = FdChannel::connect(path());
        EXPECT_TRUE(near.ok()) << near.error().message;
        near_.emplace(std::move(near).value());
        auto far = listener_->accept(kWait);
        EXPECT_TRUE(far.ok()) << far.error().message;
        far_.emplace(std::move(far).value());
    }
    ~FdChannelTest() override {
        listener_.reset();
        std::filesystem::remove_all(folder_);
    }
    std::string path() const { return folder_ + "/socket"; }

    std::string folder_;
    std::optional<FdListener> listener_;
    std::optional<FdChannel> near_, far_;
};

TEST_F(FdChannelTest, DescriptorsComeWithTheirMessageAndAreTheSameFile) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const UniqueFd reader(ends[0]), writer(ends[1]);
    const std::array<int, 2> both{ends[0], ends[1]};
    ASSERT_TRUE(near_->send("a pipe", both).ok());
    ASSERT_TRUE(near_->send("nothing").ok());
    const auto first = far_->receive(kWait);
    ASSERT_TRUE(first.ok() && first->has_value());
    EXPECT_EQ((*first)->text, "a pipe");
    ASSERT_EQ((*first)->fds.size(), 2u);
    EXPECT_EQ(::fcntl((*first)->fds[0].get(), F_GETFD), FD_CLOEXEC);
    ASSERT_EQ(::write((*first)->fds[1].get(), "x", 1), 1);
    char byte = 0;
    EXPECT_EQ(::read(ends[0], &byte, 1), 1);
    const auto second = far_->receive(kWait);
    ASSERT_TRUE(second.ok() && second->has_value());
    EXPECT_EQ((*second)->text, "nothing");
    EXPECT_TRUE((*second)->fds.empty());
}

TEST_F(FdChannelTest, TheEndOfTheOtherOneIsSeenBehindWhatItSaid) {
    ASSERT_TRUE(near_->send("last words").ok());
    near_.reset();
    const auto last = far_->receive(kWait);
    ASSERT_TRUE(last.ok() && last->has_value());
    EXPECT_EQ((*last)->text, "last words");
    const auto end = far_->receive(kWait);
    ASSERT_TRUE(end.ok());
    EXPECT_FALSE(end->has_value());
    EXPECT_FALSE(far_->send("too late").ok());
}

TEST_F(FdChannelTest, NobodyWaitsForEver) {
    EXPECT_EQ(far_->receive(std::chrono::milliseconds(5)).error().message, "no answer in time");
    EXPECT_EQ(listener_->accept(std::chrono::milliseconds(5)).error().message,
              "nobody has connected in time");
}

TEST_F(FdChannelTest, MessagesHaveBounds) {
    EXPECT_FALSE(near_->send("").ok());
    EXPECT_FALSE(near_->send(std::string(FdChannel::kMostBytes + 1, 'x')).ok());
    EXPECT_FALSE(near_->send("x", std::vector<int>(FdChannel::kMostFds + 1, 0)).ok());
    EXPECT_TRUE(near_
                    ->send(std::string(FdChannel::kMostBytes, 'x'),
                           std::vector<int>(FdChannel::kMostFds, 0))
                    .ok());
    const auto all = far_->receive(kWait);
    ASSERT_TRUE(all.ok() && all->has_value());
    EXPECT_EQ((*all)->fds.size(), FdChannel::kMostFds);
    EXPECT_FALSE(near_->send("no file", std::vector<int>{9999}).ok());
}

TEST_F(FdChannelTest, TheOtherEndIsKnownAndTheFileIsTheOwnersAlone) {
    EXPECT_EQ(far_->peer(), ::getpid());
    EXPECT_GE(far_->fd(), 0);
    struct stat info {};
    ASSERT_EQ(::stat(path().c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600u);
    listener_.reset();
    EXPECT_FALSE(std::filesystem::exists(path()));
    EXPECT_FALSE(FdChannel::connect(path()).ok());
    EXPECT_FALSE(FdListener::open(std::string(200, 'x')).ok());
}

}  // namespace
}  // namespace podlane::control
