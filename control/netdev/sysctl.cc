#include "control/netdev/sysctl.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "control/netdev/unique_fd.h"

namespace podlane::control {

std::string interface_sysctl(const std::string& family, const std::string& ifname,
                             const std::string& key) {
    return fmt::format("/proc/sys/net/{}/conf/{}/{}", family, ifname, key);
}

Result<std::string> read_sysctl(const std::string& path) {
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    std::array<char, 256> buffer{};
    const ssize_t got = fd.valid() ? ::read(fd.get(), buffer.data(), buffer.size()) : -1;
    if (got < 0) return Error{fmt::format("read {}: {}", path, std::strerror(errno))};
    std::string value(buffer.data(), static_cast<size_t>(got));
    while (!value.empty() && value.back() == '\n') value.pop_back();
    return value;
}

Result<void> write_sysctl(const std::string& path, const std::string& value) {
    const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!fd.valid() || ::write(fd.get(), value.data(), value.size()) < 0) {
        return Error{fmt::format("write {} to {}: {}", value, path, std::strerror(errno))};
    }
    return {};
}

}  // namespace podlane::control
