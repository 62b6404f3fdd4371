// The process that attaches pods, asked as podlaned asks it.
#include "control/attach/pod_attacher.h"

#include <fcntl.h>
#include <signal.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <thread>

#include "control/attach/attaching.h"
#include "tests/unit/netdev/namespaces.h"

namespace podlane::control {
namespace {

Result<void> nothing() {
    return {};
}

PodTapRequest pod_request(const std::string& netns, int number = 5) {
    const std::string last = std::to_string(number);
    return {.netns_path = netns,
            .ifname = "eth0",
            .mac = {{2, 0, 0, 0, 0, static_cast<uint8_t>(number)}},
            .mtu = 1450,
            .queues = 2,
            .addresses = {address(("10.244.1." + last + "/24").c_str())},
            .gateways = {ip("10.244.1.1")},
            .offloads = {}};
}

size_t open_files(pid_t pid) {
    size_t count = 0;
    for ([[maybe_unused]] const auto& each :
         std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd")) {
        ++count;
    }
    return count;
}

class PodAttacherTest : public NetdevTest {
  protected:
    void SetUp() override {
        NetdevTest::SetUp();
        if (IsSkipped()) return;
        auto started = PodAttacher::start("node-a", nothing);
        ASSERT_TRUE(started.ok()) << started.error().message;
        attacher_ = std::move(*started);
    }
    static bool has_interface(const ScratchNamespace& pod) {
        return pod.shell("ip link show eth0 >/dev/null 2>&1");
    }

    // Before the process is made, so that it has their descriptors, too.
    ScratchNamespace one_, two_;
    std::unique_ptr<PodAttacher> attacher_;
};

TEST_F(PodAttacherTest, MakesAnInterfaceWhoseQueuesAreOurs) {
    auto tap = attacher_->make(pod_request(one_.path()), false);
    ASSERT_TRUE(tap.ok()) << tap.error().message;
    EXPECT_EQ(tap->queue_fds.size(), 2U);
    EXPECT_FALSE(tap->was_there);
    for (const int fd : tap->queue_fds) {
        EXPECT_NE(::fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
        EXPECT_NE(::fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    }
    EXPECT_TRUE(one_.shell("ip -4 addr show eth0 | grep -q 10.244.1.5/24"));
    for (const int fd : tap->queue_fds) ::close(fd);
    EXPECT_FALSE(has_interface(one_)) << "the other process has the queues open as well";
}

TEST_F(PodAttacherTest, RemovesWhatItMadeAndNothingTwice) {
    auto tap = attacher_->make(pod_request(one_.path()), true);
    ASSERT_TRUE(tap.ok()) << tap.error().message;
    EXPECT_TRUE(has_interface(one_));
    tap->remove();
    EXPECT_FALSE(has_interface(one_));
    tap->remove();
    for (const int fd : tap->queue_fds) ::close(fd);
}

TEST_F(PodAttacherTest, TakesBackWhatAProcessBeforeItHasLeft) {
    for (const ScratchNamespace* pod : {&one_, &two_}) {
        auto tap = attacher_->make(pod_request(pod->path(), pod == &one_ ? 5 : 6), true);
        ASSERT_TRUE(tap.ok()) << tap.error().message;
        for (const int fd : tap->queue_fds) ::close(fd);
    }
    auto next = PodAttacher::start("node-a", nothing);
    ASSERT_TRUE(next.ok());
    auto taps = (*next)->attach(
        {pod_request(one_.path(), 5), pod_request("/nowhere", 7), pod_request(two_.path(), 6)});
    ASSERT_EQ(taps.size(), 3U);
    EXPECT_TRUE(taps[0].ok() && taps[0]->was_there);
    EXPECT_FALSE(taps[1].ok());
    EXPECT_TRUE(taps[2].ok() && taps[2]->was_there);
    for (auto& tap : taps) {
        if (!tap.ok()) continue;
        for (const int fd : tap->queue_fds) ::close(fd);
    }
}

TEST_F(PodAttacherTest, ManyAtOnceComeInTheirOrder) {
    std::vector<PodTapRequest> requests;
    for (int i = 0; i < 40; ++i) {
        requests.push_back(pod_request("/nowhere/" + std::to_string(i)));
    }
    const auto taps = attacher_->attach(requests);
    for (size_t i = 0; i < taps.size(); ++i) {
        ASSERT_FALSE(taps[i].ok());
        EXPECT_NE(taps[i].error().message.find("/nowhere/" + std::to_string(i) + ":"),
                  std::string::npos)
            << taps[i].error().message;
    }
}

TEST_F(PodAttacherTest, WhatFailsIsSaidAndLeavesNothingOpen) {
    const size_t before = open_files(attacher_->pid());
    const auto none = attacher_->make(pod_request("/run/netns/none"), true);
    ASSERT_FALSE(none.ok());
    EXPECT_NE(none.error().message.find("/run/netns/none"), std::string::npos);
    PodTapRequest long_name = pod_request(one_.path());
    long_name.ifname = std::string(20, 'x');
    EXPECT_FALSE(attacher_->make(long_name, true).ok());
    EXPECT_FALSE(attacher_->make(pod_request(""), true).ok()) << "not the node's own namespace";
    EXPECT_EQ(open_files(attacher_->pid()), before);
}

TEST_F(PodAttacherTest, TellsWhatStandsAtAPath) {
    EXPECT_EQ(attacher_->netns_id(one_.path()), netns_id(one_.path()));
    EXPECT_EQ(attacher_->netns_id("/run/netns/none"), NetnsId{});
}

TEST_F(PodAttacherTest, ItsEndIsSeenAndCallsEndToo) {
    EXPECT_FALSE(attacher_->how_it_ended());
    ASSERT_EQ(::kill(attacher_->pid(), SIGTERM), 0);
    EXPECT_TRUE(attacher_->make(pod_request(one_.path()), true).ok()) << "SIGTERM is podlaned's";
    ASSERT_EQ(::kill(attacher_->pid(), SIGKILL), 0);
    const auto made = attacher_->make(pod_request(two_.path()), true);
    ASSERT_FALSE(made.ok());
    EXPECT_NE(made.error().message.find("has ended"), std::string::npos) << made.error().message;
    EXPECT_EQ(attacher_->netns_id(one_.path()), NetnsId{});
    for (int i = 0; i < 200 && !attacher_->how_it_ended(); ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    EXPECT_EQ(attacher_->how_it_ended().value_or(""), "by signal 9");
}

TEST_F(PodAttacherTest, ItEndsWithPodlaned) {
    const pid_t pid = attacher_->pid();
    attacher_.reset();
    EXPECT_NE(::kill(pid, 0), 0);
}

TEST_F(PodAttacherTest, DoesNotRunUnconfined) {
    const auto started = PodAttacher::start("node-a", [] { return Error{"no"}; });
    EXPECT_FALSE(started.ok());
}

}  // namespace
}  // namespace podlane::control
