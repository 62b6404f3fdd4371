#include "control/health/service_health.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "control/http/http_session.h"

namespace podlane::control {

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::chrono::seconds kRetry{5};
/// A load balancer checks every few seconds; more connections than this are not load balancers.
constexpr size_t kMostSessions = 256;

asio::ip::address to_asio(const IpAddress& address) {
    return asio::ip::make_address(to_string(address));
}

HttpAnswer answer_for(const NamespacedName& service, uint32_t local_endpoints,
                      bool is_proxy_healthy) {
    return {.status = local_endpoints != 0 && is_proxy_healthy ? 200U : 503U,
            .content_type = "application/json",
            .body = health_body(service, local_endpoints, is_proxy_healthy),
            .headers = {{"X-Load-Balancing-Endpoint-Weight", std::to_string(local_endpoints)}}};
}

}  // namespace

std::string health_body(const NamespacedName& service, uint32_t local_endpoints,
                        bool is_proxy_healthy) {
    return fmt::format(
        "{{\n\t\"service\": {{\n\t\t\"namespace\": \"{}\",\n\t\t\"name\": \"{}\"\n\t}},\n"
        "\t\"localEndpoints\": {},\n\t\"serviceProxyHealthy\": {}\n}}",
        service.name_space, service.name, local_endpoints, is_proxy_healthy);
}

class ServiceHealth::Core : public std::enable_shared_from_this<Core> {
  public:
    Core(asio::io_context& io, std::function<bool()> is_proxy_healthy)
        : io_(io), retry_(io), is_proxy_healthy_(std::move(is_proxy_healthy)) {}

    void sync(const HealthChecks& checks, const std::vector<IpAddress>& addresses);
    void stop();
    [[nodiscard]] size_t listening() const noexcept { return acceptors_.size(); }

  private:
    /// A socket's address and port, and its Service.
    struct Place {
        IpAddress address;
        uint16_t port = 0;
        NamespacedName service;
        friend auto operator<=>(const Place&, const Place&) = default;
    };
    /// Opens the sockets that are missing.
    void listen();
    [[nodiscard]] error_code listen(const Place& place);
    void accept(const Place& place, std::shared_ptr<tcp::acceptor> acceptor);
    [[nodiscard]] std::optional<uint32_t> endpoints_at(const Place& place) const;

    asio::io_context& io_;
    asio::steady_timer retry_;
    const std::function<bool()> is_proxy_healthy_;
    HealthChecks checks_;
    std::vector<IpAddress> addresses_;
    std::map<Place, std::shared_ptr<tcp::acceptor>> acceptors_;
    std::map<Place, error_code> failed_;  // already logged
    HttpSessions sessions_{kMostSessions};
};

std::optional<uint32_t> ServiceHealth::Core::endpoints_at(const Place& place) const {
    const auto at = checks_.find(place.service);
    if (at == checks_.end() || at->second.port != place.port ||
        std::find(addresses_.begin(), addresses_.end(), place.address) == addresses_.end()) {
        return std::nullopt;
    }
    return place.address.is_v4() ? at->second.local_v4 : at->second.local_v6;
}

void ServiceHealth::Core::sync(const HealthChecks& checks,
                               const std::vector<IpAddress>& addresses) {
    checks_ = checks;
    addresses_ = addresses;
    std::erase_if(acceptors_, [this](const auto& entry) {
        if (endpoints_at(entry.first)) return false;
        error_code ignored;
        entry.second->close(ignored);
        return true;
    });
    listen();
}

void ServiceHealth::Core::stop() {
    retry_.cancel();
    sync({}, {});
}

void ServiceHealth::Core::listen() {
    std::map<Place, error_code> failed;
    for (const auto& [name, check] : checks_) {
        for (const IpAddress& address : addresses_) {
            const Place place{address, check.port, name};
            if (acceptors_.contains(place) || !endpoints_at(place)) continue;
            const error_code error = listen(place);
            if (!error) continue;
            failed[place] = error;
            const auto before = failed_.find(place);
            if (before != failed_.end() && before->second == error) continue;
            spdlog::warn("Service {}: healthCheckNodePort: cannot listen on {}: {}; trying again",
                         to_string(name), to_string(address, check.port), error.message());
        }
    }
    failed_ = std::move(failed);
    if (failed_.empty()) return;
    retry_.expires_after(kRetry);
    retry_.async_wait([weak = weak_from_this()](const error_code& cancelled) {
        const auto self = weak.lock();
        if (self && !cancelled) self->listen();
    });
}

error_code ServiceHealth::Core::listen(const Place& place) {
    const tcp::endpoint endpoint(to_asio(place.address), place.port);
    auto acceptor = std::make_shared<tcp::acceptor>(io_);
    error_code error;
    acceptor->open(endpoint.protocol(), error);
    if (!error) acceptor->set_option(asio::socket_base::reuse_address(true), error);
    // The kernel may still be about to add the address.
    const int yes = 1;
    const bool v4 = place.address.is_v4();
    if (!error && ::setsockopt(acceptor->native_handle(), v4 ? SOL_IP : SOL_IPV6,
                               v4 ? IP_FREEBIND : IPV6_FREEBIND, &yes, sizeof yes) != 0) {
        error.assign(errno, boost::system::system_category());
    }
    if (!error) acceptor->bind(endpoint, error);
    if (!error) acceptor->listen(asio::socket_base::max_listen_connections, error);
    if (error) return error;
    acceptors_[place] = acceptor;
    accept(place, std::move(acceptor));
    return {};
}

void ServiceHealth::Core::accept(const Place& place, std::shared_ptr<tcp::acceptor> acceptor) {
    tcp::acceptor& listener = *acceptor;
    listener.async_accept([this, weak = weak_from_this(), place, acceptor = std::move(acceptor)](
                              const error_code& failed, tcp::socket socket) {
        const auto self = weak.lock();
        if (!self || !acceptor->is_open()) return;
        if (!failed) {
            // Answers any path and method, like kube-proxy.
            const auto answer = [this, place](const HttpRequest&) -> std::optional<HttpAnswer> {
                const auto count = endpoints_at(place);
                if (!count) return std::nullopt;
                return answer_for(place.service, *count, is_proxy_healthy_());
            };
            serve_http(std::move(socket), {}, sessions_, self, answer);
        }
        accept(place, acceptor);
    });
}

ServiceHealth::ServiceHealth(asio::io_context& io, std::function<bool()> is_proxy_healthy)
    : core_(std::make_shared<Core>(io, std::move(is_proxy_healthy))) {}

ServiceHealth::~ServiceHealth() {
    stop();
}

void ServiceHealth::sync(const HealthChecks& checks, const std::vector<IpAddress>& addresses) {
    core_->sync(checks, addresses);
}

void ServiceHealth::stop() {
    core_->stop();
}

size_t ServiceHealth::listening() const noexcept {
    return core_->listening();
}

}  // namespace podlane::control
