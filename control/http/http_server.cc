#include "control/http/http_server.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <charconv>
#include <chrono>
#include <map>
#include <optional>
#include <utility>

namespace podlane::control {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using boost::system::error_code;

/// For a request to come, and for its answer to leave.
constexpr std::chrono::seconds kPatience{10};
constexpr std::chrono::seconds kRetry{5};
constexpr size_t kMostRequestBytes = 8192;

using Response = http::response<http::string_body>;
using Answer = std::function<HttpAnswer(const http::request<http::empty_body>&)>;

/// One connection. Lives as long as one of its handlers waits.
class Session : public std::enable_shared_from_this<Session> {
  public:
    Session(tcp::socket socket, size_t& count, std::shared_ptr<void> owner, Answer answer)
        : stream_(std::move(socket)),
          count_(count),
          owner_(std::move(owner)),
          answer_(std::move(answer)) {
        ++count_;
    }
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
    ~Session() { --count_; }

    void read() {
        parser_.emplace();
        parser_->header_limit(kMostRequestBytes);
        stream_.expires_after(kPatience);
        http::async_read_header(stream_, buffer_, *parser_,
                                [self = shared_from_this()](const error_code& failed, size_t) {
                                    if (!failed) self->reply();
                                });
    }

  private:
    void reply() {
        const auto& request = parser_->get();
        HttpAnswer answer = answer_(request);
        response_ = {};
        response_.result(answer.status);
        response_.version(11);
        // A body would stand where the next request is read.
        response_.keep_alive(request.keep_alive() && parser_->is_done());
        response_.set(http::field::content_type, answer.content_type);
        response_.set("X-Content-Type-Options", "nosniff");
        for (const auto& [name, value] : answer.headers) response_.set(name, value);
        if (answer.status == 405) response_.set(http::field::allow, "GET, HEAD");
        response_.body() = std::move(answer.body);
        response_.prepare_payload();
        if (request.method() == http::verb::head) response_.body().clear();
        stream_.expires_after(kPatience);
        http::async_write(stream_, response_,
                          [self = shared_from_this()](const error_code& failed, size_t) {
                              if (failed) return;
                              if (self->response_.keep_alive()) return self->read();
                              error_code ignored;
                              self->stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
                          });
    }

    beast::tcp_stream stream_;
    beast::flat_buffer buffer_{kMostRequestBytes};
    std::optional<http::request_parser<http::empty_body>> parser_;
    Response response_;
    size_t& count_;
    std::shared_ptr<void> owner_;  // of count_
    Answer answer_;
};

HttpAnswer problem(unsigned status, std::string_view text) {
    return {.status = status, .body = fmt::format("{}\n", text)};
}

std::string_view view(beast::string_view text) {
    return {text.data(), text.size()};
}

}  // namespace

class HttpServer::Core : public std::enable_shared_from_this<Core> {
  public:
    explicit Core(asio::io_context& io) : acceptor_(io), retry_(io) {}

    void add(std::string path, HttpHandler handler) {
        paths_[std::move(path)] = std::move(handler);
    }
    void listen(const IpAddress& address, uint16_t port) {
        at_ = tcp::endpoint(asio::ip::make_address(to_string(address)), port);
        try_to_listen();
    }
    void stop() {
        is_stopped_ = true;
        retry_.cancel();
        error_code ignored;
        acceptor_.close(ignored);
    }
    [[nodiscard]] uint16_t port() const noexcept {
        error_code failed;
        const auto at = acceptor_.local_endpoint(failed);
        return failed ? uint16_t{0} : at.port();
    }

  private:
    void try_to_listen();
    [[nodiscard]] error_code open();
    void accept();
    [[nodiscard]] HttpAnswer answer(const http::request<http::empty_body>& request) const;

    tcp::acceptor acceptor_;
    asio::steady_timer retry_;
    tcp::endpoint at_;
    std::map<std::string, HttpHandler, std::less<>> paths_;
    size_t sessions_ = 0;
    bool is_stopped_ = false;
    bool has_warned_ = false;
};

error_code HttpServer::Core::open() {
    error_code failed;
    acceptor_.open(at_.protocol(), failed);
    if (!failed) acceptor_.set_option(tcp::acceptor::reuse_address(true), failed);
    if (!failed) acceptor_.bind(at_, failed);
    if (!failed) acceptor_.listen(asio::socket_base::max_listen_connections, failed);
    if (!failed) return {};
    error_code ignored;
    acceptor_.close(ignored);
    return failed;
}

