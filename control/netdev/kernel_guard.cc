#include "control/netdev/kernel_guard.h"

#include <fmt/format.h>
#include <linux/ethtool.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "control/netdev/rtnl.h"
#include "control/netdev/sysctl.h"
#include "control/netdev/xdp_pass.h"

namespace podlane::control {

namespace {

/// Runs one of ethtool's commands that read or write a number; none if the driver lacks it.
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
    const bool is_known =
        std::ranges::any_of(old_.sysctls, [&](const auto& each) { return each.first == sysctl; });
    if (!is_known) {
        old_.sysctls.emplace_back(sysctl, *old);
        if (auto done = remember(); !done.ok()) return done;
    }
    return write_sysctl(sysctl, value);
}

Result<void> KernelInterfaceGuard::remember() const {
    return memory_path_.empty() ? Result<void>{} : save_guard_memory(memory_path_, old_);
}

Result<bool> KernelInterfaceGuard::recall(int ifindex) {
    old_.ifindex = ifindex;
    if (memory_path_.empty()) return false;
    auto left = load_guard_memory(memory_path_);
    if (!left.ok()) return left.error();
    if (!left->has_value() || (*left)->ifindex != ifindex) return false;
    old_ = std::move(**left);
    was_left_ = true;
    return true;
}

Result<void> KernelInterfaceGuard::turn_off(uint32_t command, uint32_t old_value,
                                            uint32_t new_value) {
    const bool is_known =
        std::ranges::any_of(old_.features, [&](const auto& each) { return each.first == command; });
    if (!is_known) {
        old_.features.emplace_back(command, old_value);
        if (auto done = remember(); !done.ok()) return done;
    }
    if (!ethtool(ifname_, command, new_value)) return Error{std::strerror(errno)};
    return {};
}

void KernelInterfaceGuard::stop_merging() {
    if (const auto gro = ethtool(ifname_, ETHTOOL_GGRO, 0); gro.value_or(0) != 0) {
        if (auto done = turn_off(ETHTOOL_SGRO, *gro, 0); !done.ok()) {
            warnings_.push_back(
                fmt::format("interface {}: cannot turn off GRO: {}; merged frames will be cut off",
                            ifname_, done.error().message));
        }
    }
    const auto flags = ethtool(ifname_, ETHTOOL_GFLAGS, 0);
    if ((flags.value_or(0) & ETH_FLAG_LRO) == 0) return;
    const uint32_t without = *flags & ~uint32_t{ETH_FLAG_LRO};
    if (auto done = turn_off(ETHTOOL_SFLAGS, *flags, without); !done.ok()) {
        warnings_.push_back(
            fmt::format("interface {}: cannot turn off LRO: {}", ifname_, done.error().message));
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
        // The kernel adds its own routes with the address; router advertisements bring theirs.
        const bool is_news = std::ranges::find(old_.routes, route) == old_.routes.end();
        if (is_news && route.protocol != RTPROT_KERNEL && route.protocol != RTPROT_RA) {
            old_.routes.push_back(route);
        }
    }
    for (const InterfaceAddress& address : addresses) {
        if (std::ranges::find(old_.addresses, address) == old_.addresses.end()) {
            old_.addresses.push_back(address);
        }
    }
    if (auto done = remember(); !done.ok()) return done;
    for (const InterfaceAddress& address : addresses) {
        if (auto done = rtnl.delete_address(ifindex, address); !done.ok()) return done;
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
    auto rtnl = Rtnl::open();
    const auto link =
        rtnl.ok() ? rtnl->find_link(ifname_) : Result<std::optional<LinkInfo>>(rtnl.error());
    if (!link.ok()) {
        if (!std::exchange(cannot_look_, true)) {
            warnings_.push_back(fmt::format("interface {}: its addresses are not watched: {}",
                                            ifname_, link.error().message));
        }
        return;
    }
    cannot_look_ = false;
    // If it is gone, its port reports that.
    if (!link->has_value()) return;
    if (auto done = guard_addresses(*rtnl, (*link)->ifindex); !done.ok()) {
        warnings_.push_back(fmt::format("interface {}: {}", ifname_, done.error().message));
    }
}

void KernelInterfaceGuard::give_back() noexcept {
    if (old_.addresses.empty()) return;
    auto rtnl = Rtnl::open();
    if (!rtnl.ok()) return;
    const auto link = rtnl->find_link(ifname_);
    if (!link.ok() || !link->has_value()) return;
    for (const InterfaceAddress& address : old_.addresses) {
        static_cast<void>(rtnl->add_address((*link)->ifindex, address));
    }
    for (const KernelRoute& route : old_.routes) {
        static_cast<void>(rtnl->add_route((*link)->ifindex, route));
    }
    old_.addresses.clear();
    old_.routes.clear();
}

void KernelInterfaceGuard::restore() noexcept {
    xdp_.reset();
    for (const auto& [command, value] : old_.features) ethtool(ifname_, command, value);
    old_.features.clear();
    // The interface may be gone by now; then there are no settings to restore.
    for (auto it = old_.sysctls.rbegin(); it != old_.sysctls.rend(); ++it) {
        static_cast<void>(write_sysctl(it->first, it->second));
    }
    old_.sysctls.clear();
    give_back();
    if (old_.set_up) {
        if (auto rtnl = Rtnl::open(); rtnl.ok()) {
            static_cast<void>(rtnl->change_link(ifname_, {.up = false}));
        }
        old_.set_up = false;
    }
    if (!memory_path_.empty()) ::unlink(memory_path_.c_str());
    memory_path_.clear();
}

void KernelInterfaceGuard::leave() noexcept {
    xdp_.reset();
    old_ = {};
    memory_path_.clear();
}

Result<KernelInterfaceGuard> guard_kernel_interface(const std::string& ifname,
                                                    KernelInterfaceUse use,
                                                    const std::vector<InterfaceAddress>& own,
                                                    const std::string& memory, UniqueFd program) {
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
    guard.memory_path_ = memory;
    const auto left = guard.recall(info.ifindex);
    if (!left.ok()) guard.warnings_.push_back(left.error().message);
    if (left.ok() && *left) {
        guard.notes_.push_back(fmt::format(
            "interface {}: what an earlier podlaned has left is put back at the end", ifname));
    }
    if (auto done = guard.guard_addresses(*rtnl, info.ifindex); !done.ok()) {
        return failed(done.error());
    }

    if (use == KernelInterfaceUse::kPacketSocket) {
        if (program.valid()) {
            guard.xdp_ = std::move(program);
        } else if (info.kind == "veth") {
            if (auto xdp = attach_xdp_pass(info.ifindex); xdp.ok()) {
                guard.xdp_ = std::move(*xdp);
            } else {
                guard.warnings_.push_back(fmt::format(
                    "interface {}: {}; turn off TSO at the far end of this veth, or its large TCP "
                    "frames are cut off",
                    ifname, xdp.error().message));
            }
        }
        guard.stop_merging();  // after attaching the program, which turns GRO on
    }
    if (!info.up) {
        guard.old_.set_up = true;
        if (auto done = guard.remember(); !done.ok()) return failed(done.error());
        if (auto up = rtnl->change_link(ifname, {.up = true}); !up.ok()) return failed(up.error());
    }
    return guard;
}

Result<bool> give_back_kernel_interface(const std::string& ifname, const std::string& memory) {
    auto rtnl = Rtnl::open();
    if (!rtnl.ok()) return rtnl.error();
    const auto link = rtnl->find_link(ifname);
    if (!link.ok()) return link.error();
    if (!link->has_value()) return false;
    KernelInterfaceGuard left;
    left.ifname_ = ifname;
    left.memory_path_ = memory;
    return left.recall((*link)->ifindex);  // its destructor restores the settings
}

}  // namespace podlane::control
