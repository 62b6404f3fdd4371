#include "control/netdev/pod_socket.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

namespace podlane::control {

namespace {

constexpr std::array kWords = {std::pair{PodInterface::kTap, std::string_view("tap")},
                               std::pair{PodInterface::kMemif, std::string_view("memif")},
                               std::pair{PodInterface::kVhostUser, std::string_view("vhostUser")}};
/// Only the socket's owner and group.
constexpr mode_t kSocketMode = 0660;
/// Everybody may enter the folder: access is controlled at the socket.
constexpr mode_t kFolderMode = 0755;

Error failed(const std::string& path, int error) {
    return Error{fmt::format("{}: {}", path, std::generic_category().message(error))};
}

Result<void> make_folder(const std::string& path) {
    if (::mkdir(path.c_str(), kFolderMode) == 0) {
        // Restores what the process's umask takes away.
        return ::chmod(path.c_str(), kFolderMode) == 0 ? Result<void>{} : failed(path, errno);
    }
    if (errno != EEXIST) return failed(path, errno);
    struct stat there {};
    if (::stat(path.c_str(), &there) != 0) return failed(path, errno);
    return S_ISDIR(there.st_mode) ? Result<void>{} : Error{path + ": is no folder"};
}

/// An access control list in the kernel's format (linux/posix_acl_xattr.h): the pod's user and
/// group have the same access as root and its group. Changing the socket's owner would need
/// CAP_CHOWN.
std::string access_list(const PodSocket& socket) {
    constexpr uint32_t kVersion = 2, kNobody = 0xffffffff;
    constexpr uint16_t kReadWrite = 6;
    std::string out;
    const auto put = [&out](uint64_t value, int bytes) {
        for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i));
    };
    const auto entry = [&put](uint16_t tag, uint16_t permissions, uint32_t id) {
        put(tag, 2);
        put(permissions, 2);
        put(id, 4);
    };
    put(kVersion, 4);
    entry(0x01, kReadWrite, kNobody);  // the owner
    if (socket.user != 0) entry(0x02, kReadWrite, socket.user);
    entry(0x04, kReadWrite, kNobody);  // the owning group
    if (socket.group != 0) entry(0x08, kReadWrite, socket.group);
    entry(0x10, kReadWrite, kNobody);  // the mask
    entry(0x20, 0, kNobody);           // others
    return out;
}

}  // namespace

std::string_view to_string(PodInterface kind) noexcept {
    for (const auto& [each, word] : kWords) {
        if (each == kind) return word;
    }
    return "";
}

std::optional<PodInterface> pod_interface(std::string_view word) noexcept {
    for (const auto& [each, text] : kWords) {
        if (text == word) return each;
    }
    return std::nullopt;
}

std::string pod_socket_path(const std::string& folder, const std::string& pod,
                            const std::string& ifname) {
    return fmt::format("{}/{}/{}.sock", folder, pod, ifname);
}

std::string pod_socket_device(const PodSocket& socket, unsigned number) {
    if (socket.kind == PodInterface::kMemif) {
        return fmt::format("net_memif_pod{},role=server,socket={},socket-abstract=no", number,
                           socket.path);
    }
    return fmt::format("net_vhost_pod{},iface={}", number, socket.path);
}

Result<void> make_way_for_socket(const PodSocket& socket) {
    if (socket.path.size() >= sizeof(sockaddr_un::sun_path)) {
        return Error{fmt::format("{}: a socket's path has {} bytes at most", socket.path,
                                 sizeof(sockaddr_un::sun_path) - 1)};
    }
    for (size_t slash = socket.path.find('/', 1); slash != std::string::npos;
         slash = socket.path.find('/', slash + 1)) {
        if (auto made = make_folder(socket.path.substr(0, slash)); !made.ok()) return made;
    }
    struct stat there {};
    if (::lstat(socket.path.c_str(), &there) != 0) {
        return errno == ENOENT ? Result<void>{} : failed(socket.path, errno);
    }
    if (!S_ISSOCK(there.st_mode)) return Error{socket.path + ": is there, and no socket"};
    if (::unlink(socket.path.c_str()) != 0) return failed(socket.path, errno);
    return {};
}

Result<void> hand_over_socket(const PodSocket& socket) {
    struct stat there {};
    if (::lstat(socket.path.c_str(), &there) != 0) return failed(socket.path, errno);
    if (!S_ISSOCK(there.st_mode)) return Error{socket.path + ": is no socket"};
    if (::chmod(socket.path.c_str(), kSocketMode) != 0) return failed(socket.path, errno);
    if (socket.user == 0 && socket.group == 0) return {};
    const std::string list = access_list(socket);
    if (::setxattr(socket.path.c_str(), "system.posix_acl_access", list.data(), list.size(), 0) !=
        0) {
        return Error{fmt::format("{}: access for user {} and group {}: {}", socket.path,
                                 socket.user, socket.group,
                                 std::generic_category().message(errno))};
    }
    return {};
}

void remove_socket(const PodSocket& socket) noexcept {
    ::unlink(socket.path.c_str());
    // The pod's folder, and its namespace's.
    std::string folder = socket.path;
    for (int level = 0; level < 2; ++level) {
        const size_t slash = folder.rfind('/');
        if (slash == std::string::npos || slash == 0) return;
        folder.resize(slash);
        if (::rmdir(folder.c_str()) != 0) return;
    }
}

}  // namespace podlane::control
