// The process that attaches pods, asked as podlaned asks it.
#include "control/attach/pod_attacher.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

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

/// A path that another process can use.
std::string path_of(const ScratchNamespace& netns) {
    const std::string mine = "/proc/self";
    return "/proc/" + std::to_string(::getpid()) + netns.path().substr(mine.size());
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

void close_all(const KeptTap& tap) {
    for (const int fd : tap.queue_fds) ::close(fd);
}

template <class Condition>
bool comes_true(Condition condition) {
    for (int i = 0; i < 500; ++i) {
        if (condition()) return true;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
}

class PodAttacherTest : public NetdevTest {
  protected:
    void SetUp() override {
        NetdevTest::SetUp();
        if (IsSkipped()) return;
        start();
    }
    void start(int wait_ms = 5000) {
        attacher_.reset();
        auto started = PodAttacher::start("node-a", nothing, wait_ms);
        ASSERT_TRUE(started.ok()) << started.error().message;
        attacher_ = std::move(*started);
    }
    static bool has_interface(const ScratchNamespace& pod) {
        return pod.shell("ip link show eth0 >/dev/null 2>&1");
    }

    ScratchNamespace one_, two_;
    std::unique_ptr<PodAttacher> attacher_;
};

TEST_F(PodAttacherTest, MakesAnInterfaceWhoseQueuesAreOurs) {
    auto tap = attacher_->make(pod_request(path_of(one_)), false);
    ASSERT_TRUE(tap.ok()) << tap.error().message;
    EXPECT_EQ(tap->queue_fds.size(), 2U);
    EXPECT_FALSE(tap->was_there);
    for (const int fd : tap->queue_fds) {
        EXPECT_NE(::fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
        EXPECT_NE(::fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    }
    EXPECT_TRUE(one_.shell("ip -4 addr show eth0 | grep -q 10.244.1.5/24"));
    close_all(*tap);
    EXPECT_TRUE(comes_true([&] { return !has_interface(one_); })) << "somebody has the queues open";
}

TEST_F(PodAttacherTest, PutsNoProgramOnAnInterfaceThatIsNoTap) {
    for (const char* name : {"lo", "nowhere0"}) {
        for (const bool wanted : {false, true}) {
            const auto host = attacher_->host(name, wanted);
            ASSERT_FALSE(host.ok());
            EXPECT_NE(host.error().message.find("no TAP"), std::string::npos);
        }
    }
}

TEST_F(PodAttacherTest, RemovesWhatItMadeAndNothingElse) {
    auto tap = attacher_->make(pod_request(path_of(one_)), true);
    ASSERT_TRUE(tap.ok()) << tap.error().message;
    close_all(*tap);
    EXPECT_TRUE(has_interface(one_)) << "it outlives its queues";
    tap->remove();
    EXPECT_FALSE(has_interface(one_));
    auto next = attacher_->make(pod_request(path_of(one_), 6), true);
    ASSERT_TRUE(next.ok()) << next.error().message;
    tap->remove();
    EXPECT_TRUE(has_interface(one_)) << "another one has its name";
    close_all(*next);
}

TEST_F(PodAttacherTest, TakesBackWhatAProcessBeforeItHasLeft) {
    for (const ScratchNamespace* pod : {&one_, &two_}) {
        auto tap = attacher_->make(pod_request(path_of(*pod), pod == &one_ ? 5 : 6), true);
        ASSERT_TRUE(tap.ok()) << tap.error().message;
        close_all(*tap);
    }
    start();
    auto taps = attacher_->attach(
        {pod_request(path_of(one_), 5), pod_request("/nowhere", 7), pod_request(path_of(two_), 6)});
    ASSERT_EQ(taps.size(), 3U);
    EXPECT_TRUE(taps[0].ok() && taps[0]->was_there);
    EXPECT_FALSE(taps[1].ok());
    EXPECT_TRUE(taps[2].ok() && taps[2]->was_there);
    taps[0]->remove();
    EXPECT_FALSE(has_interface(one_));
    for (auto& tap : taps) {
        if (tap.ok()) close_all(*tap);
    }
}

TEST_F(PodAttacherTest, OneThatIsOpenElsewhereIsFoundAndNotOpened) {
    auto tap = attacher_->make(pod_request(path_of(one_)), true);
    ASSERT_TRUE(tap.ok()) << tap.error().message;
    auto taps =
        attacher_->attach({pod_request(path_of(one_)), pod_request(path_of(two_))}, {true, true});
    ASSERT_TRUE(taps[0].ok()) << taps[0].error().message;
    EXPECT_TRUE(taps[0]->queue_fds.empty());
    EXPECT_TRUE(taps[0]->was_there);
    EXPECT_EQ(taps[0]->ifindex, tap->ifindex);
    EXPECT_FALSE(taps[1].ok()) << "what nobody has open is not made";
    EXPECT_FALSE(has_interface(two_));
    close_all(*tap);
}

TEST_F(PodAttacherTest, SeveralAreRemovedTogether) {
    auto first = attacher_->make(pod_request(path_of(one_)), true);
    auto second = attacher_->make(pod_request(path_of(two_)), true);
    ASSERT_TRUE(first.ok() && second.ok());
    close_all(*first);
    close_all(*second);
    attacher_->remove_together([&] {
        first->remove();
        second->remove();
        EXPECT_TRUE(has_interface(one_) && has_interface(two_));
    });
    EXPECT_FALSE(has_interface(one_) || has_interface(two_));
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
    const std::string fifo = ::testing::TempDir() + "podlane-attach-fifo";
    ::unlink(fifo.c_str());
    ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
    for (const std::string& path : {std::string("/run/netns/none"), std::string("/dev/null"),
                                    std::string("/proc/self/ns/mnt"), fifo}) {
        const auto none = attacher_->make(pod_request(path), true);
        ASSERT_FALSE(none.ok()) << path;
        EXPECT_NE(none.error().message.find(path), std::string::npos) << none.error().message;
        EXPECT_EQ(attacher_->netns_id(path), NetnsId{}) << path;
    }
    ::unlink(fifo.c_str());
    PodTapRequest wrong = pod_request(path_of(one_));
    wrong.ifname = std::string(20, 'x');
    EXPECT_FALSE(attacher_->make(wrong, true).ok());
    wrong.ifname = "../../x";
    for (const bool keep : {false, true}) EXPECT_FALSE(attacher_->make(wrong, keep).ok());
    EXPECT_FALSE(attacher_->attach({wrong}).front().ok());
    EXPECT_FALSE(attacher_->make(pod_request(""), true).ok()) << "not the node's own namespace";
    EXPECT_EQ(open_files(attacher_->pid()), before);
}

TEST_F(PodAttacherTest, TellsWhichNamespaceStandsAtAPath) {
    EXPECT_EQ(attacher_->netns_id(path_of(one_)), netns_id(one_.path()));
    EXPECT_NE(attacher_->netns_id(path_of(one_)), netns_id(two_.path()));
    EXPECT_EQ(attacher_->netns_id("/etc/passwd"), NetnsId{}) << "it is not told what else is there";
}

TEST_F(PodAttacherTest, OneThatStandsStillHoldsNobodyUpForLong) {
    start(1000);
    ASSERT_EQ(::kill(attacher_->pid(), SIGSTOP), 0);
    const auto made = attacher_->make(pod_request(path_of(one_)), true);
    ASSERT_FALSE(made.ok());
    EXPECT_NE(made.error().message.find("no answer within 1000 ms"), std::string::npos)
        << made.error().message;
    bool is_full = false;
    for (int i = 0; i < 1000 && !is_full; ++i) {
        // Each call waits a second, so the requests that fill the socket are sent at once.
        const auto taps = attacher_->attach(std::vector(8, pod_request("/nowhere")));
        is_full = taps.back().error().message.find("wait for the kernel") != std::string::npos;
        if (i > 60) break;
    }
    EXPECT_TRUE(is_full) << "what it is asked must be bounded";
    ASSERT_EQ(::kill(attacher_->pid(), SIGCONT), 0);
    EXPECT_TRUE(comes_true([&] { return has_interface(one_); })) << "it was made late";
    // A late answer removes what nobody waited for.
    EXPECT_TRUE(comes_true([&] {
        static_cast<void>(attacher_->netns_id(path_of(two_)));
        return !has_interface(one_);
    }));
    EXPECT_EQ(attacher_->netns_id(path_of(two_)), netns_id(two_.path()));
}

TEST_F(PodAttacherTest, ItsEndIsSeenAndCallsEndToo) {
    EXPECT_FALSE(attacher_->how_it_ended());
    ASSERT_EQ(::kill(attacher_->pid(), SIGTERM), 0);
    const auto still = attacher_->make(pod_request(path_of(one_)), true);
    ASSERT_TRUE(still.ok()) << "SIGTERM is podlaned's: " << still.error().message;
    close_all(*still);
    ASSERT_EQ(::kill(attacher_->pid(), SIGKILL), 0);
    const auto made = attacher_->make(pod_request(path_of(two_)), true);
    ASSERT_FALSE(made.ok());
    EXPECT_NE(made.error().message.find("has ended"), std::string::npos) << made.error().message;
    EXPECT_EQ(attacher_->netns_id(path_of(one_)), NetnsId{});
    EXPECT_TRUE(comes_true([&] { return attacher_->how_it_ended().has_value(); }));
    EXPECT_EQ(attacher_->how_it_ended().value_or(""), "by signal 9");
}

TEST_F(PodAttacherTest, ItEndsWithPodlaned) {
    const pid_t pid = attacher_->pid();
    attacher_.reset();
    EXPECT_NE(::kill(pid, 0), 0);
}

TEST_F(PodAttacherTest, DoesNotRunUnconfined) {
    const auto started = PodAttacher::start("node-a", [] { return Error{"no filter"}; });
    ASSERT_FALSE(started.ok());
    EXPECT_NE(started.error().message.find("no filter"), std::string::npos);
}

/// Sends bytes that are not a request: the process's exit code, or -1.
int ending_after(const void* bytes, size_t size) {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        ::close(ends[0]);
        attach_pods(ends[1], "node-a");
    }
    ::close(ends[1]);
    EXPECT_EQ(::send(ends[0], bytes, size, 0), static_cast<ssize_t>(size));
    int status = -1;
    const bool ended = comes_true([&] { return ::waitpid(child, &status, WNOHANG) == child; });
    ::close(ends[0]);
    if (!ended) ::waitpid(child, &status, 0);
    return ended && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(Attaching, WhatHasNotTheSizeOfARequestEndsIt) {
    const std::vector<char> bytes(sizeof(AttachRequest) + 1, 'x');
    EXPECT_EQ(ending_after(bytes.data(), sizeof(AttachRequest) - 1), 1);
    EXPECT_EQ(ending_after(bytes.data(), sizeof(AttachRequest) + 1), 1);
}

TEST(Attaching, ARequestOfNonsenseIsRefused) {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        ::close(ends[0]);
        attach_pods(ends[1], "node-a");
    }
    ::close(ends[1]);
    const std::vector<char> bytes(sizeof(AttachRequest), 'x');
    ASSERT_GT(::send(ends[0], bytes.data(), bytes.size(), 0), 0);
    AttachRequest strange = *to_wire(AttachWork::kKeep, pod_request("/nowhere"));
    strange.work = AttachWork{77};
    ASSERT_GT(::send(ends[0], &strange, sizeof(strange), 0), 0);
    for (int i = 0; i < 2; ++i) {
        AttachAnswer answer{};
        ASSERT_EQ(::recv(ends[0], &answer, sizeof(answer), 0), ssize_t{sizeof(answer)});
        EXPECT_EQ(answer.is_done, 0U);
        EXPECT_STREQ(answer.error.data(), "this is no request");
    }
    ::close(ends[0]);
    int status = -1;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "its other end is closed";
}

}  // namespace
}  // namespace podlane::control
