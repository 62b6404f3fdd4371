#include "lib/dpdk/kernel_link.h"

#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/net_namespace.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <span>

namespace podlane {

namespace {

/// The queueing disciplines (tc) that an operator sets to slow traffic down or to lose some of it.
constexpr auto kShapers =
    std::to_array<std::string_view>({"cake", "hfsc", "htb", "netem", "taprio", "tbf"});

/// The one of kShapers that has this name; empty if none has.
std::string_view shaper_named(std::string_view name) noexcept {
    const auto* const found = std::find(kShapers.begin(), kShapers.end(), name);
    return found == kShapers.end() ? std::string_view() : *found;
}

/// A descriptor for one question to the kernel.
class Descriptor {
  public:
    explicit Descriptor(int fd) noexcept : fd_(fd) {}
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    [[nodiscard]] int fd() const noexcept { return fd_; }

  private:
    int fd_;
};

/// A request to the kernel's routing socket, with attributes behind its fixed part.
template <class Fixed>
class Question {
  public:
    Question(uint16_t type, const Fixed& fixed) noexcept {
        header().nlmsg_len = NLMSG_LENGTH(sizeof(Fixed));
        header().nlmsg_type = type;
        header().nlmsg_flags = NLM_F_REQUEST;
        std::memcpy(NLMSG_DATA(&header()), &fixed, sizeof(fixed));
    }
    void add(uint16_t type, const void* value, size_t bytes) noexcept {
        const rtattr attribute{static_cast<uint16_t>(RTA_LENGTH(bytes)), type};
        char* const at = bytes_.data() + NLMSG_ALIGN(header().nlmsg_len);
        std::memcpy(at, &attribute, sizeof(attribute));
        std::memcpy(at + RTA_LENGTH(0), value, bytes);
        header().nlmsg_len =
            static_cast<uint32_t>(NLMSG_ALIGN(header().nlmsg_len) + RTA_LENGTH(bytes));
    }
    /// Asks for an answer in any case: that it is done, or why not.
    void want_answer() noexcept { header().nlmsg_flags |= NLM_F_ACK; }
    /// The kernel's one answer, of that type; null for another one.
    [[nodiscard]] const nlmsghdr* ask(uint16_t type, std::span<char> answer) noexcept {
        const Descriptor socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
        if (::send(socket.fd(), bytes_.data(), header().nlmsg_len, 0) < 0) return nullptr;
        const ssize_t got = ::recv(socket.fd(), answer.data(), answer.size(), 0);
        const auto* message = reinterpret_cast<const nlmsghdr*>(answer.data());
        const bool is_it =
            got > 0 && NLMSG_OK(message, static_cast<size_t>(got)) && message->nlmsg_type == type;
        return is_it ? message : nullptr;
    }

  private:
    [[nodiscard]] nlmsghdr& header() noexcept {
        return *reinterpret_cast<nlmsghdr*>(bytes_.data());
    }

