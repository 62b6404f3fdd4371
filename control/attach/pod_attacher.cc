#include "control/attach/pod_attacher.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <utility>

#include "control/attach/attaching.h"

namespace podlane::control {

namespace {

/// Requests without an answer at a time: their answers fit into the socket.
constexpr size_t kWindow = 8;
constexpr int kLongestMs = 20'000;

/// The new process's whole life.
[[noreturn]] void run(int socket, const std::string& owner,
                      const std::function<Result<void>()>& confine) {
    // podlaned is told to end, and this ends with it: a service manager signals both.
    for (const int number : {SIGTERM, SIGINT, SIGHUP}) ::signal(number, SIG_IGN);
    ::prctl(PR_SET_NAME, "podlane-attach");
    if (const auto confined = confine(); !confined.ok()) ::_exit(1);
    attach_pods(socket, owner);
}

}  // namespace

Result<std::unique_ptr<PodAttacher>> PodAttacher::start(
    const std::string& owner, const std::function<Result<void>()>& confine) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        return Error{fmt::format("attaching pods: {}", std::strerror(errno))};
    }
    UniqueFd mine(ends[0]), others(ends[1]);
    const pid_t pid = ::fork();
    if (pid < 0) return Error{fmt::format("attaching pods: fork: {}", std::strerror(errno))};
    if (pid == 0) {
        mine.reset();
        run(others.get(), owner, confine);
    }
    std::unique_ptr<PodAttacher> made(new PodAttacher(std::move(mine), pid));
    others.reset();
    // It answers, so it is confined.
    AttachRequest hello{.work = AttachWork::kNetnsId};
    std::strcpy(hello.netns.data(), "/");
    const auto answered = made->ask({hello});
    if (!answered.front().ok()) return answered.front().error();
    return made;
}

PodAttacher::~PodAttacher() {
    socket_.reset();
    // It may wait in the kernel; the process that is left then ends when the kernel comes back.
    for (int i = 0; i < 1000 && !how_it_ended(); ++i) ::usleep(1000);
}

std::optional<std::string> PodAttacher::how_it_ended() {
    if (pid_ != 0) {
        int status = 0;
        if (::waitpid(pid_, &status, WNOHANG) != pid_) return std::nullopt;
        pid_ = 0;
        ending_ = WIFSIGNALED(status) ? fmt::format("by signal {}", WTERMSIG(status))
                                      : fmt::format("with {}", WEXITSTATUS(status));
    }
    return ending_;
}

Result<PodAttacher::Reply> PodAttacher::receive() {
    pollfd ready{socket_.get(), POLLIN, 0};
    int count = 0;
    while ((count = ::poll(&ready, 1, kLongestMs)) < 0 && errno == EINTR) {
    }
    if (count == 0) return Error{"attaching pods: no answer within 20 seconds"};
    Reply reply;
    iovec part{&reply.answer, sizeof(reply.answer)};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kMaxTapQueues)> room{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = room.data();
    message.msg_controllen = room.size();
    ssize_t got = 0;
    while ((got = ::recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR) {
    }
    if (got <= 0) return Error{"attaching pods: the process for it has ended"};
    for (cmsghdr* head = CMSG_FIRSTHDR(&message); head != nullptr;
         head = CMSG_NXTHDR(&message, head)) {
        if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) continue;
        const size_t fds = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < fds; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(head) + i * sizeof(int), sizeof(int));
            reply.queues.emplace_back(fd);
        }
    }
    if (got != static_cast<ssize_t>(sizeof(reply.answer))) {
        return Error{"attaching pods: an answer that is none"};
    }
    return reply;
}

std::vector<Result<PodAttacher::Reply>> PodAttacher::ask(std::vector<AttachRequest> requests) {
    std::vector<Result<Reply>> replies;
    for (size_t i = 0; i < requests.size(); ++i) replies.emplace_back(Error{"not asked"});
    std::map<uint32_t, size_t> waiting;
    for (size_t next = 0; next < requests.size() || !waiting.empty();) {
        if (next < requests.size() && waiting.size() < kWindow) {
            AttachRequest& request = requests[next];
            request.id = ++last_id_;
            ssize_t sent = 0;
            while ((sent = ::send(socket_.get(), &request, sizeof(request), MSG_NOSIGNAL)) < 0 &&
                   errno == EINTR) {
            }
            if (sent == static_cast<ssize_t>(sizeof(request))) {
                waiting.emplace(request.id, next++);
                continue;
            }
        }
        auto reply = waiting.empty()
                         ? Result<Reply>(Error{"attaching pods: the process for it has ended"})
                         : receive();
        if (!reply.ok()) {
            // Late answers are for nobody: their descriptors are closed when they come.
            for (Result<Reply>& each : replies) {
                if (!each.ok()) each = reply.error();
            }
            return replies;
        }
        const auto found = waiting.find(reply->answer.id);
        if (found == waiting.end()) continue;
        replies[found->second] = std::move(reply);
        waiting.erase(found);
    }
    return replies;
}

Result<KeptTap> PodAttacher::tap_of(Result<Reply> reply) {
    if (!reply.ok()) return reply.error();
    AttachAnswer& answer = reply->answer;
    answer.error.back() = '\0';
    if (answer.is_done == 0) return Error{answer.error.data()};
    KeptTap tap;
    for (UniqueFd& queue : reply->queues) tap.queue_fds.push_back(queue.release());
    tap.was_there = answer.was_there != 0;
    tap.remove = [this, handle = answer.handle] {
        static_cast<void>(ask({{.work = AttachWork::kRemove, .handle = handle}}));
    };
    return tap;
}

Result<KeptTap> PodAttacher::make(const PodTapRequest& request, bool keep) {
    auto wire = to_wire(keep ? AttachWork::kKeep : AttachWork::kMake, request);
    if (!wire.ok()) return wire.error();
    return tap_of(std::move(ask({*wire}).front()));
}

std::vector<Result<KeptTap>> PodAttacher::attach(const std::vector<PodTapRequest>& requests) {
    std::vector<AttachRequest> wires;
    std::vector<Result<KeptTap>> taps;
    std::vector<size_t> asked;
    for (const PodTapRequest& request : requests) {
        auto wire = to_wire(AttachWork::kAttach, request);
        taps.emplace_back(wire.ok() ? Error{"not attached"} : wire.error());
        if (!wire.ok()) continue;
        asked.push_back(taps.size() - 1);
        wires.push_back(*wire);
    }
    auto replies = ask(std::move(wires));
    for (size_t i = 0; i < replies.size(); ++i) taps[asked[i]] = tap_of(std::move(replies[i]));
    return taps;
}

NetnsId PodAttacher::netns_id(const std::string& path) {
    const auto wire = to_wire(AttachWork::kNetnsId, {.netns_path = path});
    if (!wire.ok()) return {};
    const auto replies = ask({*wire});
    return replies.front().ok() ? replies.front().value().answer.netns : NetnsId{};
}

}  // namespace podlane::control
