#include "control/netdev/fd_channel.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace podlane::control {

namespace {

constexpr timeval kSendWait{1, 0};

Error channel_error(const std::string& what) {
    return Error{what + ": " + std::strerror(errno)};
}

Result<sockaddr_un> address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof(address.sun_path)) {
        return Error{path + ": a socket's path has 1-" +
                     std::to_string(sizeof(address.sun_path) - 1) + " bytes"};
    }
    path.copy(address.sun_path, path.size());
    return address;
}

/// False if nothing can be read in time.
bool wait_to_read(int fd, std::chrono::milliseconds timeout) {
    pollfd wanted{fd, POLLIN, 0};
    const auto until = std::chrono::steady_clock::now() + timeout;
    for (;;) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
            until - std::chrono::steady_clock::now());
        const int ready = ::poll(&wanted, 1, std::max(0, static_cast<int>(left.count())));
        if (ready >= 0 || errno != EINTR) return ready > 0;
    }
}

}  // namespace

Result<FdChannel> FdChannel::connect(const std::string& path) {
    const auto address = address_of(path);
    if (!address.ok()) return address.error();
    UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    if (!socket.valid()) return channel_error("socket");
    if (::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &kSendWait, sizeof(kSendWait)) != 0 ||
        ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof(*address)) !=
            0) {
        return channel_error(path);
    }
    return FdChannel(std::move(socket));
}

Result<void> FdChannel::send(std::string_view text, std::span<const int> fds) {
    if (text.empty() || text.size() > kMostBytes || fds.size() > kMostFds) {
        return Error{"a message of " + std::to_string(text.size()) + " bytes and " +
                     std::to_string(fds.size()) + " descriptors is not allowed"};
    }
    iovec part{const_cast<char*>(text.data()), text.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    alignas(cmsghdr) char control[CMSG_SPACE(kMostFds * sizeof(int))] = {};
    if (!fds.empty()) {
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(fds.size_bytes());
        cmsghdr* const rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(fds.size_bytes());
        std::memcpy(CMSG_DATA(rights), fds.data(), fds.size_bytes());
    }
    for (;;) {
        const ssize_t sent = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
        if (sent == static_cast<ssize_t>(text.size())) return {};
        if (sent >= 0) return Error{"a message was cut off"};
        if (errno != EINTR) return channel_error("send");
    }
}

Result<std::optional<FdMessage>> FdChannel::receive(std::chrono::milliseconds timeout) {
    if (!wait_to_read(socket_.get(), timeout)) return Error{"no answer in time"};
    FdMessage out;
    out.text.resize(kMostBytes);
    iovec part{out.text.data(), out.text.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    alignas(cmsghdr) char control[CMSG_SPACE(kMostFds * sizeof(int))] = {};
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    ssize_t got = -1;
    do {
        got = ::recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    if (got < 0 && errno == ECONNRESET) got = 0;
    if (got < 0) return channel_error("receive");
    for (cmsghdr* each = CMSG_FIRSTHDR(&message); each != nullptr;
         each = CMSG_NXTHDR(&message, each)) {
        if (each->cmsg_level != SOL_SOCKET || each->cmsg_type != SCM_RIGHTS) continue;
        const size_t count = (each->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(each) + i * sizeof(int), sizeof(int));
            out.fds.emplace_back(fd);
        }
    }
    if (got == 0) return std::optional<FdMessage>();
    if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
        return Error{"a message was cut off; are there too many open files?"};
    }
    out.text.resize(static_cast<size_t>(got));
    return std::optional<FdMessage>(std::move(out));
}

pid_t FdChannel::peer() const noexcept {
    ucred who{};
    socklen_t bytes = sizeof(who);
    const bool known = ::getsockopt(socket_.get(), SOL_SOCKET, SO_PEERCRED, &who, &bytes) == 0;
    return known ? who.pid : 0;
}

Result<FdListener> FdListener::open(const std::string& path) {
    const auto address = address_of(path);
    if (!address.ok()) return address.error();
    UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    if (!socket.valid()) return channel_error("socket");
    ::unlink(path.c_str());
    // The file inherits the socket's mode.
    if (::fchmod(socket.get(), 0600) != 0 ||
        ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof(*address)) != 0) {
        return channel_error(path);
    }
    FdListener out(std::move(socket), path);
    if (::listen(out.socket_.get(), 1) != 0) return channel_error(path);
    return out;
}

FdListener::~FdListener() {
    if (socket_.valid()) ::unlink(path_.c_str());
}

Result<FdChannel> FdListener::accept(std::chrono::milliseconds timeout) {
    if (!wait_to_read(socket_.get(), timeout)) return Error{"nobody has connected in time"};
    UniqueFd socket(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!socket.valid()) return channel_error("accept");
    if (::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &kSendWait, sizeof(kSendWait)) != 0) {
        return channel_error("socket");
    }
    return FdChannel(std::move(socket));
}

}  // namespace podlane::control
