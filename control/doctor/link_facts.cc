#include "control/doctor/link_facts.h"

#include <linux/ethtool.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace podlane::control {

namespace {

class Socket {
  public:
    Socket(int family, int type, int protocol)
        : fd_(::socket(family, type | SOCK_CLOEXEC, protocol)) {}
    ~Socket() {
        if (fd_ >= 0) ::close(fd_);
    }
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;
    [[nodiscard]] int get() const noexcept { return fd_; }

  private:
    int fd_;
};

bool is_on(const Socket& socket, const std::string& ifname, uint32_t command) {
    ethtool_value value{.cmd = command, .data = 0};
    ifreq request{};
    std::copy_n(ifname.begin(), std::min(ifname.size(), sizeof(request.ifr_name) - 1),
                request.ifr_name);
    request.ifr_data = reinterpret_cast<char*>(&value);
    return ::ioctl(socket.get(), SIOCETHTOOL, &request) == 0 && value.data != 0;
}

// The kernel aligns attributes, but its macros do not tell the compiler.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-align"

/// A filter's program in the message; empty: it has none, or is only a chain's head.
std::string program_of(const nlmsghdr* message) {
    const auto* const about = static_cast<const tcmsg*>(NLMSG_DATA(message));
    const auto* at = TCA_RTA(about);
    auto left = static_cast<int>(message->nlmsg_len - NLMSG_LENGTH(sizeof(*about)));
    const rtattr* options = nullptr;
    std::string kind;
    for (; RTA_OK(at, left); at = RTA_NEXT(at, left)) {
        if (at->rta_type == TCA_KIND) kind = static_cast<const char*>(RTA_DATA(at));
        if (at->rta_type == TCA_OPTIONS) options = at;
    }
    if (options == nullptr || about->tcm_handle == 0) return {};
    left = static_cast<int>(RTA_PAYLOAD(options));
    const auto* inner = static_cast<const rtattr*>(RTA_DATA(options));
    for (; RTA_OK(inner, left); inner = RTA_NEXT(inner, left)) {
        if (kind == "bpf" && inner->rta_type == TCA_BPF_NAME) {
            return static_cast<const char*>(RTA_DATA(inner));
        }
    }
    return kind;
}

std::vector<std::string> programs_at_ingress(unsigned ifindex) {
    const Socket socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
    const timeval patience{.tv_sec = 1, .tv_usec = 0};
    ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    struct {
        nlmsghdr head{};
        tcmsg about{};
    } ask;
    ask.head.nlmsg_len = sizeof(ask);
    ask.head.nlmsg_type = RTM_GETTFILTER;
    ask.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    ask.about.tcm_family = AF_UNSPEC;
    ask.about.tcm_ifindex = static_cast<int>(ifindex);
    ask.about.tcm_parent = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS);
    std::vector<std::string> out;
    if (::send(socket.get(), &ask, sizeof(ask), 0) < 0) return out;
    alignas(nlmsghdr) std::array<char, 32768> bytes{};
    for (;;) {
        const ssize_t got = ::recv(socket.get(), bytes.data(), bytes.size(), 0);
        if (got <= 0) return out;
        auto left = static_cast<uint32_t>(got);
        const auto* message = reinterpret_cast<const nlmsghdr*>(bytes.data());
        for (; NLMSG_OK(message, left); message = NLMSG_NEXT(message, left)) {
            if (message->nlmsg_type != RTM_NEWTFILTER) return out;
            if (std::string name = program_of(message); !name.empty()) {
                out.push_back(std::move(name));
            }
        }
    }
}

}  // namespace

std::optional<LinkFacts> link_facts(const std::string& ifname) {
    const unsigned ifindex = ::if_nametoindex(ifname.c_str());
    if (ifindex == 0) return std::nullopt;
    const Socket socket(AF_INET, SOCK_DGRAM, 0);
    return LinkFacts{.has_gro = is_on(socket, ifname, ETHTOOL_GGRO),
                     .has_tso = is_on(socket, ifname, ETHTOOL_GTSO),
                     .ingress = programs_at_ingress(ifindex)};
}

#pragma GCC diagnostic pop

}  // namespace podlane::control
