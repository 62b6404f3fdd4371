#include "control/netdev/kept_tap.h"

#include <fmt/format.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <thread>
#include <utility>

#include "control/netdev/netns.h"
#include "control/netdev/rtnl.h"
#include "control/netdev/tap_parts.h"

namespace podlane::control {

std::string mark_of(const std::string& owner) {
    return "podlane " + owner;
}

namespace {

bool is_marked(const LinkInfo& link, const std::string& owner) {
    return link.kind == "tun" && link.alias == mark_of(owner);
}

bool is_left_by(const LinkInfo& link, const std::string& owner) {
    return is_marked(link, owner) && !link.carrier;
}

/// The interface that the owner has left. A killed process may have its queues open a moment
/// longer, until the kernel has finished its requests. `in_use`: it may keep them open.
Result<LinkInfo> find_left(Rtnl& rtnl, const std::string& ifname, const std::string& owner,
                           bool in_use) {
    for (int tries = 0;; ++tries) {
        auto link = rtnl.find_link(ifname);
        if (!link.ok()) return link.error();
        if (!link->has_value()) return Error{"there is no such interface"};
        const LinkInfo& info = **link;
        const bool is_ours = is_marked(info, owner);
        if (is_ours && (in_use || !info.carrier)) return info;
        if (!is_ours || tries == kTries) return Error{"the interface is not ours, or is in use"};
        std::this_thread::sleep_for(kBetweenTries);
    }
}

}  // namespace

Result<void> remove_left(const std::string& ifname, const std::string& owner) {
    auto rtnl = Rtnl::open();
    if (!rtnl.ok()) return rtnl.error();
    auto link = rtnl->find_link(ifname);
    if (!link.ok()) return link.error();
    const bool is_left = link->has_value() && is_left_by(**link, owner);
    return is_left ? rtnl->delete_link((*link)->ifindex) : Result<void>{};
}

namespace {

Result<KeptTap> make(TapRequest request, const std::string& owner) {
    request.alias = mark_of(owner);
    auto made = create_tap(request);
    if (!made.ok()) return made.error();
    if (::ioctl(made->queue_fds().front(), TUNSETPERSIST, 1) != 0) {
        return tap_failure(request,
                           Error{fmt::format("make it persistent: {}", std::strerror(errno))});
    }
    const int ifindex = made->ifindex();
    const auto device = std::make_shared<TapDevice>(std::move(made).value());
    return KeptTap{device->release_queue_fds(), [device] { device->remove(); }, false, ifindex};
}

/// Removes exactly the interface that was attached to.
void remove_attached(const TapRequest& request, int ifindex) noexcept {
    static_cast<void>(in_network_namespace(request.netns_path, [&]() -> Result<void> {
        auto rtnl = Rtnl::open();
        if (!rtnl.ok()) return rtnl.error();
        auto link = rtnl->find_link(request.ifname);
        if (!link.ok()) return link.error();
        const bool is_ours = link->has_value() && (*link)->ifindex == ifindex &&
                             (*link)->kind == "tun" && (*link)->mac == request.mac;
        return is_ours ? rtnl->delete_link(ifindex) : Result<void>{};
    }));
}

/// `update` gets the interface's index in its namespace. `in_use`: another process has its queues
/// open; none are opened here.
template <class Update>
Result<KeptTap> attach(const TapRequest& request, const std::string& owner, bool in_use,
                       Update update) {
    if (auto checked = check_tap(request); !checked.ok()) {
        return tap_failure(request, checked.error());
    }
    std::vector<UniqueFd> queues;
    int ifindex = 0;
    auto attached = in_network_namespace(request.netns_path, [&]() -> Result<void> {
        auto rtnl = Rtnl::open();
        if (!rtnl.ok()) return rtnl.error();
        auto left = find_left(*rtnl, request.ifname, owner, in_use);
        if (!left.ok()) return left.error();
        const LinkInfo& info = *left;
        ifindex = info.ifindex;
        LinkChange change;
        if (info.mac != request.mac) change.mac = request.mac;
        if (info.mtu != request.mtu) change.mtu = request.mtu;
        if (change.mac || change.mtu) {
            if (auto done = rtnl->change_link(request.ifname, change); !done.ok()) return done;
        }
        if (!in_use) {
            auto opened = open_tap_queues(request.ifname, request, false);
            if (!opened.ok()) return opened.error();
            queues = std::move(*opened);
        }
        return update(*rtnl, ifindex);
    });
    if (!attached.ok()) return tap_failure(request, attached.error());
    KeptTap tap;
    for (UniqueFd& queue : queues) tap.queue_fds.push_back(queue.release());
    tap.remove = [request, ifindex] { remove_attached(request, ifindex); };
    tap.was_there = true;
    tap.ifindex = ifindex;
    return tap;
}

bool has(const std::vector<InterfaceAddress>& list, const InterfaceAddress& one) {
    return std::find(list.begin(), list.end(), one) != list.end();
}

Result<void> update_addresses(Rtnl& rtnl, int ifindex, const TapRequest& request) {
    auto had = rtnl.addresses(ifindex);
    if (!had.ok()) return had.error();
    for (const InterfaceAddress& each : *had) {
        const bool is_kernels = each.address.is_v6() && each.address.as<V6>().is_link_local();
        if (is_kernels || has(request.addresses, each)) continue;
        if (auto done = rtnl.delete_address(ifindex, each); !done.ok()) return done;
    }
    for (const InterfaceAddress& each : request.addresses) {
        if (has(*had, each)) continue;
        if (auto done = rtnl.add_address(ifindex, each); !done.ok()) return done;
    }
    return {};
}

/// Whether it was moved here from an uplink's interface.
bool is_taken(const TapRequest& request, const KernelRoute& route) {
    return std::ranges::any_of(request.taken, [&](const TakenLink& link) {
        return std::ranges::any_of(link.objects.routes, [&](const LinkRecord& each) {
            const auto view = route_view(each);
            return view && view->destination == route.destination && view->via == route.via &&
                   view->metric == route.metric && view->table == route.table;
        });
    });
}

bool is_wanted(const TapRequest& request, const KernelRoute& route) {
    if (is_taken(request, route)) return true;
    if (route.destination.length == 0) {
        return std::any_of(request.gateways.begin(), request.gateways.end(),
                           [&](const IpAddress& gateway) { return route.via == gateway; });
    }
    return std::any_of(request.routes.begin(), request.routes.end(), [&](const TapRoute& each) {
        return each.destination == route.destination && each.via == route.via &&
               each.preferred_source == route.preferred_source;
    });
}

/// What is already right stays untouched, and is never missing.
Result<void> update_host(Rtnl& rtnl, int ifindex, const TapRequest& request) {
    if (auto done = configure_tap_ipv6(request); !done.ok()) return done;
    if (auto done = rtnl.change_link(request.ifname, {.up = true}); !done.ok()) return done;
    if (auto done = update_addresses(rtnl, ifindex, request); !done.ok()) return done;
    auto routes = rtnl.routes(ifindex);
    if (!routes.ok()) return routes.error();
    // Routes to load balancer addresses (kRouteProtocol) follow the objects.
    std::erase_if(
        *routes, [](const KernelRoute& route) { return route.protocol != KernelRoute{}.protocol; });
    for (auto at = routes->begin(); at != routes->end();) {
        if (is_wanted(request, *at)) {
            ++at;
            continue;
        }
        if (auto done = rtnl.delete_route(ifindex, *at); !done.ok()) return done.error();
        at = routes->erase(at);
    }
    return add_tap_routes(rtnl, ifindex, request, *routes);
}

}  // namespace

Result<KeptTap> keep_pod_tap(const PodTapRequest& request, const std::string& owner) {
    return make(tap_request_of(request), owner);
}

Result<KeptTap> attach_pod_tap(const PodTapRequest& request, const std::string& owner,
                               bool in_use) {
    const TapRequest tap = tap_request_of(request);
    auto attached = attach(tap, owner, in_use, [](Rtnl&, int) { return Result<void>{}; });
    if (attached.ok() || in_use) return attached;
    auto made = make(tap, owner);
    // If the interface exists but is not ours to use, that is the error to report.
    return made.ok() ? std::move(made) : std::move(attached);
}

Result<KeptTap> keep_host_tap(const HostTapRequest& request, const std::string& owner,
                              std::vector<UniqueFd> queues) {
    const TapRequest tap = tap_request_of(request);
    const bool in_use = !queues.empty();
    auto attached = attach(tap, owner, in_use, [&](Rtnl& rtnl, int ifindex) {
        return update_host(rtnl, ifindex, tap);
    });
    if (!in_use) return attached.ok() ? std::move(attached) : make(tap, owner);
    if (attached.ok()) {
        for (UniqueFd& queue : queues) attached->queue_fds.push_back(queue.release());
    }
    return attached;
}

void remove_pod_tap(const PodTapRequest& request, int ifindex) noexcept {
    remove_attached(tap_request_of(request), ifindex);
}

void remove_left_tap(const std::string& ifname, const std::string& owner) noexcept {
    static_cast<void>(remove_left(ifname, owner));
}

}  // namespace podlane::control
