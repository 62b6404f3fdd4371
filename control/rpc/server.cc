#include <utility>  // Boost 1.74 uses std::exchange without it

#include "control/rpc/server.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <fmt/format.h>
#include <algorithm>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <list>

#include "control/rpc/peer.h"
#include "control/rpc/session.h"

namespace podlane::control {
namespace {

using boost::system::error_code;
using Protocol = boost::asio::local::stream_protocol;

constexpr mode_t kSocketMode = 0660;
constexpr auto kAcceptRetry = std::chrono::milliseconds(100);  // after EMFILE and the like
constexpr auto kMemoryLook = std::chrono::milliseconds(200);

Error socket_error(const std::string& path, std::string_view what) {
    return Error{fmt::format("socket {}: {}", path, what)};
}

Error system_error(const std::string& path, std::string_view call) {
    return socket_error(path, fmt::format("{}: {}", call, std::strerror(errno)));
}

// A descriptor that is closed unless it is released.
class Descriptor {
  public:
    explicit Descriptor(int fd) : fd_(fd) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    [[nodiscard]] int get() const { return fd_; }
    int release() { return std::exchange(fd_, -1); }

  private:
    int fd_;
};

int make_socket() {
    return ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

// Makes the path free for bind(): removes a socket file that a daemon left behind.
Result<void> clear_path(const std::string& path, const sockaddr_un& address) {
    struct stat found {};
    if (::lstat(path.c_str(), &found) != 0) {
        if (errno == ENOENT) return {};
        return system_error(path, "stat");
    }
    if (!S_ISSOCK(found.st_mode)) {
        return socket_error(path, "exists and is not a socket; remove it or choose another path");
    }
    const Descriptor probe(make_socket());
    if (probe.get() < 0) return system_error(path, "socket");
    const int rc =
        ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    // EAGAIN: a process is listening, but busy.
    if (rc == 0 || errno == EAGAIN) {
        return socket_error(path, "another process answers there; is podlaned running already?");
    }
    if (errno != ECONNREFUSED) return system_error(path, "connect");
    if (::unlink(path.c_str()) != 0) return system_error(path, "unlink");
    return {};
}

}  // namespace

class RpcServer::Core : public std::enable_shared_from_this<Core> {
  public:
    Core(boost::asio::io_context& io, const RpcMethods& methods, RpcServerOptions options)
        : methods_(methods), options_(std::move(options)), acceptor_(io), retry_(io), memory_(io) {}

    Result<void> start(bool replace);
    void stop();
    [[nodiscard]] size_t client_count() const { return sessions_.size(); }

  private:
    void accept();
    void welcome(Protocol::socket socket);
    void make_room();
    void watch_memory();
    void drop_client(const std::shared_ptr<RpcSession>& session);
    [[nodiscard]] gid_t socket_group() const;

