#include "control/netdev/netns.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <system_error>
#include <thread>

#include "control/netdev/unique_fd.h"

namespace podlane::control {

NetnsId netns_id(const std::string& path) noexcept {
    struct stat found {};
    if (::stat(path.c_str(), &found) != 0) return {};
    return {found.st_dev, found.st_ino};
}

Result<void> in_network_namespace(const std::string& path,
                                  const std::function<Result<void>()>& work) {
    if (path.empty()) return work();

    // Whatever stands there: opening a FIFO must not wait for its other end.
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!fd.valid()) {
        return Error{fmt::format("network namespace {}: {}", path, std::strerror(errno))};
    }
    struct stat found {};
    if (::fstat(fd.get(), &found) != 0 || !S_ISREG(found.st_mode) ||
        ::ioctl(fd.get(), NS_GET_NSTYPE) != CLONE_NEWNET) {
        return Error{fmt::format("network namespace {}: this is not a network namespace", path)};
    }

    std::optional<Result<void>> result;
    try {
        std::thread([&] {
            if (::setns(fd.get(), CLONE_NEWNET) != 0) {
                result = Error{fmt::format("network namespace {}: cannot enter: {}", path,
                                           std::strerror(errno))};
                return;
            }
            result = work();
        }).join();
    } catch (const std::system_error& e) {
        return Error{
            fmt::format("network namespace {}: cannot start a thread: {}", path, e.what())};
    }
    return *result;
}

Result<UniqueFd> new_network_namespace() {
    UniqueFd netns;
    int failed = 0;
    try {
        std::thread([&] {
            if (::unshare(CLONE_NEWNET) == 0) {
                netns = UniqueFd(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
            }
            if (!netns.valid()) failed = errno;
        }).join();
    } catch (const std::system_error& e) {
        return Error{fmt::format("new network namespace: cannot start a thread: {}", e.what())};
    }
    if (!netns.valid()) {
        return Error{fmt::format("new network namespace: {}", std::strerror(failed))};
    }
    return netns;
}

std::string namespace_path(const UniqueFd& netns) {
    return fmt::format("/proc/self/fd/{}", netns.get());
}

}  // namespace podlane::control
