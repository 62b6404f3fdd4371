#include "control/attach/pod_attacher.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <utility>

#include "control/attach/attaching.h"

namespace podlane::control {

namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* kGone = "attaching pods: the process for it has ended";
/// The new process's end of the socket. Otherwise it has only the standard descriptors.
constexpr int kItsSocket = 3;

/// Turns the request into the one that undoes it.
void make_removal(AttachRequest& request, const AttachAnswer& made) {
    request.work = AttachWork::kRemove;
    request.ifindex = made.ifindex;
    request.shortcut = made.node_end != 0;
}

/// Closes all of podlaned's descriptors except the socket and the standard ones.
void close_all_but(int socket) {
    const int nothing = ::open("/dev/null", O_RDWR);
    for (const int standard : {0, 1, 2}) ::dup2(nothing, standard);
    ::dup2(socket, kItsSocket);
    ::syscall(SYS_close_range, kItsSocket + 1, ~0U, 0U);
}

/// All that the new process does.
[[noreturn]] void live(int socket, pid_t podlaned, const std::string& owner,
                       const std::function<Result<void>()>& confine) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != podlaned) ::_exit(0);
    // A service manager signals both processes; podlaned still needs pods detached then.
    for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGPIPE}) ::signal(number, SIG_IGN);
    ::prctl(PR_SET_NAME, "podlane-attach");
    ::prctl(PR_SET_DUMPABLE, 0);
    close_all_but(socket);
    const auto confined = confine();
    AttachAnswer hello{};
    hello.is_done = confined.ok();
    if (!confined.ok()) {
        const std::string& why = confined.error().message;
        std::copy_n(why.begin(), std::min(why.size(), hello.error.size() - 1), hello.error.begin());
    }
    const ssize_t sent = ::send(kItsSocket, &hello, sizeof(hello), MSG_NOSIGNAL);
    if (!confined.ok() || sent != static_cast<ssize_t>(sizeof(hello))) ::_exit(1);
    attach_pods(kItsSocket, owner);
}

}  // namespace

Result<std::unique_ptr<PodAttacher>> PodAttacher::start(
    const std::string& owner, const std::function<Result<void>()>& confine, int wait_ms) {
    const auto failed = [](const std::string& why) {
        return Error{fmt::format("a process to attach pods cannot be started: {}", why)};
    };
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        return failed(std::strerror(errno));
    }
    UniqueFd mine(ends[0]), its(ends[1]);
    const pid_t self = ::getpid();
    const pid_t pid = ::fork();
    if (pid < 0) return failed(std::strerror(errno));
    if (pid == 0) live(its.get(), self, owner, confine);
    std::unique_ptr<PodAttacher> made(new PodAttacher(std::move(mine), pid, wait_ms));
    its.reset();
    auto hello = made->receive();
    if (!hello.ok()) return failed(hello.error().message);
    hello->answer.error.back() = '\0';
    if (hello->answer.is_done == 0) return failed(hello->answer.error.data());
    return made;
}

PodAttacher::~PodAttacher() {
    socket_.reset();
    // It may be waiting in the kernel, and ends when that call returns.
    for (int i = 0; i < 1000 && !how_it_ended(); ++i) ::usleep(1000);
}

std::optional<std::string> PodAttacher::how_it_ended() {
    if (pid_ != 0) {
        int status = 0;
        if (::waitpid(pid_, &status, WNOHANG) != pid_) return std::nullopt;
        pid_ = 0;
        ending_ = WIFSIGNALED(status) ? fmt::format("by signal {}", WTERMSIG(status))
                                      : fmt::format("with exit code {}", WEXITSTATUS(status));
    }
    return ending_;
}

Result<PodAttacher::Reply> PodAttacher::receive() {
    pollfd ready{socket_.get(), POLLIN, 0};
    const auto deadline = Clock::now() + std::chrono::milliseconds(wait_ms_);
    int count = -1;
    while (count < 0) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
        count = ::poll(&ready, 1, static_cast<int>(std::max<int64_t>(left.count(), 0)));
        if (count < 0 && errno != EINTR) return Error{kGone};
    }
    if (count == 0) return Error{fmt::format("attaching pods: no answer within {} ms", wait_ms_)};
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
    if (got <= 0) return Error{kGone};
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
    const bool is_whole = (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0;
    if (got != static_cast<ssize_t>(sizeof(reply.answer)) || !is_whole) {
        return Error{"attaching pods: an answer that is cut; more open files may be needed"};
    }
    return reply;
}

