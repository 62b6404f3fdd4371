#include "control/netdev/kernel_guard.h"

#include <fmt/format.h>
#include <linux/ethtool.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "control/netdev/rtnl.h"
#include "control/netdev/sysctl.h"
#include "control/netdev/xdp_pass.h"

namespace podlane::control {

namespace {

/// One of ethtool's commands that read or write a number; none if the driver does not know it.
std::optional<uint32_t> ethtool(const std::string& ifname, uint32_t command, uint32_t value) {
    const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!socket.valid()) return std::nullopt;
    ethtool_value request{.cmd = command, .data = value};
    ifreq ifr{};
    ifname.copy(ifr.ifr_name, IFNAMSIZ - 1);
    ifr.ifr_data = reinterpret_cast<char*>(&request);
    if (::ioctl(socket.get(), SIOCETHTOOL, &ifr) != 0) return std::nullopt;
    return request.data;
}

std::string join(const std::vector<InterfaceAddress>& addresses) {
    std::string out;
    for (const auto& address : addresses) {
        out += (out.empty() ? "" : ", ") + to_string(address);
    }
    return out;
}

}  // namespace

Result<void> KernelInterfaceGuard::set(const std::string& sysctl, const std::string& value) {
    auto old = read_sysctl(sysctl);
    if (!old.ok()) return old.error();
    if (*old == value) return {};
    if (auto written = write_sysctl(sysctl, value); !written.ok()) return written;
    old_sysctls_.emplace_back(sysctl, *old);
    return {};
}

void KernelInterfaceGuard::stop_merging() {
    if (const auto gro = ethtool(ifname_, ETHTOOL_GGRO, 0); gro.value_or(0) != 0) {
        if (ethtool(ifname_, ETHTOOL_SGRO, 0)) {
            old_features_.emplace_back(ETHTOOL_SGRO, *gro);
        } else {
            warnings_.push_back(
                fmt::format("interface {}: cannot turn off GRO: {}; merged frames will be cut off",
                            ifname_, std::strerror(errno)));
        }
    }
    const auto flags = ethtool(ifname_, ETHTOOL_GFLAGS, 0);
    if ((flags.value_or(0) & ETH_FLAG_LRO) != 0 &&
        ethtool(ifname_, ETHTOOL_SFLAGS, *flags & ~uint32_t{ETH_FLAG_LRO})) {
        old_features_.emplace_back(ETHTOOL_SFLAGS, *flags);
    }
}

Result<void> KernelInterfaceGuard::guard_family(bool v4) {
    bool& is_guarded = v4 ? is_guarded_v4_ : is_guarded_v6_;
    if (is_guarded) return {};
    if (v4) {
        for (const auto& [key, value] :
             {std::pair("rp_filter", "1"), std::pair("arp_ignore", "8")}) {
            auto done = set(interface_sysctl("ipv4", ifname_, key), value);
            if (!done.ok()) return done;
        }
    } else {
        const std::string disable_ipv6 = interface_sysctl("ipv6", ifname_, "disable_ipv6");
        const bool has_ipv6 = read_sysctl(disable_ipv6).ok();
        if (auto done = has_ipv6 ? set(disable_ipv6, "1") : Result<void>(); !done.ok()) return done;
    }
    is_guarded = true;
    return {};
}

Result<void> KernelInterfaceGuard::take_over(Rtnl& rtnl, int ifindex,
                                             const std::vector<InterfaceAddress>& addresses) {
    auto routes = rtnl.routes(ifindex);
    if (!routes.ok()) return routes.error();
    for (const KernelRoute& route : *routes) {
        // The kernel's own come with the address, those of router advertisements by themselves.
        if (route.protocol != RTPROT_KERNEL && route.protocol != RTPROT_RA) {
            routes_.push_back(route);
        }
    }
    for (const InterfaceAddress& address : addresses) {
        if (auto done = rtnl.delete_address(ifindex, address); !done.ok()) return done;
        if (std::find(taken_.begin(), taken_.end(), address) == taken_.end()) {
            taken_.push_back(address);
        }
    }
    notes_.push_back(fmt::format("interface {}: {} is taken over, and given back at the end",
                                 ifname_, join(addresses)));
    return {};
}

