#include "control/netdev/pod_pair.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "control/netdev/netns.h"
#include "control/netdev/rtnl.h"
#include "control/netdev/sysctl.h"
#include "control/netdev/tap_parts.h"

namespace podlane::control {

namespace {

std::string veth_name(int node_end) {
    return fmt::format("{}{}", kVethPrefix, node_end);
}

constexpr std::string_view kTapPrefix = "plt";

/// A name that no interface has, for the time before the index is known.
std::string passing_name() {
    static std::atomic<unsigned> made{0};
    return fmt::format("{}{:x}.{:x}", kTapPrefix, ::getpid(), made.fetch_add(1) & 0xffff);
}

/// The process that has given a passing name; 0: it is none.
pid_t maker_of(std::string_view name) {
    const size_t dot = name.find('.');
    if (!name.starts_with(kTapPrefix) || dot == name.npos) return 0;
    pid_t maker = 0;
    const auto read =
        std::from_chars(name.data() + kTapPrefix.size(), name.data() + dot, maker, 16);
    return read.ec == std::errc{} && read.ptr == name.data() + dot ? maker : 0;
}

bool is_running(pid_t process) {
    return UniqueFd(::open(fmt::format("/proc/{}", process).c_str(), O_PATH | O_CLOEXEC)).valid();
}

std::string tap_name(int node_end) {
    return fmt::format("{}{}", kTapPrefix, node_end);
}

/// The node's kernel is to say nothing on a device: it would speak to the pod.
Result<void> silence(const std::string& ifname) {
    const std::string path = interface_sysctl("ipv6", ifname, "disable_ipv6");
    if (!read_sysctl(path).ok()) return {};  // this kernel has no IPv6
    return write_sysctl(path, "1");
}

/// Deletes both devices of the owner's; `left_only`: only if no process has the TAP open.
Result<void> delete_pair(Rtnl& rtnl, int node_end, const std::string& owner, bool left_only) {
    const auto tap = rtnl.find_link(tap_name(node_end));
    if (!tap.ok()) return tap.error();
    const auto is_ours = [&](const std::optional<LinkInfo>& link, const char* kind) {
        return link.has_value() && link->kind == kind && link->alias == mark_of(owner);
    };
    const bool has_tap = is_ours(*tap, "tun");
    if (has_tap && left_only && (*tap)->carrier) return Error{"the interface is in use"};
    const auto veth = rtnl.find_link(veth_name(node_end));
    if (!veth.ok()) return veth.error();
    if (is_ours(*veth, "veth") && (*veth)->ifindex == node_end) {
        if (auto done = rtnl.delete_link(node_end); !done.ok()) return done;
    }
    return has_tap ? rtnl.delete_link((*tap)->ifindex) : Result<void>{};
}

/// What is at the pod's interface's name.
Result<std::optional<LinkInfo>> look_in_pod(const PodTapRequest& request) {
    std::optional<LinkInfo> found;
    auto looked = in_network_namespace(request.netns_path, [&]() -> Result<void> {
        auto rtnl = Rtnl::open();
        if (!rtnl.ok()) return rtnl.error();
        auto link = rtnl->find_link(request.ifname);
        if (!link.ok()) return link.error();
        found = std::move(*link);
        return {};
    });
    if (!looked.ok()) return looked.error();
    return found;
}

bool is_our_veth(const std::optional<LinkInfo>& link, const std::string& owner) {
    return link.has_value() && link->kind == "veth" && link->alias == mark_of(owner);
}

Result<void> make_way(const PodTapRequest& request, const std::string& owner) {
    const auto there = look_in_pod(request);
    if (!there.ok()) return there.error();
    if (!there->has_value()) return {};
    if (!is_our_veth(*there, owner)) {
        auto removed = in_network_namespace(request.netns_path,
                                            [&] { return remove_left(request.ifname, owner); });
        if (!removed.ok()) return removed;
    } else {
        auto rtnl = Rtnl::open();
        if (!rtnl.ok()) return rtnl.error();
        if (auto done = delete_pair(*rtnl, (*there)->peer, owner, true); !done.ok()) return done;
    }
    const auto still = look_in_pod(request);
    if (!still.ok()) return still.error();
    return still->has_value() ? Error{"the interface exists already"} : Result<void>{};
}

/// A pair being made: what is not kept goes again.
struct Making {
    const TapRequest& request;
    const std::string& owner;
    Rtnl& rtnl;
    int node_end = 0;
    bool is_done = false;
    std::vector<UniqueFd> queues = {};

