// The second half of the guard of an uplink's interface: giving back what was taken over, and
// saying beforehand what that would be.
#include <fmt/format.h>
#include <unistd.h>

#include <utility>

#include "control/netdev/guard_parts.h"
#include "control/netdev/kernel_guard.h"
#include "control/netdev/sysctl.h"

namespace podlane::control {

namespace {

/// The index by which the interface is there now; 0 if it is gone.
int present_index(const std::string& ifname, const GuardMemory& memory) {
    auto rtnl = Rtnl::open();
    if (!rtnl.ok()) return 0;
    const auto link = rtnl->find_link(ifname);
    const bool is_there = link.ok() && link->has_value() && is_memory_of(memory, **link);
    return is_there ? (*link)->ifindex : 0;
}

}  // namespace

void KernelInterfaceGuard::give_back() {
    if (old_.objects.empty()) return;
    const auto warn = [this](const std::string& what) {
        warnings_.push_back(fmt::format("interface {}: cannot be given back: {}", ifname_, what));
    };
    auto editor = LinkEditor::open();
    if (!editor.ok()) return warn(editor.error().message);
    const LinkPlace place{old_.ifindex, ifname_};
    const bool follows = followed_advertisements(ifname_) != 0;
    const LinkMove move{.from = ifname_,
                        .to = place,
                        .now_s = boot_seconds(),
                        .behind_own_ra = follows,
                        .skips_detection = true};
    const LinkObjects& objects = old_.objects;
    for (const std::string& failure : editor->put_addresses(objects.addresses, move)) warn(failure);
    for (const auto* records : {&objects.neighbours, &objects.routes}) {
        for (const std::string& failure : editor->put_all(*records, move)) warn(failure);
    }
    if (!old_.host.empty()) {
        const LinkMove to_host{ifname_, {0, old_.host}, move.now_s};
        for (const LinkRecord& rule : objects.rules) {
            static_cast<void>(editor->remove(rule, to_host));
        }
    }
    if (follows) editor->await_advertised(objects.routes, move);
    old_.objects = {};
}

void KernelInterfaceGuard::restore_link() {
    auto rtnl = Rtnl::open();
    if (!rtnl.ok()) return;
    // A device that was open in a process that was killed leaves its interface promiscuous.
    if (const auto link = rtnl->find_link(ifname_);
        link.ok() && link->has_value() && (*link)->promiscuous && !old_.promiscuous) {
        static_cast<void>(rtnl->change_link(ifname_, {.promiscuous = false}));
    }
    if (old_.programs) static_cast<void>(rtnl->remove_ingress(old_.ifindex));
    if (old_.set_up) static_cast<void>(rtnl->change_link(ifname_, {.up = false}));
}

void KernelInterfaceGuard::restore() noexcept {
    if (ifname_.empty()) return;  // another object has it all
    xdp_.reset();
    if (const int ifindex = present_index(ifname_, old_); ifindex != 0) {
        old_.ifindex = ifindex;
        for (const auto& [command, value] : old_.features) run_ethtool(ifname_, command, value);
        for (auto it = old_.sysctls.rbegin(); it != old_.sysctls.rend(); ++it) {
            static_cast<void>(write_sysctl(it->first, it->second));
        }
        give_back();
        restore_link();
    } else if (!old_.objects.empty()) {
        warnings_.push_back(fmt::format(
            "interface {}: it is gone, or another one has its name: {} cannot be given back",
            ifname_, joined_addresses(addresses_of(old_.objects.addresses))));
    }
    old_ = {};
    if (!memory_path_.empty()) ::unlink(memory_path_.c_str());
    memory_path_.clear();
}

Result<std::optional<GivenBack>> give_back_kernel_interface(const std::string& ifname,
                                                            const std::string& memory) {
    auto rtnl = Rtnl::open();
    if (!rtnl.ok()) return rtnl.error();
    const auto link = rtnl->find_link(ifname);
    if (!link.ok()) return link.error();
    if (!link->has_value()) return std::optional<GivenBack>{};
    KernelInterfaceGuard left;
    left.ifname_ = ifname;
    left.memory_path_ = memory;
    const auto recalled = left.recall(**link);
    if (!recalled.ok()) {
        left.leave();  // nobody can read the file, but it is not ours to remove
        return recalled.error();
    }
    if (!*recalled) return std::optional<GivenBack>{};
    GivenBack given{lines_of(left.old_.objects), {}};
    left.restore();
    given.failures = left.take_warnings();
    return std::optional(std::move(given));
}

Result<TakeOverPreview> preview_take_over(const std::string& ifname,
                                          const std::vector<InterfaceAddress>& own,
                                          const std::string& memory) {
    const auto failed = [&](const Error& error) {
        return Error{fmt::format("interface {}: {}", ifname, error.message)};
    };
    auto rtnl = Rtnl::open();
    if (!rtnl.ok()) return failed(rtnl.error());
    const auto link = rtnl->find_link(ifname);
    if (!link.ok()) return failed(link.error());
    if (!link->has_value()) return failed({"there is no such network interface"});
    TakeOverPreview out;
    out.link.place = {(*link)->ifindex, ifname};
    out.link.accept_ra = followed_advertisements(ifname);
    if (const auto known = load_guard_memory(memory);
        known.ok() && known->has_value() && is_memory_of(**known, **link)) {
        out.is_taken = true;
        out.link.objects = (*known)->objects;
        out.lines = lines_of(out.link.objects);
        return out;
    }
    auto editor = LinkEditor::open();
    if (!editor.ok()) return failed(editor.error());
    auto there = editor->read(out.link.place);
    if (!there.ok()) return failed(there.error());
    const auto [ours, others] = split_own(there->addresses, own);
    if (!addresses_of(ours).empty()) {
        there->addresses = ours;
        out.link.objects = std::move(*there);
        out.lines = lines_of(out.link.objects);
        if (out.link.accept_ra != 0) out.lines.emplace_back("following router advertisements");
    }
    for (const InterfaceAddress& each : addresses_of(others)) {
        out.lines.push_back(
            fmt::format("stays: address {}, which the uplink does not have", to_string(each)));
    }
    return out;
}

}  // namespace podlane::control
