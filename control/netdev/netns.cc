#include "control/netdev/netns.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <system_error>
#include <thread>

#include "control/netdev/unique_fd.h"

namespace podlane::control {

NetnsId netns_id(const std::string& path, bool* is_hidden) noexcept {
    struct stat found {};
    const bool is_there = ::stat(path.c_str(), &found) == 0;
    if (is_hidden != nullptr) *is_hidden = !is_there && (errno == EACCES || errno == EPERM);
    return is_there ? NetnsId{found.st_dev, found.st_ino} : NetnsId{};
}

Result<UniqueFd> open_network_namespace(const std::string& path) {
    const auto failed = [&] {
        return Error{fmt::format("network namespace {}: {}", path, std::strerror(errno))};
    };
    // Check first: opening a device or a FIFO may have effects, or wait for its other end.
    const UniqueFd seen(::open(path.c_str(), O_PATH | O_CLOEXEC));
    if (!seen.valid()) return failed();
    struct statfs filesystem {};
    const bool is_namespace =
        ::fstatfs(seen.get(), &filesystem) == 0 && filesystem.f_type == NSFS_MAGIC;
    UniqueFd netns;
    if (is_namespace) {
        netns = UniqueFd(
            ::open(fmt::format("/proc/self/fd/{}", seen.get()).c_str(), O_RDONLY | O_CLOEXEC));
        if (!netns.valid()) return failed();
    }
    if (!is_namespace || ::ioctl(netns.get(), NS_GET_NSTYPE) != CLONE_NEWNET) {
        return Error{fmt::format("network namespace {}: this is not a network namespace", path)};
    }
    return netns;
}

Result<void> in_network_namespace(const std::string& path,
                                  const std::function<Result<void>()>& work) {
    if (path.empty()) return work();
    const auto netns = open_network_namespace(path);
    if (!netns.ok()) return netns.error();

    std::optional<Result<void>> result;
    try {
        std::thread([&] {
            if (::setns(netns->get(), CLONE_NEWNET) != 0) {
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
