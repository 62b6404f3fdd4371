#include "lib/dpdk/kernel_link.h"

#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace podlane {

namespace {

/// A descriptor for one question to the kernel.
class Socket {
  public:
    Socket(int family, int type, int protocol) noexcept
        : fd_(::socket(family, type | SOCK_CLOEXEC, protocol)) {}
    ~Socket() {
        if (fd_ >= 0) ::close(fd_);
    }
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;
    [[nodiscard]] int fd() const noexcept { return fd_; }

  private:
    int fd_;
};

/// IFLA_STATS64 of the answer to RTM_GETLINK (rtnetlink(7)).
DeviceLosses losses_in(const nlmsghdr& message) noexcept {
    DeviceLosses out;
    const auto* link = static_cast<const ifinfomsg*>(NLMSG_DATA(&message));
    auto left = static_cast<int>(message.nlmsg_len - NLMSG_LENGTH(sizeof(ifinfomsg)));
    // The kernel aligns attributes, but its macros do not tell the compiler.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-align"
    for (const rtattr* at = IFLA_RTA(link); RTA_OK(at, left); at = RTA_NEXT(at, left)) {
#pragma GCC diagnostic pop
        if (at->rta_type != IFLA_STATS64) continue;
        rtnl_link_stats64 stats{};
        std::memcpy(&stats, RTA_DATA(at), std::min<size_t>(RTA_PAYLOAD(at), sizeof(stats)));
        // Not rx_dropped: it counts frames that the kernel had no use for, and we use the interface
        // instead.
        out.rx_missed = stats.rx_missed_errors;
        out.rx_errors = stats.rx_errors;
        out.tx_errors = stats.tx_errors + stats.tx_dropped;
    }
    return out;
}

}  // namespace

KernelLink::KernelLink(const std::string& ifname)
    : index_(::if_nametoindex(ifname.c_str())), before_(read()) {}

LinkState KernelLink::state() const noexcept {
    ifreq request{};
    if (index_ == 0 || ::if_indextoname(index_, request.ifr_name) == nullptr) {
        return LinkState::kGone;
    }
    const Socket socket(AF_INET, SOCK_DGRAM, 0);
    if (::ioctl(socket.fd(), SIOCGIFFLAGS, &request) != 0) return LinkState::kDown;
    constexpr int kRuns = IFF_UP | IFF_RUNNING;
    return (request.ifr_flags & kRuns) == kRuns ? LinkState::kUp : LinkState::kDown;
}

DeviceLosses KernelLink::read() const noexcept {
    struct {
        nlmsghdr header;
        ifinfomsg link;
    } request{};
    request.header.nlmsg_len = sizeof(request);
    request.header.nlmsg_type = RTM_GETLINK;
    request.header.nlmsg_flags = NLM_F_REQUEST;
    request.link.ifi_index = static_cast<int>(index_);
    const Socket socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
    if (index_ == 0 || ::send(socket.fd(), &request, sizeof(request), 0) < 0) return {};
    alignas(nlmsghdr) std::array<char, 16384> answer;
    const ssize_t got = ::recv(socket.fd(), answer.data(), answer.size(), 0);
    const auto* message = reinterpret_cast<const nlmsghdr*>(answer.data());
    if (got <= 0 || !NLMSG_OK(message, static_cast<size_t>(got)) ||
        message->nlmsg_type != RTM_NEWLINK) {
        return {};
    }
    return losses_in(*message);
}

}  // namespace podlane
