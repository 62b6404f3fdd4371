// Network namespaces that a test makes for itself and that vanish with it.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "control/netdev/netns.h"
#include "control/netdev/unique_fd.h"
#include "lib/base/ip_address.h"
#include "lib/base/mac.h"

namespace podlane::control {

/// A fresh network namespace, alive as long as the object.
class ScratchNamespace {
  public:
    ScratchNamespace() {
        std::thread([this] {
            if (::unshare(CLONE_NEWNET) != 0) return;
            fd_ = UniqueFd(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
        }).join();
    }
    [[nodiscard]] bool valid() const { return fd_.valid(); }
    [[nodiscard]] std::string path() const { return "/proc/self/fd/" + std::to_string(fd_.get()); }
    /// Lets the namespace die, if nothing else holds it.
    void drop() { fd_.reset(); }
    /// Runs `work` inside; its expectations count for the running test.
    template <class Work>
    void run(Work work) const {
        const auto done = in_network_namespace(path(), [&]() -> Result<void> {
            work();
            return {};
        });
        ASSERT_TRUE(done.ok()) << done.error().message;
    }
    /// Runs a shell command inside; true if it succeeds.
    [[nodiscard]] bool shell(const std::string& command) const {
        int status = -1;
        run([&] { status = std::system(command.c_str()); });  // NOLINT(concurrency-mt-unsafe)
        return status == 0;
    }

  private:
    UniqueFd fd_;
};

/// Needs root: making namespaces and interfaces.
class NetdevTest : public ::testing::Test {
  protected:
    void SetUp() override {
        if (::geteuid() != 0) GTEST_SKIP() << "needs root";
        if (!ScratchNamespace().valid()) GTEST_SKIP() << "cannot make network namespaces";
    }
};

inline MacAddress mac(const char* text) {
    return *parse_mac(text);
}
inline IpAddress ip(const char* text) {
    return *parse_ip(text);
}
inline InterfaceAddress address(const char* text) {
    return *parse_interface_address(text);
}
inline IpPrefix prefix(const char* text) {
    return *parse_prefix(text);
}

/// Waits until `fd` has `events`, two seconds at most; returns what it has.
inline short wait_for(int fd, short events) {
    pollfd entry{.fd = fd, .events = events, .revents = 0};
    ::poll(&entry, 1, 2000);
    return entry.revents;
}

}  // namespace podlane::control
