#include "control/netdev/kernel_guard.h"

#include <fmt/format.h>
#include <linux/ethtool.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "control/netdev/guard_parts.h"
#include "control/netdev/link_objects.h"
#include "control/netdev/rtnl.h"
#include "control/netdev/sysctl.h"
#include "control/netdev/xdp_pass.h"

namespace podlane::control {

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

Result<bool> KernelInterfaceGuard::recall(const LinkInfo& link) {
    old_.ifname = ifname_;
    old_.ifindex = link.ifindex;
    old_.mac = link.mac;
    old_.promiscuous = link.promiscuous;
    if (memory_path_.empty()) return false;
    auto left = load_guard_memory(memory_path_);
    if (!left.ok()) return left.error();
    if (!left->has_value() || !is_memory_of(**left, link)) return false;
    old_ = std::move(**left);
    old_.ifindex = link.ifindex;
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
    if (!run_ethtool(ifname_, command, new_value)) return Error{std::strerror(errno)};
    return {};
}

void KernelInterfaceGuard::stop_merging(KernelInterfaceUse use) {
    const auto gro = use == KernelInterfaceUse::kPacketSocket
                         ? run_ethtool(ifname_, ETHTOOL_GGRO, 0)
                         : std::optional<uint32_t>();
    if (gro.value_or(0) != 0) {
        if (auto done = turn_off(ETHTOOL_SGRO, *gro, 0); !done.ok()) {
            warnings_.push_back(
                fmt::format("interface {}: cannot turn off GRO: {}; merged frames will be cut off",
                            ifname_, done.error().message));
        }
    }
    const auto flags = run_ethtool(ifname_, ETHTOOL_GFLAGS, 0);
    if ((flags.value_or(0) & ETH_FLAG_LRO) == 0) return;
    const uint32_t without = *flags & ~uint32_t{ETH_FLAG_LRO};
    if (auto done = turn_off(ETHTOOL_SFLAGS, *flags, without); !done.ok()) {
        warnings_.push_back(
            fmt::format("interface {}: cannot turn off LRO: {}", ifname_, done.error().message));
    }
}

Result<void> KernelInterfaceGuard::claim_ingress(Rtnl& rtnl, int ifindex, KernelInterfaceUse use) {
    const bool is_wanted = use == KernelInterfaceUse::kPrograms;
    if (old_.programs && !is_wanted) {
        old_.programs = false;
        if (auto done = rtnl.remove_ingress(ifindex); !done.ok()) return done;
        return remember();
    }
    if (old_.programs || !is_wanted) return {};
    const auto is_there = rtnl.has_ingress(ifindex);
    if (!is_there.ok()) return is_there.error();
    if (*is_there) {
        return Error{
            fmt::format("other programs may be at its ingress; if none is needed: tc qdisc "
                        "del dev {} clsact",
                        ifname_)};
    }
    old_.programs = true;
    return remember();
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

Result<void> KernelInterfaceGuard::take_over(const LinkPlace& place, const LinkObjects& objects) {
    for (const LinkRecord& each : objects.addresses) keep_newest(old_.objects.addresses, each);
    for (const LinkRecord& each : objects.neighbours) keep_newest(old_.objects.neighbours, each);
    for (const LinkRecord& each : objects.routes) keep_newest(old_.objects.routes, each);
    for (const LinkRecord& each : objects.rules) keep_newest(old_.objects.rules, each);
    if (auto done = remember(); !done.ok()) return done;
    auto editor = LinkEditor::open();
    if (!editor.ok()) return editor.error();
    const LinkMove as_it_is{ifname_, place, boot_seconds()};
    for (const LinkRecord& each : objects.addresses) {
        if (is_link_local(each)) continue;  // it goes with the family
        if (auto done = editor->remove(each, as_it_is); !done.ok()) return done;
    }
    notes_.push_back(fmt::format("interface {}: {} is taken over, and given back at the end",
                                 ifname_, joined_addresses(addresses_of(objects.addresses))));
    return {};
}

Result<void> KernelInterfaceGuard::guard_addresses(int ifindex) {
    auto editor = LinkEditor::open();
    if (!editor.ok()) return editor.error();
    const LinkPlace place{ifindex, ifname_};
    auto there = editor->read(place);
    if (!there.ok()) return there.error();
    const auto [ours, others] = split_own(there->addresses, own_);
    if (!addresses_of(ours).empty()) {
        there->addresses = ours;
        if (auto done = take_over(place, *there); !done.ok()) return done;
        // Other addresses of a subnet go with its first one.
        static_cast<void>(editor->put_all(others, {ifname_, place, boot_seconds()}));
        mend_host();
    }
    const auto foreign = addresses_of(others);
    for (const bool v4 : {true, false}) {
        std::vector<InterfaceAddress> of_family;
        for (const InterfaceAddress& each : foreign) {
            if (each.address.is_v4() == v4) of_family.push_back(each);
        }
        if (of_family.empty()) {
            if (auto done = guard_family(v4); !done.ok()) return done;
        } else if (foreign != foreign_) {
            warnings_.push_back(fmt::format(
                "interface {}: the kernel has {} here and answers beside podlane; remove the "
                "address, or give it to the uplink",
                ifname_, joined_addresses(of_family)));
        }
    }
    foreign_ = foreign;
    return {};
}

void KernelInterfaceGuard::mend_host() {
    if (old_.host.empty()) return;
    auto rtnl = Rtnl::open();
    if (!rtnl.ok()) return;
    const auto host = rtnl->find_link(old_.host);
    if (!host.ok() || !host->has_value()) return;
    for (const std::string& failure : move_to_host(taken(), {(*host)->ifindex, old_.host})) {
        warnings_.push_back(
            fmt::format("interface {}: not moved to {}: {}", ifname_, old_.host, failure));
    }
}

void KernelInterfaceGuard::warn_of_lapsed() {
    const uint64_t now_s = boot_seconds();
    std::vector<InterfaceAddress> lapsed;
    for (const LinkRecord& each : old_.objects.addresses) {
        const auto view = address_view(each);
        if (!view || !view->valid_s || each.taken_s + *view->valid_s > now_s) continue;
        lapsed.push_back(view->address);
        if (std::ranges::find(lapsed_, view->address) != lapsed_.end()) continue;
        warnings_.push_back(fmt::format(
            "interface {}: the time of {} is over and nobody has renewed it; podlane goes on with "
            "it, see what keeps its DHCP lease",
            ifname_, to_string(view->address)));
    }
    lapsed_ = std::move(lapsed);
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
    if (auto done = guard_addresses((*link)->ifindex); !done.ok()) {
        warnings_.push_back(fmt::format("interface {}: {}", ifname_, done.error().message));
    }
    warn_of_lapsed();
}

TakenLink KernelInterfaceGuard::taken() const {
    return {{old_.ifindex, ifname_}, old_.objects, followed_advertisements(ifname_)};
}

Result<void> KernelInterfaceGuard::set_host(const std::string& ifname, const std::string& owner) {
    if (old_.host == ifname && old_.owner == owner) return {};
    old_.host = ifname;
    old_.owner = owner;
    return remember();
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
    const auto left = guard.recall(info);
    if (!left.ok()) guard.warnings_.push_back(left.error().message);
    if (left.ok() && *left) {
        guard.notes_.push_back(fmt::format(
            "interface {}: what an earlier podlaned has left is put back at the end", ifname));
    }
    if (auto done = guard.guard_addresses(info.ifindex); !done.ok()) {
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
        guard.stop_merging(use);  // after attaching the program, which turns GRO on
    }
    if (auto done = guard.claim_ingress(*rtnl, info.ifindex, use); !done.ok()) {
        return failed(done.error());
    }
    if (use == KernelInterfaceUse::kPrograms) guard.stop_merging(use);
    if (!info.up) {
        guard.old_.set_up = true;
        if (auto done = guard.remember(); !done.ok()) return failed(done.error());
        if (auto up = rtnl->change_link(ifname, {.up = true}); !up.ok()) return failed(up.error());
    }
    return guard;
}

}  // namespace podlane::control
