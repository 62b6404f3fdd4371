#include "control/rpc/client.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <fmt/format.h>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>
#include <utility>

namespace podlane::control {
namespace {

using nlohmann::ordered_json;

constexpr size_t kMaxReplyBytes = size_t{4} << 30;
constexpr auto kConnectRetry = std::chrono::milliseconds(5);

Error connect_error(const std::string& path, int error) {
    if (error == ENOENT || error == ECONNREFUSED) {
        return Error{fmt::format("{}: {}; is podlaned running, and is this its socket?", path,
                                 std::strerror(error))};
    }
    if (error == EACCES || error == EPERM) {
        return Error{
            fmt::format("{}: permission denied; run as root or as a member of the "
                        "socket's group",
                        path)};
    }
    return Error{fmt::format("{}: {}", path, std::strerror(error))};
}

Error error_of(const ordered_json& error) {
    Error found{"the server's error has no message"};
    if (!error.is_object()) return found;
    const auto text = [](const ordered_json& object, const char* key) {
        const auto value = object.find(key);
        return value != object.end() && value->is_string() ? value->get<std::string>()
                                                           : std::string();
    };
    if (std::string message = text(error, "message"); !message.empty()) found.message = message;
    if (const auto data = error.find("data"); data != error.end() && data->is_object()) {
        found.document = text(*data, "document");
        found.path = text(*data, "path");
        const auto line = data->find("line");
        if (line != data->end() && line->is_number_integer()) found.line = line->get<int>();
    }
    return found;
}

}  // namespace

RpcClient::RpcClient(int fd, RpcClientOptions options)
    : fd_(fd), options_(options), replies_(kMaxReplyBytes) {}

RpcClient::RpcClient(RpcClient&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      last_code_(other.last_code_),
      next_id_(other.next_id_),
      options_(other.options_),
      replies_(std::move(other.replies_)) {}

RpcClient& RpcClient::operator=(RpcClient&& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(last_code_, other.last_code_);
    std::swap(next_id_, other.next_id_);
    std::swap(options_, other.options_);
    std::swap(replies_, other.replies_);
    return *this;
}

RpcClient::~RpcClient() {
    if (fd_ >= 0) ::close(fd_);
}

Result<RpcClient> RpcClient::connect(const std::string& path, RpcClientOptions options) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path) {
        return connect_error(path, ENAMETOOLONG);
    }
    path.copy(address.sun_path, path.size());
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return connect_error(path, errno);
    RpcClient client(fd, options);
    const auto until = Clock::now() + options.connect_timeout;
    while (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        // EAGAIN means a full backlog, and poll() cannot wait for that on a Unix socket.
        if (errno != EAGAIN && errno != EINTR) return connect_error(path, errno);
        if (Clock::now() >= until) return connect_error(path, ETIMEDOUT);
        std::this_thread::sleep_for(kConnectRetry);
    }
    return client;
}

Result<void> RpcClient::wait(short events, Clock::time_point until) {
    while (true) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
        if (left.count() <= 0) return Error{"podlaned did not answer in time"};
        pollfd watched{fd_, events, 0};
        const auto limit = std::min<std::chrono::milliseconds::rep>(left.count(), 60'000);
        const int ready = ::poll(&watched, 1, static_cast<int>(limit));
        if (ready > 0) return {};
        if (ready < 0 && errno != EINTR) return Error{std::strerror(errno)};
    }
}

Result<void> RpcClient::send(std::string_view bytes, Clock::time_point until) {
    while (!bytes.empty()) {
        const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent >= 0) {
            bytes.remove_prefix(static_cast<size_t>(sent));
        } else if (errno == EAGAIN) {
            if (auto ready = wait(POLLOUT, until); !ready) return ready;
        } else if (errno != EINTR) {
            return Error{
                fmt::format("the connection to the server broke: {}", std::strerror(errno))};
        }
    }
    return {};
}

Result<std::string> RpcClient::receive(Clock::time_point until) {
    while (true) {
        if (auto line = replies_.next()) return *std::move(line);
        if (replies_.is_over_limit()) return Error{"the server's reply is too long"};
        const auto room = replies_.room();
        const ssize_t got = ::recv(fd_, room.data(), room.size(), 0);
        if (got > 0) {
            replies_.received(static_cast<size_t>(got));
        } else if (got == 0) {
            return Error{"the server closed the connection"};
        } else if (errno == EAGAIN) {
            if (auto ready = wait(POLLIN, until); !ready) return ready.error();
        } else if (errno != EINTR) {
            return Error{
                fmt::format("the connection to the server broke: {}", std::strerror(errno))};
        }
    }
}

Result<void> RpcClient::send_line(std::string_view line) {
    const auto until = Clock::now() + options_.call_timeout;
    if (auto sent = send(line, until); !sent) return sent;
    return send("\n", until);
}

Result<void> RpcClient::send_bytes(std::string_view bytes) {
    return send(bytes, Clock::now() + options_.call_timeout);
}

Result<std::string> RpcClient::receive_line() {
    return receive(Clock::now() + options_.call_timeout);
}

bool RpcClient::is_closed() const noexcept {
    char byte = 0;
    const ssize_t got = ::recv(fd_, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

void RpcClient::finish_sending() {
    ::shutdown(fd_, SHUT_WR);
}

Result<ordered_json> RpcClient::call(std::string_view method, const ordered_json& params) {
    last_code_ = 0;
    const auto until = Clock::now() + options_.call_timeout;
    const int64_t id = next_id_++;
    ordered_json request{{"jsonrpc", "2.0"}, {"id", id}, {"method", method}};
    std::string text = request.dump();
    if (!params.is_null()) {
        // Appended as text: putting a large manifest into a JSON envelope would copy it once more.
        text.pop_back();
        text += R"(,"params":)";
        text += params.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
        text += '}';
    }
    if (text.size() > options_.max_message_bytes) {
        return Error{fmt::format("the request is {} bytes long, at most {} are allowed",
                                 text.size(), options_.max_message_bytes)};
    }
    text += '\n';
    const Result<void> sent = send(text, until);
    text = std::string();

    // A server that refuses us sends the reason and closes: its reply may be there even if sending
    // failed.
    const Result<std::string> line = receive(until);
    if (!line) return sent ? line.error() : sent.error();
    ordered_json reply = ordered_json::parse(line.value(), nullptr, false);
    if (!reply.is_object()) return Error{"the server's reply is no JSON object"};
    if (const auto error = reply.find("error"); error != reply.end()) {
        if (error->is_object() && error->contains("code") && (*error)["code"].is_number_integer()) {
            last_code_ = (*error)["code"].get<int>();
        }
        return error_of(*error);
    }
    const auto result = reply.find("result");
    if (reply.value("id", ordered_json()) != id || result == reply.end()) {
        return Error{"the server's reply does not belong to the request"};
    }
    return std::move(*result);
}

}  // namespace podlane::control