void HttpServer::Core::try_to_listen() {
    const error_code failed = open();
    const std::string address = at_.address().to_string();
    const std::string where = at_.address().is_v6()
                                  ? fmt::format("http://[{}]:{}", address, at_.port())
                                  : fmt::format("http://{}:{}", address, at_.port());
    if (!failed) {
        if (has_warned_) spdlog::info("metrics: listening at {}", where);
        accept();
        return;
    }
    if (!has_warned_) {
        spdlog::warn("metrics: cannot listen at {}: {}; trying again", where, failed.message());
    }
    has_warned_ = true;
    retry_.expires_after(kRetry);
    retry_.async_wait([weak = weak_from_this()](const error_code& cancelled) {
        const auto self = weak.lock();
        if (self && !cancelled && !self->is_stopped_) self->try_to_listen();
    });
}

void HttpServer::Core::accept() {
    acceptor_.async_accept([weak = weak_from_this()](const error_code& failed, tcp::socket socket) {
        const auto self = weak.lock();
        if (!self || self->is_stopped_) return;
        if (!failed && self->sessions_ < kMostSessions) {
            std::make_shared<Session>(
                std::move(socket), self->sessions_, self,
                [core = self.get()](const auto& request) { return core->answer(request); })
                ->read();
        }
        self->accept();
    });
}

HttpAnswer HttpServer::Core::answer(const http::request<http::empty_body>& request) const {
    if (is_stopped_) return problem(503, "stopping");
    if (request.method() != http::verb::get && request.method() != http::verb::head) {
        return problem(405, "only GET and HEAD are answered");
    }
    if (at_.address().is_loopback() && !is_local_host_header(view(request[http::field::host]))) {
        return problem(403, "Host: an address or localhost is allowed");
    }
    const std::string_view target = view(request.target());
    const std::string_view path = target.substr(0, target.find('?'));
    const auto found = paths_.find(path);
    if (found == paths_.end()) {
        std::string all;
        for (const auto& [known, handler] : paths_) all += " " + known;
        return problem(404, "there is only" + all);
    }
    const size_t query = std::min(path.size() + 1, target.size());
    return found->second({.path = path,
                          .query = target.substr(query),
                          .accept = view(request[http::field::accept]),
                          .host = view(request[http::field::host]),
                          .if_none_match = view(request[http::field::if_none_match])});
}

bool is_local_host_header(std::string_view host) {
    if (host.starts_with('[')) return parse_ip(host.substr(1, host.find(']') - 1)).has_value();
    host = host.substr(0, host.find(':'));
    // HTTP/1.0 has no Host, and no browser speaks it.
    return host.empty() || host == "localhost" || parse_ip(host).has_value();
}

namespace {

/// Of a query: "+" is a blank there. Nothing where a percent sign has no two digits behind it.
std::optional<std::string> decoded(std::string_view text) {
    std::string out;
    for (size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i] == '+' ? ' ' : text[i];
            continue;
        }
        unsigned char value = 0;
        if (text.size() < i + 3) return std::nullopt;
        const char* const end = text.data() + i + 3;
        const auto [parsed, error] = std::from_chars(text.data() + i + 1, end, value, 16);
        if (error != std::errc{} || parsed != end) return std::nullopt;
        out += static_cast<char>(value);
        i += 2;
    }
    return out;
}

}  // namespace

std::optional<std::string> query_value(std::string_view query, std::string_view key) {
    while (!query.empty()) {
        const std::string_view part = query.substr(0, query.find('&'));
        query.remove_prefix(std::min(part.size() + 1, query.size()));
        const size_t equals = part.find('=');
        if (equals == std::string_view::npos || part.substr(0, equals) != key) continue;
        return decoded(part.substr(equals + 1));
    }
    return std::nullopt;
}

HttpServer::HttpServer(asio::io_context& io) : core_(std::make_shared<Core>(io)) {}

HttpServer::~HttpServer() {
    stop();
}

void HttpServer::add(std::string path, HttpHandler handler) {
    core_->add(std::move(path), std::move(handler));
}

void HttpServer::listen(const IpAddress& address, uint16_t port) {
    core_->listen(address, port);
}

void HttpServer::stop() {
    core_->stop();
}

uint16_t HttpServer::port() const noexcept {
    return core_->port();
}

}  // namespace podlane::control
