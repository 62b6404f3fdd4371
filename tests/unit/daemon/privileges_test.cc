#include "control/daemon/privileges.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <fstream>
#include <string>
#include <thread>

namespace podlane::control {
namespace {

/// A line of /proc/.../status, without its name.
std::string status_of(pid_t tid, const std::string& name) {
    std::ifstream file(fmt::format("/proc/self/task/{}/status", tid));
    std::string line;
    while (std::getline(file, line)) {
        if (line.starts_with(name + ":")) return line.substr(line.find_first_not_of(" \t", 7));
    }
    return "";
}

/// In a process of its own, whose exit code says what it found: capabilities do not come back.
template <class Body>
int in_child(Body body) {
    const pid_t child = fork();
    if (child == 0) _exit(body());
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool has(uint64_t bits, int number) {
    return (bits >> number & 1) != 0;
}

TEST(Privileges, EnteringNamespacesIsForTheProcessThatAttachesPods) {
    const uint64_t kept = kept_capability_bits({.kernel_interface = true});
    const uint64_t attaching = attaching_capability_bits();
    EXPECT_TRUE(has(kept, CAP_NET_ADMIN) && has(kept, CAP_NET_RAW));
    for (const int entering : {CAP_SYS_ADMIN, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH}) {
        EXPECT_FALSE(has(kept, entering)) << entering;
        EXPECT_TRUE(has(attaching, entering)) << entering;
    }
    for (const int not_needed :
         {CAP_SETUID, CAP_SYS_MODULE, CAP_SYS_RAWIO, CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_SYS_BOOT}) {
        EXPECT_FALSE(has(kept | attaching, not_needed)) << not_needed;
    }
}

TEST(Privileges, ADeviceTakesWhatItsKindDoes) {
    const uint64_t vfio = kept_capability_bits({});
    EXPECT_FALSE(has(vfio, CAP_NET_RAW) || has(vfio, CAP_BPF) || has(vfio, CAP_SYS_ADMIN));
    EXPECT_TRUE(has(kept_capability_bits({.uio_nic = true}), CAP_SYS_ADMIN));
}

TEST(Privileges, AreDroppedByAllThreadsAndAThreadThatHadFewerGetsNoneBack) {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    const int code = in_child([] {
        std::atomic<pid_t> tid{0};
        std::atomic<bool> stop{false};
        std::thread other([&] {
            tid = gettid();
            while (!stop) std::this_thread::yield();
        });
        while (tid == 0) std::this_thread::yield();
        const uint64_t kept = uint64_t{1} << CAP_NET_ADMIN | uint64_t{1} << CAP_NET_RAW;
        int wrong = drop_capabilities(kept).ok() ? 0 : 1;
        const std::string had = fmt::format("{:016x}", kept);
        for (const pid_t each : {gettid(), tid.load()}) {
            if (status_of(each, "CapEff") > had || status_of(each, "CapPrm") > had) wrong |= 2;
        }
        if (!drop_capabilities(0).ok() || !drop_capabilities(kept).ok()) wrong |= 4;
        for (const pid_t each : {gettid(), tid.load()}) {
            if (status_of(each, "CapEff") != std::string(16, '0')) wrong |= 8;
        }
        stop = true;
        other.join();
        return wrong;
    });
    EXPECT_EQ(code, 0);
}

TEST(Privileges, AThreadThatTakesNoSignalsAndDropsAllByItselfIsWaitedFor) {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    const int code = in_child([] {
        std::atomic<bool> ready{false};
        std::thread worker([&] {
            sigset_t all;
            sigfillset(&all);
            pthread_sigmask(SIG_SETMASK, &all, nullptr);
            ready = true;
            std::this_thread::sleep_for(std::chrono::milliseconds(100));
            __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
            const std::array<__user_cap_data_struct, 2> none{};
            syscall(SYS_capset, &header, none.data());
            std::this_thread::sleep_for(std::chrono::milliseconds(100));
        });
        while (!ready) std::this_thread::yield();
        const bool dropped = drop_capabilities(kept_capability_bits({})).ok();
        worker.join();
        return dropped ? 0 : 1;
    });
    EXPECT_EQ(code, 0);
}

TEST(Privileges, NoFileGivesNewOnes) {
    EXPECT_EQ(in_child([] {
                  if (!forbid_new_privileges().ok()) return 1;
                  return status_of(gettid(), "NoNewPrivs").ends_with("1") ? 0 : 2;
              }),
              0);
}

}  // namespace
}  // namespace podlane::control
