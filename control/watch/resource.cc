#include "control/watch/resource.h"

#include <array>

namespace podlane::control {

namespace {

// Pods that have ended are no longer on the network, and their addresses may have been reused: the
// server leaves them out, and reports one that ends as deleted. Services that another proxy serves
// are left to it, as in kube-proxy (service.kubernetes.io/service-proxy-name).
constexpr std::array kResources{
    Resource{"Namespace", "v1", "/api/v1/namespaces", ""},
    Resource{"Node", "v1", "/api/v1/nodes", ""},
    Resource{"Pod", "v1", "/api/v1/pods",
             "fieldSelector=status.phase%21%3DSucceeded%2Cstatus.phase%21%3DFailed"},
    Resource{"Service", "v1", "/api/v1/services",
             "labelSelector=%21service.kubernetes.io%2Fservice-proxy-name"},
    Resource{"EndpointSlice", "discovery.k8s.io/v1", "/apis/discovery.k8s.io/v1/endpointslices",
             "labelSelector=%21service.kubernetes.io%2Fservice-proxy-name"},
    Resource{"NetworkPolicy", "networking.k8s.io/v1", "/apis/networking.k8s.io/v1/networkpolicies",
             ""},
    Resource{"Ingress", "networking.k8s.io/v1", "/apis/networking.k8s.io/v1/ingresses", "", true},
    Resource{"IngressClass", "networking.k8s.io/v1", "/apis/networking.k8s.io/v1/ingressclasses",
             "", true},
    Resource{"ServiceCIDR", "networking.k8s.io/v1", "/apis/networking.k8s.io/v1/servicecidrs", "",
             true},
    Resource{"Secret", "v1", "/api/v1/secrets", "fieldSelector=type%3Dkubernetes.io%2Ftls", true},
};

}  // namespace

std::span<const Resource> watched_resources() noexcept {
    return kResources;
}

}  // namespace podlane::control