    ~Making() {
        if (is_done || node_end == 0) return;
        queues.clear();
        static_cast<void>(rtnl.delete_link(node_end));
        static_cast<void>(delete_pair(rtnl, node_end, owner, false));
    }

    /// The veth, with both ends down. Each is made where it is to be, see create_tap().
    Result<void> make_veth() {
        const auto pod = open_network_namespace(request.netns_path);
        if (!pod.ok()) return pod.error();
        const std::string mine = passing_name();
        if (auto done = rtnl.add_veth(mine, request.ifname, pod->get()); !done.ok()) return done;
        auto link = rtnl.find_link(mine);
        if (!link.ok()) return link.error();
        if (!link->has_value()) return Error{"the veth is gone"};
        node_end = (*link)->ifindex;
        if (auto done = silence(mine); !done.ok()) return done;
        return rtnl.change_link(
            node_end, {.name = veth_name(node_end), .mtu = request.mtu, .alias = mark_of(owner)});
    }

    Result<int> make_tap(bool keep) {
        const std::string name = tap_name(node_end);
        auto opened = open_tap_queues(name, request, true);
        if (!opened.ok()) return opened.error();
        queues = std::move(*opened);
        auto link = rtnl.find_link(name);
        if (!link.ok()) return link.error();
        if (!link->has_value()) return Error{"the TAP is gone"};
        const int ifindex = (*link)->ifindex;
        auto done = silence(name);
        if (done.ok()) {
            done = rtnl.change_link(
                ifindex,
                {.mtu = request.mtu, .tx_queue_length = kTxQueueLength, .alias = mark_of(owner)});
        }
        // See configure_tap().
        static_cast<void>(rtnl.send_unqueued(ifindex));
        if (done.ok() && keep && ::ioctl(queues.front().get(), TUNSETPERSIST, 1) != 0) {
            done = Error{fmt::format("make it persistent: {}", std::strerror(errno))};
        }
        if (!done.ok()) return done.error();
        return ifindex;
    }

    Result<void> set_up_pods_end() {
        return in_network_namespace(request.netns_path, [&]() -> Result<void> {
            auto in_pod = Rtnl::open();
            if (!in_pod.ok()) return in_pod.error();
            int ifindex = 0;
            return configure_tap(*in_pod, request, ifindex);
        });
    }

