#include "control/attach/attaching.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <semaphore>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "control/attach/wire.h"
#include "control/netdev/kept_tap.h"
#include "control/netdev/unique_fd.h"

namespace podlane::control {

namespace {

constexpr int kAtOnce = 16;

/// The interfaces that were made or attached to, by handle. Threads: any.
class Made {
  public:
    uint32_t add(std::function<void()> remove) {
        const std::lock_guard lock(mutex_);
        made_.emplace(++last_, std::move(remove));
        return last_;
    }
    std::function<void()> take(uint32_t handle) {
        const std::lock_guard lock(mutex_);
        auto node = made_.extract(handle);
        return node.empty() ? std::function<void()>() : std::move(node.mapped());
    }

  private:
    std::mutex mutex_;
    std::map<uint32_t, std::function<void()>> made_;
    uint32_t last_ = 0;
};

void refuse(AttachAnswer& answer, std::string_view why) {
    answer.is_done = 0;
    const size_t size = std::min(why.size(), answer.error.size() - 1);
    std::copy_n(why.begin(), size, answer.error.begin());
}

/// An interface that goes with its queues.
Result<KeptTap> passing_tap(const PodTapRequest& request) {
    auto device = create_pod_tap(request);
    if (!device.ok()) return device.error();
    const auto shared = std::make_shared<TapDevice>(std::move(*device));
    return KeptTap{shared->release_queue_fds(), [shared] { shared->remove(); }};
}

void send(int socket, const AttachAnswer& answer, const std::vector<UniqueFd>& queues) {
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

void work_on(int socket, const AttachRequest& request, const std::string& owner, Made& made) {
    AttachAnswer answer{.id = request.id, .is_done = 1};
    std::vector<UniqueFd> queues;
    if (request.work == AttachWork::kRemove) {
        if (const auto remove = made.take(request.handle)) remove();
    } else if (const auto pod = from_wire(request); !pod) {
        refuse(answer, "this is no request");
    } else if (request.work == AttachWork::kNetnsId) {
        answer.netns = netns_id(pod->netns_path);
    } else {
        auto tap = request.work == AttachWork::kMake   ? passing_tap(*pod)
                   : request.work == AttachWork::kKeep ? keep_pod_tap(*pod, owner)
                                                       : attach_pod_tap(*pod, owner);
        if (!tap.ok()) {
            refuse(answer, tap.error().message);
        } else {
            for (const int fd : tap->queue_fds) queues.emplace_back(fd);
            answer.was_there = tap->was_there;
            answer.handle = made.add(std::move(tap->remove));
        }
    }
    send(socket, answer, queues);
}

}  // namespace

void attach_pods(int socket, const std::string& owner) {
    Made made;
    std::counting_semaphore<kAtOnce> room(kAtOnce);
    for (;;) {
        AttachRequest request;
        const ssize_t got = ::recv(socket, &request, sizeof(request), 0);
        if (got < 0 && errno == EINTR) continue;
        if (got != static_cast<ssize_t>(sizeof(request)) || request.work > AttachWork::kNetnsId) {
            // Whatever is begun ends with the process.
            ::_exit(got == 0 ? 0 : 1);
        }
        room.acquire();
        const auto work = [&, request] {
            work_on(socket, request, owner, made);
            room.release();
        };
        try {
            std::thread(work).detach();
        } catch (const std::system_error&) {
            work();
        }
    }
}

}  // namespace podlane::control
