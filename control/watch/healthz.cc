#include "control/watch/healthz.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <optional>
#include <thread>
#include <utility>

#include "control/http/http_session.h"

namespace podlane::control {

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

/// A health checker asks every few seconds; more connections than this are not health checkers.
constexpr size_t kMostSessions = 64;

std::string rfc3339(int64_t seconds) {
    const auto at = std::chrono::system_clock::time_point(std::chrono::seconds(seconds));
    return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}",
                       fmt::gmtime(std::chrono::time_point_cast<std::chrono::seconds>(at)));
}

HttpAnswer answer_for(const HttpRequest& request, const ProxyHealth& health) {
    if (request.path == "/proxyMode") {
        return {.status = 200, .content_type = "text/plain; charset=utf-8", .body = "podlane"};
    }
    const bool is_livez = request.path == "/livez";
    if (!is_livez && request.path != "/healthz") {
        return {.status = 404, .content_type = "application/json", .body = "{}"};
    }
    // This process is alive, whatever the API server and podlaned do.
    return {.status = is_livez || health.is_ready ? 200U : 503U,
            .content_type = "application/json",
            .body = proxy_health_body(health)};
}

class Server : public HealthServer {
  public:
    explicit Server(std::function<ProxyHealth()> ask) : ask_(std::move(ask)), acceptor_(io_) {}
    ~Server() override {
        io_.stop();
        if (thread_.joinable()) thread_.join();
    }

    Result<void> open(const std::string& bind) {
        const size_t colon = bind.rfind(':');
        std::string host = bind.substr(0, colon);
        if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
        error_code failed;
        const auto address = asio::ip::make_address(host, failed);
        unsigned port = 0;
        const bool has_port = colon != std::string::npos &&
                              std::sscanf(bind.c_str() + colon + 1, "%u", &port) == 1 &&
                              port <= 65535;
        if (failed || !has_port)
            return Error{
                fmt::format("address {}: ADDRESS:PORT is allowed, such as "
                            "0.0.0.0:10256 or [::]:10256",
                            bind)};
        const tcp::endpoint at(address, static_cast<uint16_t>(port));
        acceptor_.open(at.protocol(), failed);
        if (!failed) acceptor_.set_option(tcp::acceptor::reuse_address(true), failed);
        if (!failed) acceptor_.bind(at, failed);
        if (!failed) acceptor_.listen(asio::socket_base::max_listen_connections, failed);
        if (failed) return Error{fmt::format("address {}: {}", bind, failed.message())};
        accept();
        thread_ = std::thread([this] { io_.run(); });
        return {};
    }
    [[nodiscard]] uint16_t port() const override { return acceptor_.local_endpoint().port(); }

  private:
    void accept() {
        acceptor_.async_accept([this](const error_code& failed, tcp::socket socket) {
            if (failed == asio::error::operation_aborted) return;
            if (!failed)
                serve_http(
                    std::move(socket), {}, sessions_, nullptr,
                    [this](const HttpRequest& request) { return answer_for(request, ask_()); });
            accept();
        });
    }

    const std::function<ProxyHealth()> ask_;
    HttpSessions sessions_{kMostSessions};  // before io_, because its handlers hold sessions
    asio::io_context io_;
    tcp::acceptor acceptor_;
    std::thread thread_;
};

}  // namespace

std::string proxy_health_body(const ProxyHealth& health) {
    return fmt::format(R"({{"lastUpdated": "{}","currentTime": "{}", "nodeEligible": true}})",
                       rfc3339(health.last_updated_s), rfc3339(health.now_s));
}

Result<std::unique_ptr<HealthServer>> HealthServer::start(const std::string& bind,
                                                          std::function<ProxyHealth()> ask) {
    auto server = std::make_unique<Server>(std::move(ask));
    if (auto opened = server->open(bind); !opened) return opened.error();
    return std::unique_ptr<HealthServer>(std::move(server));
}

}  // namespace podlane::control
