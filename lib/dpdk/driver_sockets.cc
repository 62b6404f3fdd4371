#include "lib/dpdk/driver_sockets.h"

#include <dirent.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <memory>
#include <string_view>

namespace podlane {

namespace {

/// net_af_packet waits without limit for a socket that is not writable, which would block the
/// worker if the other side of the interface takes nothing. With this much buffer space, more than
/// any ring holds, the socket is always writable, and the driver sees from its ring when there is
/// no room.
constexpr int kSendRoomBytes = 256 << 20;

bool is_packet_socket(int fd) noexcept {
    int domain = 0;
    socklen_t bytes = sizeof(domain);
    return ::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &bytes) == 0 && domain == AF_PACKET;
}

}  // namespace

std::vector<int> packet_sockets() {
    std::vector<int> out;
    const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir("/proc/self/fd"), ::closedir);
    if (!folder) return out;
    while (const dirent* entry = ::readdir(folder.get())) {
        const std::string_view name(entry->d_name);
        int fd = -1;
        const auto parsed = std::from_chars(name.data(), name.data() + name.size(), fd);
        if (parsed.ec == std::errc{} && is_packet_socket(fd)) out.push_back(fd);
    }
    std::sort(out.begin(), out.end());
    return out;
}

DriverSockets::DriverSockets(const std::vector<int>& before) {
    const std::vector<int> now = packet_sockets();
    std::set_difference(now.begin(), now.end(), before.begin(), before.end(),
                        std::back_inserter(fds_));
    for (const int fd : fds_) {
        static_cast<void>(
            ::setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &kSendRoomBytes, sizeof(kSendRoomBytes)));
    }
}

uint64_t DriverSockets::lost() noexcept {
    for (const int fd : fds_) {
        tpacket_stats stats{};
        socklen_t bytes = sizeof(stats);
        // Reading resets the kernel's count.
        if (::getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &bytes) == 0) {
            lost_ += stats.tp_drops;
        }
    }
    return lost_;
}

}  // namespace podlane
