#include "control/netdev/tap.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "control/netdev/netns.h"
#include "control/netdev/rtnl.h"
#include "control/netdev/sysctl.h"
#include "control/netdev/tap_parts.h"
#include "control/netdev/unique_fd.h"
#include "lib/border/port_caps.h"

namespace podlane::control {

namespace {

/// The metric of a default route if another one already exists: less preferred than any usual
/// route. Further interfaces, such as those of a pod's secondary networks, each get the next higher
/// metric.
constexpr uint32_t kSecondDefaultMetric = 4096;
constexpr uint32_t kMostDefaults = 256;
/// The kernel's number of `lo` in every namespace (LOOPBACK_IFINDEX).
constexpr int kLoopbackIndex = 1;
constexpr uint32_t kMainTable = 254;

Error in_words(const std::string& what) {
    return Error{fmt::format("{}: {}", what, std::strerror(errno))};
}

Result<UniqueFd> open_queue(const std::string& ifname, bool first) {
    UniqueFd fd(::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
    if (!fd.valid()) return in_words("open /dev/net/tun");
    ifreq ifr{};
    ifname.copy(ifr.ifr_name, IFNAMSIZ - 1);
    // IFF_TUN_EXCL: never attach to somebody else's TAP.
    ifr.ifr_flags = static_cast<short>(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE |
                                       (first ? IFF_TUN_EXCL : 0));
    if (::ioctl(fd.get(), TUNSETIFF, &ifr) != 0) return in_words("create TAP");
    return fd;
}

}  // namespace

Result<std::vector<UniqueFd>> open_tap_queues(const std::string& ifname, const TapRequest& request,
                                              bool is_new) {
    std::vector<UniqueFd> queues;
    while (queues.size() < request.queues) {
        auto queue = open_queue(ifname, is_new && queues.empty());
        if (!queue.ok()) return queue.error();
        queues.push_back(std::move(*queue));
    }
    int header_bytes = static_cast<int>(kTapHeaderBytes);
    if (::ioctl(queues[0].get(), TUNSETVNETHDRSZ, &header_bytes) != 0) {
        return in_words("set TAP header size");
    }
    unsigned long offloads = 0;
    if (request.offloads.checksum) offloads |= TUN_F_CSUM;
    if (request.offloads.checksum && request.offloads.tso4) offloads |= TUN_F_TSO4;
    if (request.offloads.checksum && request.offloads.tso6) offloads |= TUN_F_TSO6;
    if (::ioctl(queues[0].get(), TUNSETOFFLOAD, offloads) != 0) {
        return in_words("set TAP offloads");
    }
    return queues;
}

Result<void> check_tap(const TapRequest& request) {
    const std::string& name = request.ifname;
    if (name.empty() || name.size() >= IFNAMSIZ || name == "." || name == ".." ||
        name.find_first_of("/: \t\n%") != std::string::npos) {
        return Error{"an interface name has 1-15 characters, none of them '/', ':', '%' or blank"};
    }
    if (request.queues < 1 || request.queues > kMaxTapQueues) {
        return Error{fmt::format("{} queues: 1-{} are allowed", request.queues, kMaxTapQueues)};
    }
    if (request.mac.is_multicast() || request.mac.is_zero()) {
        return Error{fmt::format("MAC {} is not a unicast address", to_string(request.mac))};
    }
    const bool has_v6 = std::any_of(request.addresses.begin(), request.addresses.end(),
                                    [](const auto& a) { return a.address.is_v6(); });
    if (request.mtu < (has_v6 ? 1280 : 68)) {
        return Error{fmt::format("MTU {} is too small: at least {}", request.mtu,
                                 has_v6 ? "1280 with IPv6 (RFC 8200 section 5)" : "68 (RFC 791)")};
    }
    return {};
}

namespace {

/// Removes an interface that the same owner has left; any other is an error.
Result<void> make_way(Rtnl& rtnl, const TapRequest& request) {
    auto link = rtnl.find_link(request.ifname);
    if (!link.ok()) return link.error();
    if (!link->has_value()) return {};
    const LinkInfo& info = **link;
    const bool is_left = !request.alias.empty() && info.alias == request.alias &&
                         info.kind == "tun" && !info.carrier;
    return is_left ? rtnl.delete_link(info.ifindex) : Error{"the interface exists already"};
}

}  // namespace

Result<void> configure_tap_ipv6(const TapRequest& request) {
    const auto path = [&](const char* key) {
        return interface_sysctl("ipv6", request.ifname, key);
    };
    const bool wanted = std::any_of(request.addresses.begin(), request.addresses.end(),
                                    [](const auto& a) { return a.address.is_v6(); });
    if (!wanted) {
        if (!read_sysctl(path("disable_ipv6")).ok()) return {};  // this kernel has no IPv6
        return write_sysctl(path("disable_ipv6"), "1");
    }
    int accept_ra = 0;
    for (const TakenLink& link : request.taken) accept_ra = std::max(accept_ra, link.accept_ra);
    // Routers are asked for routes, as on the uplink's interface; addresses are the
    // configuration's.
    const std::string solicitations = accept_ra != 0 ? "3" : "0";
    for (const auto& [key, value] :
         {std::pair("autoconf", std::string("0")), std::pair("accept_dad", std::string("0")),
          std::pair("accept_ra", std::to_string(accept_ra)),
          std::pair("router_solicitations", solicitations),
          std::pair("disable_ipv6", std::string("0"))}) {
        if (auto done = write_sysctl(path(key), value); !done.ok()) return done;
    }
    return {};
}

namespace {

bool is_on_link(const TapRequest& request, const IpAddress& address) {
    return std::any_of(request.addresses.begin(), request.addresses.end(),
                       [&](const auto& a) { return a.subnet().contains(address); });
}

/// Whether the interface already has the route, from an earlier process.
bool has_route(const std::vector<KernelRoute>& there, const IpPrefix& destination,
               const std::optional<IpAddress>& via) {
    return std::any_of(there.begin(), there.end(), [&](const KernelRoute& route) {
        return route.destination == destination && route.via == via;
    });
}

/// Whether one of the uplinks' interfaces had the default route by the gateway.
bool is_taken(const TapRequest& request, const IpAddress& gateway) {
    return std::ranges::any_of(request.taken, [&](const TakenLink& link) {
        return std::ranges::any_of(link.objects.routes, [&](const LinkRecord& each) {
            const auto route = route_view(each);
            return route && route->destination.length == 0 && !route->from &&
                   route->table == kMainTable && route->via == gateway;
        });
    });
}

Result<void> add_default_route(Rtnl& rtnl, int ifindex, const TapRequest& request,
                               const IpAddress& gateway) {
    const IpAddress any = gateway.is_v4() ? IpAddress(Ipv4Address{}) : IpAddress(Ipv6Address{});
    KernelRoute route{.destination = {any, 0}, .via = gateway};
    route.onlink = !is_on_link(request, gateway);
    auto added = rtnl.add_route(ifindex, route);
    // If another interface already has the default route, such as a machine's management port, it
    // keeps it.
    for (uint32_t n = 0; added.ok() && !*added && n < kMostDefaults; ++n) {
        route.metric = kSecondDefaultMetric + n;
        added = rtnl.add_route(ifindex, route);
    }
    if (!added.ok()) return added.error();
    if (!*added) {
        return Error{fmt::format("more than {} default routes exist beside {}", kMostDefaults,
                                 to_string(gateway))};
    }
    return {};
}

}  // namespace

Result<void> add_tap_routes(Rtnl& rtnl, int ifindex, const TapRequest& request,
                            const std::vector<KernelRoute>& there) {
    for (const auto& neighbor : request.neighbors) {
        auto added = rtnl.add_neighbor(ifindex, neighbor.address, neighbor.mac);
        if (!added.ok()) return added;
    }
    for (const auto& gateway : request.gateways) {
        const IpAddress any = gateway.is_v4() ? IpAddress(Ipv4Address{}) : IpAddress(Ipv6Address{});
        if (has_route(there, {any, 0}, gateway) || is_taken(request, gateway)) continue;
        auto added = add_default_route(rtnl, ifindex, request, gateway);
        if (!added.ok()) return added;
    }
    for (const auto& route : request.routes) {
        if (has_route(there, route.destination, route.via)) continue;
        const bool onlink = route.via && !is_on_link(request, *route.via);
        const auto added =
            rtnl.add_route(ifindex, {route.destination, route.via, onlink, route.preferred_source});
        if (!added.ok()) return added.error();
        if (!*added) {
            return Error{fmt::format("add route {}: there is one already, by another interface",
                                     to_string(route.destination))};
        }
    }
    return {};
}

Error tap_failure(const TapRequest& request, const Error& error) {
    std::string where = fmt::format("interface {}", request.ifname);
    if (!request.netns_path.empty()) where += " in " + request.netns_path;
    return Error{fmt::format("{}: {}", where, error.message)};
}

namespace {

/// Makes the pod's kernel repeat its requests for a neighbour five times a second, for the three
/// seconds in which it sends three otherwise: one that is lost while podlaned restarts does not
/// cost a second. Of use only; a kernel without such a setting goes on as it is.
void quicken_neighbour_requests(const std::string& ifname) {
    for (const char* family : {"ipv4", "ipv6"}) {
        const std::string folder = fmt::format("/proc/sys/net/{}/neigh/{}/", family, ifname);
        for (const auto& [key, value] :
             {std::pair("retrans_time_ms", "200"), std::pair("mcast_solicit", "15"),
              std::pair("ucast_solicit", "15")}) {
            static_cast<void>(write_sysctl(folder + key, value));
        }
    }
}

}  // namespace

Result<void> configure_tap(Rtnl& rtnl, const TapRequest& request, int& ifindex) {
    auto link = rtnl.find_link(request.ifname);
    if (!link.ok()) return link.error();
    if (!link->has_value()) return Error{"the interface is gone"};
    ifindex = (*link)->ifindex;
    LinkChange change{.mac = request.mac, .mtu = request.mtu, .tx_queue_length = kTxQueueLength};
    if (!request.alias.empty()) change.alias = request.alias;
    if (auto done = rtnl.change_link(ifindex, change); !done.ok()) return done;
    // The default is a queue of kTxQueueLength frames for each of the 256 that such a TAP can have,
    // 13 MB in all, of which nothing is ever used: a TAP takes or drops a frame at once. Of use
    // only.
    static_cast<void>(rtnl.send_unqueued(ifindex));

    if (auto done = configure_tap_ipv6(request); !done.ok()) return done;
    quicken_neighbour_requests(request.ifname);
    if (request.bring_up_lo) {
        if (auto done = rtnl.change_link(kLoopbackIndex, {.up = true}); !done.ok()) {
            return Error{"lo: " + done.error().message};
        }
    }
    if (auto done = rtnl.change_link(ifindex, {.up = true}); !done.ok()) return done;
    for (const auto& address : request.addresses) {
        if (auto done = rtnl.add_address(ifindex, address); !done.ok()) return done;
    }
    return add_tap_routes(rtnl, ifindex, request);
}

TapDevice::TapDevice(TapDevice&& other) noexcept
    : queue_fds_(std::exchange(other.queue_fds_, {})),
      ifname_(std::move(other.ifname_)),
      netns_path_(std::move(other.netns_path_)),
      ifindex_(std::exchange(other.ifindex_, 0)),
      mac_(other.mac_),
      mtu_(other.mtu_) {}

TapDevice& TapDevice::operator=(TapDevice&& other) noexcept {
    if (this == &other) return *this;
    close_queues();
    queue_fds_ = std::exchange(other.queue_fds_, {});
    ifname_ = std::move(other.ifname_);
    netns_path_ = std::move(other.netns_path_);
    ifindex_ = std::exchange(other.ifindex_, 0);
    mac_ = other.mac_;
    mtu_ = other.mtu_;
    return *this;
}

TapDevice::~TapDevice() {
    close_queues();
}

std::vector<int> TapDevice::release_queue_fds() noexcept {
    return std::exchange(queue_fds_, {});
}

void TapDevice::close_queues() noexcept {
    for (const int fd : queue_fds_) ::close(fd);
    queue_fds_.clear();
}

void TapDevice::remove() noexcept {
    close_queues();
    if (ifindex_ == 0) return;
    static_cast<void>(in_network_namespace(netns_path_, [this]() -> Result<void> {
        auto rtnl = Rtnl::open();
        if (!rtnl.ok()) return rtnl.error();
        auto link = rtnl->find_link(ifname_);
        if (!link.ok()) return link.error();
        if (!link->has_value()) return {};
        const LinkInfo& info = **link;
        const bool ours = info.ifindex == ifindex_ && info.kind == "tun" && info.mac == mac_;
        return ours ? rtnl->delete_link(info.ifindex) : Result<void>{};
    }));
    ifindex_ = 0;
}

Result<TapDevice> create_tap(const TapRequest& request) {
    if (auto checked = check_tap(request); !checked.ok()) {
        return tap_failure(request, checked.error());
    }
    std::vector<UniqueFd> queues;
    TapDevice tap;
    // Made where it is to be: moving an interface to another namespace takes the kernel ten times
    // as long as all the rest. On failures, closing the queues is all the cleanup needed.
    auto made = in_network_namespace(request.netns_path, [&]() -> Result<void> {
        auto rtnl = Rtnl::open();
        if (!rtnl.ok()) return rtnl.error();
        if (auto way = make_way(*rtnl, request); !way.ok()) return way;
        auto opened = open_tap_queues(request.ifname, request, true);
        if (!opened.ok()) return opened.error();
        queues = std::move(*opened);
        return configure_tap(*rtnl, request, tap.ifindex_);
    });
    if (!made.ok()) return tap_failure(request, made.error());

    for (auto& queue : queues) tap.queue_fds_.push_back(queue.release());
    tap.ifname_ = request.ifname;
    tap.netns_path_ = request.netns_path;
    tap.mac_ = request.mac;
    tap.mtu_ = request.mtu;
    return tap;
}

TapRequest tap_request_of(const PodTapRequest& request) {
    return {.netns_path = request.netns_path,
            .ifname = request.ifname,
            .mac = request.mac,
            .mtu = request.mtu,
            .queues = request.queues,
            .addresses = request.addresses,
            .gateways = request.gateways,
            .bring_up_lo = true,
            .offloads = request.offloads};
}

TapRequest tap_request_of(const HostTapRequest& request) {
    TapRequest tap{.ifname = request.ifname,
                   .mac = request.mac,
                   .mtu = request.mtu,
                   .queues = request.queues,
                   .addresses = request.addresses,
                   .gateways = request.gateways,
                   .offloads = request.offloads,
                   .taken = request.taken};
    const auto same_family = [](const IpAddress& a) {
        return [is_v4 = a.is_v4()](const auto& entry) { return entry.address.is_v4() == is_v4; };
    };
    for (const auto& cidr : request.cluster_cidrs) {
        const auto family = same_family(cidr.address);
        const auto source = std::find_if(tap.addresses.begin(), tap.addresses.end(), family);
        if (source == tap.addresses.end()) continue;
        const auto router = std::find_if(request.routers.begin(), request.routers.end(), family);
        TapRoute route{.destination = cidr, .preferred_source = source->address};
        if (router != request.routers.end()) route.via = router->address;
        tap.routes.push_back(route);
    }
    for (const auto& router : request.routers) {
        const auto family = same_family(router.address);
        if (std::any_of(tap.addresses.begin(), tap.addresses.end(), family)) {
            tap.neighbors.push_back(router);
        }
    }
    return tap;
}

Result<TapDevice> create_pod_tap(const PodTapRequest& request) {
    return create_tap(tap_request_of(request));
}

Result<TapDevice> create_host_tap(const HostTapRequest& request) {
    return create_tap(tap_request_of(request));
}

Result<TapDevice> create_server_tap(const std::string& netns_path,
                                    const ServerTapRequest& request) {
    TapRequest tap{.netns_path = netns_path,
                   .ifname = request.ifname,
                   .mac = request.mac,
                   .mtu = request.mtu,
                   .queues = request.queues,
                   .bring_up_lo = true,
                   .offloads = request.offloads};
    for (const IpAddress& address : request.addresses) {
        const IpAddress gateway = *parse_ip(address.is_v4() ? "169.254.1.1" : "fe80::1");
        const uint8_t all_bits = address.is_v4() ? 32 : 128;
        tap.addresses.push_back({address, all_bits});
        tap.gateways.push_back(gateway);
        tap.neighbors.push_back({gateway, request.router});
    }
    return create_tap(tap);
}

}  // namespace podlane::control