    Result<void> start() {
        for (const std::string& name : {tap_name(node_end), veth_name(node_end)}) {
            if (auto done = rtnl.change_link(name, {.up = true}); !done.ok()) return done;
        }
        return {};
    }
};

KeptTap kept(std::vector<UniqueFd> queues, int node_end, bool was_there, const std::string& owner) {
    KeptTap tap;
    for (UniqueFd& queue : queues) tap.queue_fds.push_back(queue.release());
    tap.remove = [node_end, owner] { remove_pod_pair(node_end, owner); };
    tap.was_there = was_there;
    tap.ifindex = node_end;
    tap.node_end = node_end;
    return tap;
}

/// The pair's TAP, once no process has it open any more. `in_use`: one may.
Result<LinkInfo> find_left_tap(Rtnl& rtnl, int node_end, const std::string& owner, bool in_use) {
    for (int tries = 0;; ++tries) {
        auto link = rtnl.find_link(tap_name(node_end));
        if (!link.ok()) return link.error();
        if (!link->has_value()) return Error{"its TAP is gone"};
        const bool is_ours = (*link)->kind == "tun" && (*link)->alias == mark_of(owner);
        if (is_ours && (in_use || !(*link)->carrier)) return **link;
        if (!is_ours || tries == kTries) return Error{"the interface is not ours, or is in use"};
        std::this_thread::sleep_for(kBetweenTries);
    }
}

/// Its MAC address and MTU in the pod, as asked for.
Result<void> update_in_pod(const TapRequest& request, const LinkInfo& there) {
    LinkChange change;
    if (there.mac != request.mac) change.mac = request.mac;
    if (there.mtu != request.mtu) change.mtu = request.mtu;
    if (!change.mac && !change.mtu) return {};
    return in_network_namespace(request.netns_path, [&]() -> Result<void> {
        auto rtnl = Rtnl::open();
        if (!rtnl.ok()) return rtnl.error();
        return rtnl->change_link(request.ifname, change);
    });
}

Result<KeptTap> attach_pair(const TapRequest& request, const LinkInfo& there,
                            const std::string& owner, bool in_use, const ConnectPair& connect) {
    auto rtnl = Rtnl::open();
    if (!rtnl.ok()) return rtnl.error();
    const auto tap = find_left_tap(*rtnl, there.peer, owner, in_use);
    if (!tap.ok()) return tap.error();
    if (auto done = update_in_pod(request, there); !done.ok()) return done.error();
    if (tap->mtu != request.mtu) {
        for (const std::string& name : {veth_name(there.peer), tap_name(there.peer)}) {
            auto done = rtnl->change_link(name, {.mtu = request.mtu});
            if (!done.ok()) return done.error();
        }
    }
    if (connect) {
        auto done = connect(there.peer, tap->ifindex, request.mac);
        if (!done.ok()) return done.error();
    }
    std::vector<UniqueFd> queues;
    if (!in_use) {
        auto opened = open_tap_queues(tap_name(there.peer), request, false);
        if (!opened.ok()) return opened.error();
        queues = std::move(*opened);
    }
    return kept(std::move(queues), there.peer, true, owner);
}

}  // namespace

Result<KeptTap> make_pod_pair(const PodTapRequest& request, const std::string& owner, bool keep,
                              const ConnectPair& connect) {
    TapRequest tap = tap_request_of(request);
    tap.alias = mark_of(owner);
    const auto failed = [&](const Error& error) { return tap_failure(tap, error); };
    if (auto done = check_tap(tap); !done.ok()) return failed(done.error());
    if (auto done = make_way(request, owner); !done.ok()) return failed(done.error());
    auto rtnl = Rtnl::open();
    if (!rtnl.ok()) return failed(rtnl.error());
    Making making{.request = tap, .owner = owner, .rtnl = *rtnl};
    if (auto done = making.make_veth(); !done.ok()) return failed(done.error());
    const auto index = making.make_tap(keep);
    if (!index.ok()) return failed(index.error());
    auto done = connect(making.node_end, *index, request.mac);
    if (done.ok()) done = making.set_up_pods_end();
    if (done.ok()) done = making.start();
    if (!done.ok()) return failed(done.error());
    making.is_done = true;
    return kept(std::move(making.queues), making.node_end, false, owner);
}

bool is_pod_pair(const PodTapRequest& request, const std::string& owner) {
    const auto there = look_in_pod(request);
    return there.ok() && is_our_veth(*there, owner);
}

Result<KeptTap> attach_pod_pair(const PodTapRequest& request, const std::string& owner, bool in_use,
                                const ConnectPair& connect) {
    const TapRequest tap = tap_request_of(request);
    auto checked = check_tap(tap);
    if (!checked.ok()) return tap_failure(tap, checked.error());
    const auto there = look_in_pod(request);
    if (!there.ok()) return tap_failure(tap, there.error());
    if (!is_our_veth(*there, owner)) return tap_failure(tap, {"there is no such interface"});
    auto attached = attach_pair(tap, **there, owner, in_use, connect);
    if (!attached.ok()) return tap_failure(tap, attached.error());
    return attached;
}

void remove_pod_pair(int node_end, const std::string& owner) noexcept {
    auto rtnl = Rtnl::open();
    if (rtnl.ok()) static_cast<void>(delete_pair(*rtnl, node_end, owner, false));
}

void remove_left_pairs(const std::string& owner) noexcept {
    auto rtnl = Rtnl::open();
    if (!rtnl.ok()) return;
    const auto names = rtnl->link_names();
    if (!names.ok()) return;
    for (const std::string& name : *names) {
        if (!name.starts_with(kVethPrefix) && !name.starts_with(kTapPrefix)) continue;
        const auto link = rtnl->find_link(name);
        if (!link.ok() || !link->has_value()) continue;
        const int ifindex = (*link)->ifindex;
        if (const pid_t maker = maker_of(name); maker != 0) {
            if (!is_running(maker)) static_cast<void>(rtnl->delete_link(ifindex));
        } else if (is_our_veth(*link, owner)) {
            static_cast<void>(delete_pair(*rtnl, ifindex, owner, true));
        } else if ((*link)->kind == "tun" && (*link)->alias == mark_of(owner) &&
                   !(*link)->carrier) {
            const auto veth = rtnl->find_link(kVethPrefix + name.substr(kTapPrefix.size()));
            if (veth.ok() && !veth->has_value()) static_cast<void>(rtnl->delete_link(ifindex));
        }
    }
}

}  // namespace podlane::control
