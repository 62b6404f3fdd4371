// Answers what others ask kube-proxy: /healthz and /livez on port 10256 (kubelets, cloud load
// balancers), /proxyMode on port 10249 of the node itself (programs that adapt to the proxy's
// mode).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "lib/base/result.h"

namespace podlane::control {

/// What the answer says.
struct ProxyHealth {
    bool is_ready = false;       ///< podlaned is in sync with the API server
    int64_t last_updated_s = 0;  ///< wall clock, seconds
    int64_t now_s = 0;
};

/// kube-proxy's body for it: {"lastUpdated": ..., "currentTime": ..., "nodeEligible": true}.
[[nodiscard]] std::string proxy_health_body(const ProxyHealth& health);

/// A server with a thread of its own; closed by the destructor.
class HealthServer {
  public:
    /// `bind`: "0.0.0.0:10256" or "[::]:10256". `ask` is called on the server's thread.
    [[nodiscard]] static Result<std::unique_ptr<HealthServer>> start(
        const std::string& bind, std::function<ProxyHealth()> ask);
    virtual ~HealthServer() = default;
    [[nodiscard]] virtual uint16_t port() const = 0;
};

}  // namespace podlane::control
