// The frontends of one Service port, and of one host port: which addresses are served, for whom,
// and with which endpoints. Pure functions; control thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "control/config/node_config.h"
#include "control/kube/objects.h"
#include "lib/model/service.h"

namespace podlane::control {

/// The endpoints of one Service port in one family. Null sets are not used by the Service.
template <Family F>
struct PortEndpoints {
    std::shared_ptr<const EndpointSet<F>> cluster;  ///< never null
    std::shared_ptr<const EndpointSet<F>> local;    ///< never null if a traffic policy is Local
    /// Datagram ports: all that serve; null when every frontend has them.
    std::shared_ptr<const std::vector<Endpoint<F>>> serving;
};

/// True for a Service that no node serves: headless, ExternalName, or left to another proxy by its
/// label service.kubernetes.io/service-proxy-name or service.kubernetes.io/headless.
[[nodiscard]] bool is_unserved(const Service& service) noexcept;

/// Whether the Service has addresses of this family: by its clusterIPs, else by spec.ipFamilies,
/// else `default_family`, and the other one as well under a dual-stack policy.
[[nodiscard]] bool has_family(const Service& service, AddressFamily family,
                              AddressFamily default_family) noexcept;

/// Whether any of its frontends is for this node's endpoints alone.
[[nodiscard]] bool uses_local_endpoints(const Service& service) noexcept;

/// All frontends of one port of a served Service, without ServiceId. kube-proxy's rules:
/// - policy Local without a local endpoint drops, and rejects when there is no endpoint at all;
/// - this node's pods and kernel get cluster endpoints at an external frontend, whatever its
/// policy;
/// - ipMode Proxy has no frontend; loadBalancerSourceRanges apply only to LoadBalancer frontends,
///   but to all of their clients;
/// - a datagram flow keeps its endpoint while that serves, even if policies have changed.
template <Family F>
[[nodiscard]] std::vector<Frontend<F>> service_frontends(const Service& service,
                                                         const ServicePort& port,
                                                         const PortEndpoints<F>& endpoints);

/// The host ports of a pod of this node, each with the pod as its one endpoint; none of a pod that
/// is finished or on the host's network.
template <Family F>
[[nodiscard]] std::vector<Frontend<F>> host_port_frontends(const Pod& pod);

/// The key under which a FrontendTable has it.
template <Family F>
[[nodiscard]] FrontendKey<F> key_of(const Frontend<F>& frontend) noexcept {
    return {frontend.any_address ? typename F::Address{} : frontend.address, frontend.port,
            frontend.protocol};
}

/// Equal in everything; endpoint sets are compared by their endpoints.
template <Family F>
[[nodiscard]] bool same_frontend(const Frontend<F>& a, const Frontend<F>& b);

}  // namespace podlane::control