Result<void> KernelInterfaceGuard::guard_addresses(Rtnl& rtnl, int ifindex) {
    auto addresses = rtnl.addresses(ifindex);
    if (!addresses.ok()) return addresses.error();
    std::vector<InterfaceAddress> ours;
    std::vector<InterfaceAddress> foreign;
    for (const InterfaceAddress& each : *addresses) {
        const bool is_own = std::any_of(
            own_.begin(), own_.end(), [&](const auto& own) { return own.address == each.address; });
        if (is_own) {
            ours.push_back(each);
        } else if (each.address.is_v4() || !each.address.as<V6>().is_link_local()) {
            foreign.push_back(each);
        }
    }
    if (!ours.empty()) {
        if (auto done = take_over(rtnl, ifindex, ours); !done.ok()) return done;
    }
    for (const bool v4 : {true, false}) {
        std::vector<InterfaceAddress> others;
        for (const InterfaceAddress& each : foreign) {
            if (each.address.is_v4() == v4) others.push_back(each);
        }
        if (others.empty()) {
            if (auto done = guard_family(v4); !done.ok()) return done;
        } else if (foreign != foreign_) {
            warnings_.push_back(fmt::format(
                "interface {}: the kernel has {} here and answers beside podlane; remove the "
                "address, or give it to the uplink",
                ifname_, join(others)));
        }
    }
    foreign_ = std::move(foreign);
    return {};
}

void KernelInterfaceGuard::look() noexcept {
    // One that cannot be looked at is gone: its port says so.
    auto rtnl = Rtnl::open();
    if (!rtnl.ok()) return;
    const auto link = rtnl->find_link(ifname_);
    if (!link.ok() || !link->has_value()) return;
    if (auto done = guard_addresses(*rtnl, (*link)->ifindex); !done.ok()) {
        warnings_.push_back(fmt::format("interface {}: {}", ifname_, done.error().message));
    }
}

void KernelInterfaceGuard::give_back() noexcept {
    if (taken_.empty()) return;
    auto rtnl = Rtnl::open();
    if (!rtnl.ok()) return;
    const auto link = rtnl->find_link(ifname_);
    if (!link.ok() || !link->has_value()) return;
    for (const InterfaceAddress& address : taken_) {
        static_cast<void>(rtnl->add_address((*link)->ifindex, address));
    }
    for (const KernelRoute& route : routes_) {
        static_cast<void>(rtnl->add_route((*link)->ifindex, route));
    }
    taken_.clear();
    routes_.clear();
}

void KernelInterfaceGuard::restore() noexcept {
    xdp_.reset();
    for (const auto& [command, value] : old_features_) ethtool(ifname_, command, value);
    old_features_.clear();
    // The interface may be gone by now; then there is nothing to put back.
    for (auto it = old_sysctls_.rbegin(); it != old_sysctls_.rend(); ++it) {
        static_cast<void>(write_sysctl(it->first, it->second));
    }
    old_sysctls_.clear();
    give_back();
    if (set_up_) {
        if (auto rtnl = Rtnl::open(); rtnl.ok()) {
            static_cast<void>(rtnl->change_link(ifname_, {.up = false}));
        }
        set_up_ = false;
    }
}

void KernelInterfaceGuard::leave() noexcept {
    xdp_.reset();
    old_features_.clear();
    old_sysctls_.clear();
    taken_.clear();
    routes_.clear();
    set_up_ = false;
}

Result<KernelInterfaceGuard> guard_kernel_interface(const std::string& ifname,
                                                    KernelInterfaceUse use,
                                                    const std::vector<InterfaceAddress>& own) {
    const auto failed = [&](const Error& error) {
        return Error{fmt::format("interface {}: {}", ifname, error.message)};
    };
    auto rtnl = Rtnl::open();
    if (!rtnl.ok()) return failed(rtnl.error());
    auto link = rtnl->find_link(ifname);
    if (!link.ok()) return failed(link.error());
    if (!link->has_value()) return failed({"there is no such network interface"});
    const LinkInfo& info = **link;

    KernelInterfaceGuard guard;
    guard.ifname_ = ifname;
    guard.own_ = own;
    if (auto done = guard.guard_addresses(*rtnl, info.ifindex); !done.ok()) {
        return failed(done.error());
    }

    if (use == KernelInterfaceUse::kPacketSocket) {
        if (info.kind == "veth") {
            if (auto xdp = attach_xdp_pass(info.ifindex); xdp.ok()) {
                guard.xdp_ = std::move(*xdp);
            } else {
                guard.warnings_.push_back(fmt::format(
                    "interface {}: {}; turn off TSO at the far end of this veth, or its large TCP "
                    "frames are cut off",
                    ifname, xdp.error().message));
            }
        }
        guard.stop_merging();  // after the program, whose presence turns GRO on
    }
    if (!info.up) {
        if (auto up = rtnl->change_link(ifname, {.up = true}); !up.ok()) return failed(up.error());
        guard.set_up_ = true;
    }
    return guard;
}

}  // namespace podlane::control
