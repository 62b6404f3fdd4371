#include "control/netdev/kernel_guard.h"

#include <fmt/format.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

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

void KernelInterfaceGuard::restore() noexcept {
    xdp_.reset();
    for (const auto& [command, value] : old_features_) ethtool(ifname_, command, value);
    old_features_.clear();
    // The interface may be gone by now; then there is nothing to put back.
    for (auto it = old_sysctls_.rbegin(); it != old_sysctls_.rend(); ++it) {
        static_cast<void>(write_sysctl(it->first, it->second));
    }
    old_sysctls_.clear();
    if (set_up_) {
        if (auto rtnl = Rtnl::open(); rtnl.ok()) {
            static_cast<void>(rtnl->change_link(ifname_, {.up = false}));
        }
        set_up_ = false;
    }
}

Result<KernelInterfaceGuard> guard_kernel_interface(const std::string& ifname,
                                                    KernelInterfaceUse use) {
    const auto failed = [&](const Error& error) {
        return Error{fmt::format("interface {}: {}", ifname, error.message)};
    };
    auto rtnl = Rtnl::open();
    if (!rtnl.ok()) return failed(rtnl.error());
    auto link = rtnl->find_link(ifname);
    if (!link.ok()) return failed(link.error());
    if (!link->has_value()) return failed({"there is no such network interface"});
    const LinkInfo& info = **link;

    auto addresses = rtnl->addresses(info.ifindex);
    if (!addresses.ok()) return failed(addresses.error());
    std::vector<InterfaceAddress> v4;
    std::vector<InterfaceAddress> v6;
    for (const auto& address : *addresses) {
        if (address.address.is_v4()) {
            v4.push_back(address);
        } else if (!address.address.as<V6>().is_link_local()) {
            v6.push_back(address);
        }
    }

    KernelInterfaceGuard guard;
    guard.ifname_ = ifname;
    const auto warn_of = [&](const std::vector<InterfaceAddress>& own) {
        guard.warnings_.push_back(fmt::format(
            "interface {}: the kernel has {} here and answers beside podlane; remove the address",
            ifname, join(own)));
    };
    if (!v4.empty()) {
        warn_of(v4);
    } else {
        for (const auto& [key, value] :
             {std::pair("rp_filter", "1"), std::pair("arp_ignore", "8")}) {
            if (auto done = guard.set(interface_sysctl("ipv4", ifname, key), value); !done.ok()) {
                return failed(done.error());
            }
        }
    }
    const std::string disable_ipv6 = interface_sysctl("ipv6", ifname, "disable_ipv6");
    if (!v6.empty()) {
        warn_of(v6);
    } else if (read_sysctl(disable_ipv6).ok()) {  // else this kernel has no IPv6
        if (auto done = guard.set(disable_ipv6, "1"); !done.ok()) return failed(done.error());
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
