#include "control/http/http_server.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <charconv>
#include <chrono>
#include <map>
#include <optional>
#include <utility>

namespace podlane::control {

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr HttpSessionRules kRules{.patience = std::chrono::seconds(10), .keeps_alive = true};
constexpr std::chrono::seconds kRetry{1};

HttpAnswer problem(unsigned status, std::string_view text) {
    return {.status = status, .body = fmt::format("{}\n", text)};
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
    [[nodiscard]] HttpAnswer answer(const HttpRequest& request) const;

    tcp::acceptor acceptor_;
    asio::steady_timer retry_;
    tcp::endpoint at_;
    std::map<std::string, HttpHandler, std::less<>> paths_;
    HttpSessions sessions_{kMostSessions};
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
        if (!failed) {
            serve_http(
                std::move(socket), kRules, self->sessions_, self,
                [core = self.get()](const HttpRequest& request) { return core->answer(request); });
        }
        self->accept();
    });
}

HttpAnswer HttpServer::Core::answer(const HttpRequest& request) const {
    if (is_stopped_) return problem(503, "stopping");
    if (request.method != "GET" && request.method != "HEAD") {
        HttpAnswer refused = problem(405, "only GET and HEAD are answered");
        refused.headers = {{"Allow", "GET, HEAD"}};
        return refused;
    }
    if (at_.address().is_loopback() && !is_local_host_header(request.host)) {
        return problem(403, "Host: an address or localhost is allowed");
    }
    const auto found = paths_.find(request.path);
    if (found == paths_.end()) {
        std::string all;
        for (const auto& [known, handler] : paths_) all += " " + known;
        return problem(404, "there is only" + all);
    }
    return found->second(request);
}

bool is_local_host_header(std::string_view host) {
    if (host.starts_with('[')) return parse_ip(host.substr(1, host.find(']') - 1)).has_value();
    host = host.substr(0, host.find(':'));
    // HTTP/1.0 requests have no Host header, and no browser sends them.
    return host.empty() || host == "localhost" || parse_ip(host).has_value();
}

namespace {

/// A decoded query value; "+" means a space. Nothing if a percent sign lacks its two digits.
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
