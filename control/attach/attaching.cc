#include "control/attach/attaching.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "control/attach/wire.h"
#include "control/netdev/kept_tap.h"
#include "control/netdev/unique_fd.h"

namespace podlane::control {

namespace {

void refuse(AttachAnswer& answer, std::string_view why) {
    answer.is_done = 0;
    std::copy_n(why.begin(), std::min(why.size(), answer.error.size() - 1), answer.error.begin());
}

/// An interface that ends when its queues are closed.
Result<KeptTap> passing_tap(const PodTapRequest& request) {
    auto device = create_pod_tap(request);
    if (!device.ok()) return device.error();
    const int ifindex = device->ifindex();
    return KeptTap{device->release_queue_fds(), {}, false, ifindex};
}

Result<KeptTap> tap_for(AttachWork work, const PodTapRequest& pod, const std::string& owner) {
    switch (work) {
        case AttachWork::kMake:
            return passing_tap(pod);
        case AttachWork::kKeep:
            return keep_pod_tap(pod, owner);
        case AttachWork::kAttach:
            return attach_pod_tap(pod, owner);
        case AttachWork::kAdopt:
            return attach_pod_tap(pod, owner, true);
        case AttachWork::kRemove:
        case AttachWork::kNetnsId:
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

void work_on(int socket, const AttachRequest& request, const std::string& owner) {
    AttachAnswer answer{};
    answer.id = request.id;
    answer.is_done = 1;
    std::vector<UniqueFd> queues;
    const auto pod = from_wire(request);
    if (!pod) {
        refuse(answer, "this is no request");
    } else if (request.work == AttachWork::kRemove) {
        remove_pod_tap(*pod, request.ifindex);
    } else if (request.work == AttachWork::kNetnsId) {
        // Whether anything else exists at the path is not revealed.
        if (open_network_namespace(pod->netns_path).ok()) {
            answer.netns = netns_id(pod->netns_path);
        }
    } else {
        auto tap = tap_for(request.work, *pod, owner);
        if (!tap.ok()) {
            refuse(answer, tap.error().message);
        } else {
            for (const int fd : tap->queue_fds) queues.emplace_back(fd);
            answer.was_there = tap->was_there;
            answer.ifindex = tap->ifindex;
        }
    }
    send_answer(socket, answer, queues);
}

/// A thread that takes requests from the socket as they arrive.
[[noreturn]] void take_requests(int socket, const std::string& owner) {
    for (;;) {
        AttachRequest request{};
        const ssize_t got = ::recv(socket, &request, sizeof(request), MSG_TRUNC);
        if (got < 0 && errno == EINTR) continue;
        // The other threads end with the process.
        if (got != static_cast<ssize_t>(sizeof(request))) ::_exit(got == 0 ? 0 : 1);
        work_on(socket, request, owner);
    }
}

}  // namespace

void attach_pods(int socket, const std::string& owner) {
    for (int i = 1; i < kAttachedAtOnce; ++i) {
        try {
            std::thread(take_requests, socket, owner).detach();
        } catch (const std::system_error&) {
            break;  // fewer are enough
        }
    }
    take_requests(socket, owner);
}

}  // namespace podlane::control