Result<void> PodAttacher::send(AttachRequest& request) {
    request.id = ++last_id_;
    ssize_t sent = -1;
    do {
        sent = ::send(socket_.get(), &request, sizeof(request), MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    if (sent == static_cast<ssize_t>(sizeof(request))) return {};
    if (errno != EAGAIN && errno != ENOBUFS) return Error{kGone};
    return Error{fmt::format("attaching pods: {} requests wait for the kernel", late_.size())};
}

void PodAttacher::undo(const Reply& late) {
    const auto asked = late_.extract(late.answer.id);
    if (asked.empty() || late.answer.is_done == 0 || late.queues.empty()) return;
    if (asked.mapped().work == AttachWork::kUplink) return;  // it ends with the answer's queues
    AttachRequest request = asked.mapped();
    make_removal(request, late.answer);
    // The answer is not waited for. If the request cannot be sent, the interface stays until its
    // namespace ends.
    static_cast<void>(send(request));
}

std::vector<Result<PodAttacher::Reply>> PodAttacher::ask(std::vector<AttachRequest> requests) {
    std::vector<Result<Reply>> replies;
    for (size_t i = 0; i < requests.size(); ++i) replies.emplace_back(Error{kGone});
    std::map<uint32_t, size_t> waiting;
    for (size_t next = 0; next < requests.size() || !waiting.empty();) {
        if (next < requests.size() && waiting.size() < kAttachedAtOnce) {
            auto sent = send(requests[next]);
            if (sent.ok()) {
                waiting.emplace(requests[next].id, next);
            } else {
                replies[next] = sent.error();
            }
            ++next;
            continue;
        }
        auto reply = receive();
        if (!reply.ok()) {
            // No request in the window makes progress; the ones not yet sent would not either.
            for (; next < requests.size(); ++next) replies[next] = reply.error();
            for (const auto& [id, number] : waiting) {
                replies[number] = reply.error();
                late_.emplace(id, requests[number]);
            }
            break;
        }
        const auto found = waiting.find(reply->answer.id);
        if (found == waiting.end()) {
            undo(*reply);
            continue;
        }
        replies[found->second] = std::move(reply);
        waiting.erase(found);
    }
    return replies;
}

Result<KeptTap> PodAttacher::tap_of(Result<Reply> reply, const AttachRequest& request) {
    if (!reply.ok()) return reply.error();
    AttachAnswer& answer = reply->answer;
    answer.error.back() = '\0';
    if (answer.is_done == 0) return Error{answer.error.data()};
    KeptTap tap;
    for (UniqueFd& queue : reply->queues) tap.queue_fds.push_back(queue.release());
    tap.was_there = answer.was_there != 0;
    tap.ifindex = answer.ifindex;
    tap.node_end = answer.node_end;
    tap.remove = [this, remove = request, made = answer]() mutable {
        make_removal(remove, made);
        if (removals_ != nullptr) {
            removals_->push_back(remove);
        } else {
            static_cast<void>(ask({remove}));
        }
    };
    return tap;
}

Result<KeptTap> PodAttacher::make(const PodTapRequest& request, bool keep) {
    const auto wire = to_wire(keep ? AttachWork::kKeep : AttachWork::kMake, request);
    if (!wire.ok()) return wire.error();
    return tap_of(std::move(ask({*wire}).front()), *wire);
}

void PodAttacher::remove_together(const std::function<void()>& work) {
    std::vector<AttachRequest> removals;
    removals_ = &removals;
    work();
    removals_ = nullptr;
    static_cast<void>(ask(std::move(removals)));
}

std::vector<Result<KeptTap>> PodAttacher::attach(const std::vector<PodTapRequest>& requests,
                                                 const std::vector<bool>& in_use) {
    std::vector<Result<KeptTap>> taps;
    std::vector<AttachRequest> asked;
    std::vector<size_t> numbers;
    for (size_t i = 0; i < requests.size(); ++i) {
        const bool is_in_use = i < in_use.size() && in_use[i];
        const auto wire =
            to_wire(is_in_use ? AttachWork::kAdopt : AttachWork::kAttach, requests[i]);
        taps.emplace_back(wire.ok() ? Error{"not asked"} : wire.error());
        if (!wire.ok()) continue;
        numbers.push_back(taps.size() - 1);
        asked.push_back(*wire);
    }
    auto replies = ask(asked);
    for (size_t i = 0; i < replies.size(); ++i) {
        taps[numbers[i]] = tap_of(std::move(replies[i]), asked[i]);
    }
    return taps;
}

Result<std::optional<ShortcutMaps>> PodAttacher::shortcut(bool wanted) {
    PodTapRequest about;
    about.netns_path = "/";  // none is meant
    about.shortcut = wanted;
    const auto wire = to_wire(AttachWork::kShortcut, about);
    if (!wire.ok()) return wire.error();
    auto reply = std::move(ask({*wire}).front());
    if (!reply.ok()) return reply.error();
    reply->answer.error.back() = '\0';
    if (reply->answer.is_done == 0) return Error{reply->answer.error.data()};
    if (reply->queues.size() != 3) return std::optional<ShortcutMaps>{};
    return std::optional<ShortcutMaps>(ShortcutMaps{
        std::move(reply->queues[0]), std::move(reply->queues[1]), std::move(reply->queues[2])});
}

void PodAttacher::sweep() {
    PodTapRequest about;
    about.netns_path = "/";  // none is meant
    const auto wire = to_wire(AttachWork::kSweep, about);
    if (wire.ok()) static_cast<void>(ask({*wire}));
}

Result<KeptTap> PodAttacher::uplink(const std::string& ifname, uint16_t mtu, unsigned queues) {
    PodTapRequest about;
    about.netns_path = "/";  // none is meant
    about.ifname = ifname;
    about.mtu = mtu;
    about.queues = queues;
    const auto wire = to_wire(AttachWork::kUplink, about);
    if (!wire.ok()) return wire.error();
    auto tap = tap_of(std::move(ask({*wire}).front()), *wire);
    if (tap.ok()) tap->remove = {};
    return tap;
}

Result<int> PodAttacher::host(const std::string& ifname, bool wanted) {
    PodTapRequest about;
    about.netns_path = "/";  // none is meant
    about.ifname = ifname;
    about.shortcut = wanted;
    const auto wire = to_wire(AttachWork::kHost, about);
    if (!wire.ok()) return wire.error();
    auto reply = std::move(ask({*wire}).front());
    if (!reply.ok()) return reply.error();
    reply->answer.error.back() = '\0';
    if (reply->answer.is_done == 0) return Error{reply->answer.error.data()};
    return reply->answer.ifindex;
}

NetnsId PodAttacher::netns_id(const std::string& path) {
    PodTapRequest there;
    there.netns_path = path;
    const auto wire = to_wire(AttachWork::kNetnsId, there);
    if (!wire.ok()) return {};
    const auto replies = ask({*wire});
    return replies.front().ok() ? replies.front()->answer.netns : NetnsId{};
}

}  // namespace podlane::control
