#include "control/attach/attaching.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "control/attach/wire.h"
#include "control/netdev/kept_tap.h"
#include "control/netdev/pod_pair.h"
#include "control/netdev/rtnl.h"
#include "control/netdev/unique_fd.h"
#include "control/netdev/uplink_tap.h"
#include "control/shortcut/program.h"

namespace podlane::control {

namespace {

void refuse(AttachAnswer& answer, std::string_view why) {
    answer.is_done = 0;
    std::copy_n(why.begin(), std::min(why.size(), answer.error.size() - 1), answer.error.begin());
}

/// What the threads share.
struct Shared {
    const std::string owner;
    std::mutex mutex = {};
    /// Loaded once, and then used without the mutex; null: pairs cannot be made.
    std::atomic<const ShortcutProgram*> shortcut{nullptr};
};

ConnectPair connecting(const Shared& shared) {
    const ShortcutProgram* const program = shared.shortcut.load(std::memory_order_acquire);
    if (program == nullptr) return {};
    return [program](int veth, int tap, const MacAddress& pod) {
        return program->connect(veth, tap, pod);
    };
}

/// The program, loaded with the first call.
Result<const ShortcutProgram*> program_of(Shared& shared) {
    const std::lock_guard lock(shared.mutex);
    const ShortcutProgram* program = shared.shortcut.load(std::memory_order_relaxed);
    if (program != nullptr) return program;
    auto loaded = ShortcutProgram::load(shared.owner);
    if (!loaded.ok()) return loaded.error();
    program = loaded->release();                                // until the process ends
    shared.shortcut.store(program, std::memory_order_release);  // pairs with connecting()
    return program;
}

/// Loads the program, or stops what a former process has left of it. The maps, if it is wanted.
Result<std::vector<UniqueFd>> shortcut(Shared& shared, bool wanted) {
    std::vector<UniqueFd> maps;
    const auto loaded = wanted ? program_of(shared) : Result<const ShortcutProgram*>(nullptr);
    if (!loaded.ok()) {
        static_cast<void>(pause_left_shortcut(shared.owner));
        return loaded.error();
    }
    const ShortcutProgram* const program = *loaded;
    if (!wanted) {
        if (auto paused = pause_left_shortcut(shared.owner); !paused.ok()) return paused.error();
        return maps;
    }
    auto opened = program->maps();
    if (!opened.ok()) return opened.error();
    maps.push_back(std::move(opened->flows));
    maps.push_back(std::move(opened->states));
    maps.push_back(std::move(opened->epochs));
    return maps;
}

/// Passes all frames between the NIC and a TAP of its own.
Result<KeptTap> uplink_tap(Shared& shared, const PodTapRequest& uplink) {
    const auto program = program_of(shared);
    if (!program.ok()) return program.error();
    return make_uplink_tap(uplink.ifname, uplink.mtu, uplink.queues, shared.owner,
                           [&](int nic, int tap, const MacAddress& mac) {
                               return (*program)->connect_nic(nic, tap, mac);
                           });
}

/// Puts the program on the host interface, or takes away what a former process has left there. Its
/// index; 0: it has none.
Result<int> host_interface(Shared& shared, const PodTapRequest& host) {
    auto rtnl = Rtnl::open();
    if (!rtnl.ok()) return rtnl.error();
    const auto link = rtnl->find_link(host.ifname);
    if (!link.ok()) return link.error();
    if (!link->has_value() || (*link)->kind != "tun") {
        return Error{"shortcut: the host interface is no TAP"};
    }
    const int ifindex = (*link)->ifindex;
    if (!host.shortcut) {
        if (!has_shortcut(ifindex)) return 0;
        auto done = rtnl->remove_ingress(ifindex);
        return done.ok() ? Result<int>(0) : done.error();
    }
    const auto program = program_of(shared);
    if (!program.ok()) return program.error();
    auto done = (*program)->connect_host(ifindex);
    return done.ok() ? Result<int>(ifindex) : done.error();
}

/// An interface that ends when its queues are closed.
Result<KeptTap> passing_tap(const PodTapRequest& request) {
    auto device = create_pod_tap(request);
    if (!device.ok()) return device.error();
    const int ifindex = device->ifindex();
    return KeptTap{device->release_queue_fds(), {}, false, ifindex};
}

Result<KeptTap> new_tap(const Shared& shared, const PodTapRequest& pod, bool keep) {
    if (pod.shortcut) {
        const ConnectPair connect = connecting(shared);
        if (!connect) return Error{"the shortcut's program is not loaded"};
        return make_pod_pair(pod, shared.owner, keep, connect);
    }
    return keep ? keep_pod_tap(pod, shared.owner) : passing_tap(pod);
}

/// An interface of before is taken as what it is.
Result<KeptTap> tap_of_before(const Shared& shared, const PodTapRequest& pod, bool in_use) {
    if (is_pod_pair(pod, shared.owner)) {
        auto attached = attach_pod_pair(pod, shared.owner, in_use, connecting(shared));
        if (attached.ok() || in_use) return attached;
        auto made = new_tap(shared, pod, true);
        return made.ok() ? std::move(made) : std::move(attached);
    }
    return attach_pod_tap(pod, shared.owner, in_use);
}

Result<KeptTap> tap_for(const Shared& shared, AttachWork work, const PodTapRequest& pod) {
    switch (work) {
        case AttachWork::kMake:
            return new_tap(shared, pod, false);
        case AttachWork::kKeep:
            return new_tap(shared, pod, true);
        case AttachWork::kAttach:
            return tap_of_before(shared, pod, false);
        case AttachWork::kAdopt:
            return tap_of_before(shared, pod, true);
        case AttachWork::kRemove:
        case AttachWork::kShortcut:
        case AttachWork::kNetnsId:
        case AttachWork::kSweep:
        case AttachWork::kHost:
        case AttachWork::kUplink:
            break;
    }
    return Error{"this is no request"};
}

void send_answer(int socket, const AttachAnswer& answer, const std::vector<UniqueFd>& queues) {
    iovec part{const_cast<AttachAnswer*>(&answer), sizeof(answer)};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kMaxTapQueues)> room{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (!queues.empty()) {
        message.msg_control = room.data();
        message.msg_controllen = CMSG_SPACE(sizeof(int) * queues.size());
        cmsghdr* const head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(sizeof(int) * queues.size());
        for (size_t i = 0; i < queues.size(); ++i) {
            const int fd = queues[i].get();
            std::memcpy(CMSG_DATA(head) + i * sizeof(int), &fd, sizeof(int));
        }
    }
    while (::sendmsg(socket, &message, MSG_NOSIGNAL) < 0 && errno == EINTR) {
    }
}

void work_on(int socket, const AttachRequest& request, Shared& shared) {
    AttachAnswer answer{};
    answer.id = request.id;
    answer.is_done = 1;
    std::vector<UniqueFd> queues;
    const auto pod = from_wire(request);
    if (!pod) {
        refuse(answer, "this is no request");
    } else if (request.work == AttachWork::kRemove) {
        if (pod->shortcut) {
            remove_pod_pair(request.ifindex, shared.owner);
        } else {
            remove_pod_tap(*pod, request.ifindex);
        }
    } else if (request.work == AttachWork::kShortcut) {
        auto maps = shortcut(shared, pod->shortcut);
        if (maps.ok()) {
            queues = std::move(*maps);
        } else {
            refuse(answer, maps.error().message);
        }
    } else if (request.work == AttachWork::kHost) {
        const auto host = host_interface(shared, *pod);
        if (host.ok()) {
            answer.ifindex = *host;
        } else {
            refuse(answer, host.error().message);
        }
    } else if (request.work == AttachWork::kSweep) {
        remove_left_pairs(shared.owner);
    } else if (request.work == AttachWork::kNetnsId) {
        // Whether anything else exists at the path is not revealed.
        if (open_network_namespace(pod->netns_path).ok()) {
            answer.netns = netns_id(pod->netns_path);
        }
    } else {
        auto tap = request.work == AttachWork::kUplink ? uplink_tap(shared, *pod)
                                                       : tap_for(shared, request.work, *pod);
        if (!tap.ok()) {
            refuse(answer, tap.error().message);
        } else {
            for (const int fd : tap->queue_fds) queues.emplace_back(fd);
            answer.was_there = tap->was_there;
            answer.ifindex = tap->ifindex;
            answer.node_end = tap->node_end;
        }
    }
    send_answer(socket, answer, queues);
}

/// A thread that takes requests from the socket as they arrive.
[[noreturn]] void take_requests(int socket, Shared& shared) {
    for (;;) {
        AttachRequest request{};
        const ssize_t got = ::recv(socket, &request, sizeof(request), MSG_TRUNC);
        if (got < 0 && errno == EINTR) continue;
        // The other threads end with the process.
        if (got != static_cast<ssize_t>(sizeof(request))) ::_exit(got == 0 ? 0 : 1);
        work_on(socket, request, shared);
    }
}

}  // namespace

void attach_pods(int socket, const std::string& owner) {
    Shared shared{.owner = owner};
    for (int i = 1; i < kAttachedAtOnce; ++i) {
        try {
            std::thread([socket, &shared] { take_requests(socket, shared); }).detach();
        } catch (const std::system_error&) {
            break;  // fewer are enough
        }
    }
    take_requests(socket, shared);
}

}  // namespace podlane::control
