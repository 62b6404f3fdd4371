#include "control/watch/healthz.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <chrono>
#include <optional>
#include <thread>
#include <utility>

namespace podlane::control {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::chrono::seconds kPatience{5};
/// Who checks asks every few seconds: more than these at once are no checkers.
constexpr int kMostSessions = 64;

std::string rfc3339(int64_t seconds) {
    const auto at = std::chrono::system_clock::time_point(std::chrono::seconds(seconds));
    return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}",
                       fmt::gmtime(std::chrono::time_point_cast<std::chrono::seconds>(at)));
}

class Session : public std::enable_shared_from_this<Session> {
  public:
    Session(tcp::socket socket, const std::function<ProxyHealth()>& ask, int& count)
        : stream_(std::move(socket)), ask_(ask), count_(count) {
        ++count_;
    }
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
    ~Session() { --count_; }

    void start() {
        stream_.expires_after(kPatience);
        http::async_read_header(stream_, buffer_, parser_,
                                [self = shared_from_this()](const error_code& failed, size_t) {
                                    if (!failed) self->reply();
                                });
    }

  private:
    void reply() {
        const auto target = parser_.get().target();
        const bool is_livez = target == "/livez";
        const bool is_known = is_livez || target == "/healthz";
        const ProxyHealth health = ask_();
        // The process lives, whatever the API server and podlaned do.
        const bool is_well = is_livez || health.is_ready;
        response_.result(!is_known ? http::status::not_found
                         : is_well ? http::status::ok
                                   : http::status::service_unavailable);
        response_.version(11);
        response_.keep_alive(false);
        response_.set(http::field::content_type, "application/json");
        response_.set("X-Content-Type-Options", "nosniff");
        response_.body() = is_known ? proxy_health_body(health) : std::string("{}");
        response_.prepare_payload();
        if (parser_.get().method() == http::verb::head) response_.body().clear();
        http::async_write(stream_, response_,
                          [self = shared_from_this()](const error_code&, size_t) {
                              error_code ignored;
                              self->stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
                          });
    }

    beast::tcp_stream stream_;
    beast::flat_buffer buffer_{8192};
    http::request_parser<http::empty_body> parser_;
    http::response<http::string_body> response_;
    const std::function<ProxyHealth()>& ask_;
    int& count_;
};

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
                fmt::format("healthz address {}: ADDRESS:PORT is allowed, such as "
                            "0.0.0.0:10256 or [::]:10256",
                            bind)};
        const tcp::endpoint at(address, static_cast<uint16_t>(port));
        acceptor_.open(at.protocol(), failed);
        if (!failed) acceptor_.set_option(tcp::acceptor::reuse_address(true), failed);
        if (!failed) acceptor_.bind(at, failed);
        if (!failed) acceptor_.listen(asio::socket_base::max_listen_connections, failed);
        if (failed) return Error{fmt::format("healthz address {}: {}", bind, failed.message())};
        accept();
        thread_ = std::thread([this] { io_.run(); });
        return {};
    }
    [[nodiscard]] uint16_t port() const override { return acceptor_.local_endpoint().port(); }

  private:
    void accept() {
        acceptor_.async_accept([this](const error_code& failed, tcp::socket socket) {
            if (failed == asio::error::operation_aborted) return;
            if (!failed && sessions_ < kMostSessions)
                std::make_shared<Session>(std::move(socket), ask_, sessions_)->start();
            accept();
        });
    }

    const std::function<ProxyHealth()> ask_;
    int sessions_ = 0;  // before io_, whose handlers hold sessions
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