    alignas(nlmsghdr) std::array<char, 256> bytes_{};
};

/// The value of an attribute behind the answer's fixed part: as many bytes of it as there are.
template <class Fixed, class Value>
bool read_attribute(const nlmsghdr& message, uint16_t type, Value& value) noexcept {
    auto left = static_cast<int>(message.nlmsg_len - NLMSG_SPACE(sizeof(Fixed)));
    // The kernel aligns attributes, but its macros do not tell the compiler.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-align"
    const auto* at = reinterpret_cast<const rtattr*>(
        static_cast<const char*>(NLMSG_DATA(&message)) + NLMSG_ALIGN(sizeof(Fixed)));
    for (; RTA_OK(at, left); at = RTA_NEXT(at, left)) {
#pragma GCC diagnostic pop
        if (at->rta_type != type) continue;
        std::memcpy(&value, RTA_DATA(at), std::min<size_t>(RTA_PAYLOAD(at), sizeof(value)));
        return true;
    }
    return false;
}

/// The id that our network namespace has for the one behind the descriptor; it is given one.
int namespace_id(int netns) noexcept {
    alignas(nlmsghdr) std::array<char, 1024> answer;
    const int32_t any = -1;
    // Refused where it has one already.
    Question<rtgenmsg> give(RTM_NEWNSID, {AF_UNSPEC});
    give.add(NETNSA_NSID, &any, sizeof(any));
    give.add(NETNSA_FD, &netns, sizeof(netns));
    give.want_answer();
    static_cast<void>(give.ask(NLMSG_ERROR, answer));
    Question<rtgenmsg> tell(RTM_GETNSID, {AF_UNSPEC});
    tell.add(NETNSA_FD, &netns, sizeof(netns));
    const nlmsghdr* const message = tell.ask(RTM_NEWNSID, answer);
    int32_t id = -1;
    if (message == nullptr || !read_attribute<rtgenmsg>(*message, NETNSA_NSID, id)) return -1;
    return id;
}

bool is_our_namespace(int netns) noexcept {
    struct stat theirs {};
    struct stat ours {};
    return ::fstat(netns, &theirs) == 0 && ::stat("/proc/thread-self/ns/net", &ours) == 0 &&
           theirs.st_ino == ours.st_ino;
}

}  // namespace

KernelLink::KernelLink(const std::string& ifname) : index_(::if_nametoindex(ifname.c_str())) {
    if (const auto answer = ask(nullptr)) before_ = answer->losses;
}

KernelLink::KernelLink(int tap_queue) : is_tap_(true) {
    ifreq request{};
    const Descriptor netns(::ioctl(tap_queue, TUNGETDEVNETNS, nullptr));
    if (netns.fd() < 0 || ::ioctl(tap_queue, TUNGETIFF, &request) != 0) return;
    if (!is_our_namespace(netns.fd())) {
        netns_ = namespace_id(netns.fd());
        if (netns_ < 0) return;
    }
    const auto answer = ask(request.ifr_name);
    if (!answer) return;
    index_ = answer->index;
    before_ = answer->losses;
}

DeviceLosses KernelLink::losses() const noexcept {
    if (const auto answer = ask(nullptr)) {
        last_ = answer->losses.since(before_);
        shaper_ = answer->shaper;
    }
    return last_;
}

LinkState KernelLink::state() const noexcept {
    ifreq request{};
    if (index_ == 0 || ::if_indextoname(index_, request.ifr_name) == nullptr) {
        return LinkState::kGone;
    }
    const Descriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (::ioctl(socket.fd(), SIOCGIFFLAGS, &request) != 0) return LinkState::kDown;
    constexpr int kRuns = IFF_UP | IFF_RUNNING;
    return (request.ifr_flags & kRuns) == kRuns ? LinkState::kUp : LinkState::kDown;
}

std::optional<KernelLink::Answer> KernelLink::ask(const char* name) const noexcept {
    if (index_ == 0 && name == nullptr) return std::nullopt;
    ifinfomsg link{};
    link.ifi_index = name == nullptr ? static_cast<int>(index_) : 0;
    Question<ifinfomsg> question(RTM_GETLINK, link);
    if (name != nullptr) question.add(IFLA_IFNAME, name, std::strlen(name) + 1);
    if (netns_ >= 0) question.add(IFLA_TARGET_NETNSID, &netns_, sizeof(netns_));
    alignas(nlmsghdr) std::array<char, 16384> bytes;
    const nlmsghdr* const message = question.ask(RTM_NEWLINK, bytes);
    rtnl_link_stats64 stats{};
    if (message == nullptr || !read_attribute<ifinfomsg>(*message, IFLA_STATS64, stats)) {
        return std::nullopt;
    }
    Answer out;
    out.index =
        static_cast<unsigned>(static_cast<const ifinfomsg*>(NLMSG_DATA(message))->ifi_index);
    if (is_tap_) {
        // What its kernel sends is received here. What is written to it and refused, workers count.
        out.losses.rx_missed = stats.tx_dropped;
    } else {
        // Not rx_dropped: it counts frames that the kernel had no use for, and we use the interface
        // instead.
        out.losses.rx_missed = stats.rx_missed_errors;
        out.losses.rx_errors = stats.rx_errors;
        out.losses.tx_errors = stats.tx_errors + stats.tx_dropped;
    }
    std::array<char, IFNAMSIZ> discipline{};
    if (read_attribute<ifinfomsg>(*message, IFLA_QDISC, discipline)) {
        discipline.back() = '\0';
        out.shaper = shaper_named(discipline.data());
    }
    return out;
}

}  // namespace podlane
