#include "lib/dpdk/kernel_link.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <future>
#include <string>
#include <thread>

namespace podlane {
namespace {

constexpr unsigned kQueueLength = 4;

int open_tap(const char* name) {
    const int fd = ::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    ifreq request{};
    std::string(name).copy(request.ifr_name, IFNAMSIZ - 1);
    request.ifr_flags = IFF_TAP | IFF_NO_PI;
    return fd >= 0 && ::ioctl(fd, TUNSETIFF, &request) == 0 ? fd : -1;
}

bool shell(const std::string& command) {
    return std::system(command.c_str()) == 0;  // NOLINT(concurrency-mt-unsafe)
}

/// Frames that the kernel accepted for the interface, in the calling thread's namespace.
unsigned send_by(const char* ifname, unsigned count) {
    const int fd = ::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    sockaddr_ll to{};
    to.sll_family = AF_PACKET;
    to.sll_ifindex = static_cast<int>(::if_nametoindex(ifname));
    const std::array<char, 60> frame{};
    unsigned sent = 0;
    for (unsigned i = 0; i < count; ++i) {
        sent += ::sendto(fd, frame.data(), frame.size(), 0, reinterpret_cast<sockaddr*>(&to),
                         sizeof(to)) == static_cast<ssize_t>(frame.size());
    }
    ::close(fd);
    return sent;
}

unsigned read_all(int queue) {
    std::array<char, 2048> frame;
    unsigned count = 0;
    while (::read(queue, frame.data(), frame.size()) > 0) ++count;
    return count;
}

class TapLinkTest : public testing::Test {
  protected:
    void SetUp() override {
        home_ = ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
        if (::geteuid() != 0 || ::unshare(CLONE_NEWNET) != 0) GTEST_SKIP() << "needs root";
        tap_ = open_tap("loss0");
        ASSERT_GE(tap_, 0);
    }
    ~TapLinkTest() override {
        ::close(tap_);
        ::setns(home_, CLONE_NEWNET);
        ::close(home_);
    }
    /// In the namespace where the interface is.
    static void set_up() {
        ASSERT_TRUE(
            shell(fmt::format("echo 1 > /proc/sys/net/ipv6/conf/loss0/disable_ipv6; "
                              "ip link set loss0 txqueuelen {} up",
                              kQueueLength)));
    }
    void expect_all_counted(const KernelLink& link) const {
        set_up();
        read_all(tap_);
        const uint64_t before = link.losses().rx_missed;
        const unsigned sent = send_by("loss0", 20);
        const uint64_t lost = link.losses().rx_missed - before;
        EXPECT_EQ(read_all(tap_) + lost, sent);
        EXPECT_GE(lost, 20 - 2 * kQueueLength);
    }

    int home_ = -1;  ///< the namespace for the other tests
    int tap_ = -1;
};

TEST_F(TapLinkTest, CountsWhatDoesNotFitIntoATapsQueue) {
    set_up();
    send_by("loss0", 20);
    const KernelLink link(tap_);
    EXPECT_EQ(link.losses(), DeviceLosses{}) << "what was before does not count";
    expect_all_counted(link);
}

TEST_F(TapLinkTest, AShaperIsNamedAndAQueueIsNone) {
    set_up();
    const KernelLink link("loss0");
    const auto shaper = [&link] {
        static_cast<void>(link.losses());
        return link.shaper();
    };
    EXPECT_EQ(shaper(), "");
    ASSERT_TRUE(shell("tc qdisc add dev loss0 root tbf rate 8kbit burst 2000 limit 20000"));
    EXPECT_EQ(shaper(), "tbf");
    ASSERT_TRUE(shell("tc qdisc replace dev loss0 root pfifo limit 100"));
    EXPECT_EQ(shaper(), "");
}

TEST_F(TapLinkTest, WhereverTheTapsInterfaceIs) {
    std::promise<pid_t> there;
    std::promise<void> moved, over;
    std::thread pod([&] {
        const bool is_apart = ::unshare(CLONE_NEWNET) == 0;
        there.set_value(is_apart ? ::gettid() : 0);
        moved.get_future().wait();
        const KernelLink link(tap_);
        expect_all_counted(link);
        over.get_future().wait();
    });
    const pid_t tid = there.get_future().get();
    EXPECT_NE(tid, 0);
    EXPECT_TRUE(shell(fmt::format("ip link set loss0 netns {}", tid)));
    EXPECT_EQ(::if_nametoindex("loss0"), 0U);
    // The same from this namespace: `pod` floods the TAP once both watch it.
    const KernelLink link(tap_);
    EXPECT_EQ(link.losses(), DeviceLosses{});
    moved.set_value();
    uint64_t lost = 0;
    for (int i = 0; i < 500 && lost < 20 - 2 * kQueueLength; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
        lost = link.losses().rx_missed;
    }
    EXPECT_GE(lost, 20 - 2 * kQueueLength);
    over.set_value();
    pod.join();
    const DeviceLosses last = link.losses();
    for (int i = 0; i < 200; ++i) {
        if (::write(tap_, "x", 1) < 0 && errno == EBADFD) break;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    EXPECT_EQ(link.losses(), last) << "its namespace is gone, the figure stays";
}

}  // namespace
}  // namespace podlane