    const RpcMethods& methods_;
    const RpcServerOptions options_;
    Protocol::acceptor acceptor_;
    boost::asio::steady_timer retry_;
    boost::asio::steady_timer memory_;
    std::list<std::shared_ptr<RpcSession>> sessions_;
    bool is_accepting_ = false;
    dev_t device_ = 0;  // of the socket file, so that stop() does not remove another one
    ino_t inode_ = 0;
};

Result<void> RpcServer::Core::start(bool replace) {
    // To replace a socket, bind beside the path, then rename.
    const std::string path = options_.path + (replace ? ".new" : "");
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (options_.path.empty() || path.size() >= sizeof address.sun_path) {
        return socket_error(path, fmt::format("a path of {} bytes; 1-{} are allowed", path.size(),
                                              sizeof address.sun_path - 1));
    }
    path.copy(address.sun_path, path.size());

    std::error_code folder_error;
    const auto folder = std::filesystem::path(path).parent_path();
    if (!folder.empty()) std::filesystem::create_directories(folder, folder_error);
    if (folder_error) return socket_error(path, folder_error.message());
    if (auto cleared = clear_path(path, address); !cleared) return cleared;

    Descriptor listener(make_socket());
    if (listener.get() < 0) return system_error(path, "socket");
    // The file that bind() makes inherits the socket's mode, so it never grants more than this;
    // chmod() adds what the umask took away.
    if (::fchmod(listener.get(), kSocketMode) != 0) return system_error(path, "fchmod");
    if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return system_error(path, "bind");
    }
    // Keep the previous file's group.
    struct stat before {};
    if (replace && ::lstat(options_.path.c_str(), &before) == 0) {
        (void)!::fchownat(AT_FDCWD, path.c_str(), static_cast<uid_t>(-1), before.st_gid,
                          AT_SYMLINK_NOFOLLOW);
    }
    struct stat made {};
    if (::chmod(path.c_str(), kSocketMode) != 0 || ::lstat(path.c_str(), &made) != 0 ||
        ::listen(listener.get(), SOMAXCONN) != 0 ||
        (replace && ::rename(path.c_str(), options_.path.c_str()) != 0)) {
        const Error error = system_error(path, "listen");
        ::unlink(path.c_str());
        return error;
    }
    device_ = made.st_dev;
    inode_ = made.st_ino;
    error_code error;
    acceptor_.assign(Protocol(), listener.release(), error);
    if (error) return socket_error(path, error.message());
    accept();
    watch_memory();
    return {};
}

void RpcServer::Core::stop() {
    if (!acceptor_.is_open()) return;
    error_code ignored;
    acceptor_.close(ignored);
    retry_.cancel();
    memory_.cancel();
    for (const auto& session : std::exchange(sessions_, {})) session->close();
    struct stat found {};
    if (::lstat(options_.path.c_str(), &found) == 0 && found.st_dev == device_ &&
        found.st_ino == inode_) {
        ::unlink(options_.path.c_str());
    }
}

void RpcServer::Core::accept() {
    if (is_accepting_ || !acceptor_.is_open()) return;
    is_accepting_ = true;
    acceptor_.async_accept(
        [self = shared_from_this()](const error_code& error, Protocol::socket socket) {
            self->is_accepting_ = false;
            if (!self->acceptor_.is_open()) return;
            if (!error) {
                self->welcome(std::move(socket));
                self->accept();
                return;
            }
            self->retry_.expires_after(kAcceptRetry);
            self->retry_.async_wait([self](const error_code& stopped) {
                if (!stopped) self->accept();
            });
        });
}

/// Closes the client that has been idle longest, to make room for the next: idle clients cannot
/// keep an operator out. If all are busy, closes the one whose last activity is oldest.
void RpcServer::Core::make_room() {
    while (sessions_.size() >= options_.max_clients) {
        const auto& longest =
            *std::min_element(sessions_.begin(), sessions_.end(), [](const auto& a, const auto& b) {
                if (a->is_idle() != b->is_idle()) return a->is_idle();
                return a->last_active() < b->last_active();
            });
        drop_client(longest);
    }
}

/// Checks from time to time how much all clients hold; while it is too much, closes the largest.
void RpcServer::Core::watch_memory() {
    memory_.expires_after(kMemoryLook);
    memory_.async_wait([self = shared_from_this()](const error_code& stopped) {
        if (stopped || !self->acceptor_.is_open()) return;
        size_t held = 0;
        for (const auto& each : self->sessions_) held += each->held_bytes();
        while (held > self->options_.max_held_bytes) {
            const auto largest = *std::max_element(
                self->sessions_.begin(), self->sessions_.end(),
                [](const auto& a, const auto& b) { return a->held_bytes() < b->held_bytes(); });
            held -= largest->held_bytes();
            self->drop_client(largest);
        }
        self->watch_memory();
    });
}

void RpcServer::Core::drop_client(const std::shared_ptr<RpcSession>& session) {
    session->close();
    sessions_.remove(std::shared_ptr<RpcSession>(session));
}

void RpcServer::Core::welcome(Protocol::socket socket) {
    make_room();
    ::fcntl(socket.native_handle(), F_SETFD, FD_CLOEXEC);
    const auto who = peer_credentials(socket.native_handle());
    const auto place = sessions_.emplace(sessions_.end());
    *place = std::make_shared<RpcSession>(std::move(socket), methods_, who ? who->peer : RpcPeer{},
                                          options_.max_message_bytes, options_.max_unread_bytes,
                                          [weak = weak_from_this(), place] {
                                              const auto self = weak.lock();
                                              if (!self || !self->acceptor_.is_open()) return;
                                              self->sessions_.erase(place);
                                              self->accept();
                                          });
    const std::shared_ptr<RpcSession> session = *place;
    if (!who) {
        session->refuse({rpc_code::kNotAllowed, who.error().message, nullptr});
    } else if (!is_allowed(*who, ::geteuid(), socket_group())) {
        session->refuse({rpc_code::kNotAllowed,
                         fmt::format("user {} may not use this socket; it is for root and the "
                                     "members of its group",
                                     who->peer.uid),
                         nullptr});
    } else {
        session->start();
    }
}

// Read each time, so that chgrp takes effect without a restart. No group if the file is gone.
gid_t RpcServer::Core::socket_group() const {
    struct stat found {};
    if (::lstat(options_.path.c_str(), &found) != 0) return static_cast<gid_t>(-1);
    return found.st_gid;
}

RpcServer::RpcServer(boost::asio::io_context& io, const RpcMethods& methods,
                     RpcServerOptions options)
    : core_(std::make_shared<Core>(io, methods, std::move(options))) {}

RpcServer::~RpcServer() {
    core_->stop();
}

Result<void> RpcServer::start(bool replace) {
    return core_->start(replace);
}

void RpcServer::stop() {
    core_->stop();
}

size_t RpcServer::client_count() const noexcept {
    return core_->client_count();
}

}  // namespace podlane::control
