// Answers healthCheckNodePort: tells load balancers whether this node has endpoints of a Service
// with externalTrafficPolicy Local (Kubernetes, "Preserving the client source IP"), over HTTP, with
// the words of kube-proxy.
//
// The listening sockets are kernel sockets: packets for them to an address of the node go through
// the host interface, as for any server on the node.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "control/compile/services.h"
#include "lib/base/ip_address.h"

namespace podlane::control {

/// Threads: all members, and the answers, on the thread that runs the io_context.
class ServiceHealth {
  public:
    /// `is_proxy_healthy`: whether this node serves Services at all.
    ServiceHealth(boost::asio::io_context& io, std::function<bool()> is_proxy_healthy);
    ServiceHealth(const ServiceHealth&) = delete;
    ServiceHealth& operator=(const ServiceHealth&) = delete;
    ~ServiceHealth();

    /// From now on it answers for exactly these, at these addresses. A port that cannot be opened
    /// is logged, and tried again every few seconds.
    void sync(const HealthChecks& checks, const std::vector<IpAddress>& addresses);
    void stop();

    /// Sockets that are open now.
    [[nodiscard]] size_t listening() const noexcept;

  private:
    class Core;
    std::shared_ptr<Core> core_;
};

/// kube-proxy's body.
[[nodiscard]] std::string health_body(const NamespacedName& service, uint32_t local_endpoints,
                                      bool is_proxy_healthy);

}  // namespace podlane::control
