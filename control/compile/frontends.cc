#include "control/compile/frontends.h"

#include <algorithm>

#include "control/compile/endpoints.h"

namespace podlane::control {

namespace {

constexpr AddressFamily other(AddressFamily family) noexcept {
    return family == AddressFamily::kIpv4 ? AddressFamily::kIpv6 : AddressFamily::kIpv4;
}

/// The API server allows an external traffic policy only for Services reachable from outside.
bool is_external_local(const Service& service) noexcept {
    return service.external_policy == TrafficPolicy::kLocal &&
           (service.type == ServiceType::kNodePort || service.type == ServiceType::kLoadBalancer ||
            !service.external_ips.empty());
}

/// Null if no source is excluded. kube-proxy only considers the ranges of the frontend's family.
template <Family F>
std::shared_ptr<const std::vector<Prefix<F>>> source_ranges_of(const Service& service) {
    std::vector<Prefix<F>> ranges;
    for (const IpPrefix& range : service.source_ranges) {
        if (range.address.is<F>()) ranges.push_back(range.as<F>());
    }
    if (ranges.empty()) return nullptr;
    std::sort(ranges.begin(), ranges.end());
    return std::make_shared<const std::vector<Prefix<F>>>(std::move(ranges));
}

/// Makes the frontends of one Service port.
template <Family F>
class Builder {
  public:
    Builder(const Service& service, const ServicePort& port, const PortEndpoints<F>& endpoints)
        : service_(service), endpoints_(endpoints) {
        base_.protocol = static_cast<uint8_t>(port.protocol);
        base_.port = be16(port.port);
        base_.affinity_seconds = service.affinity_seconds;
        base_.serving = endpoints.serving;
        base_.service_name = to_string(service.meta.namespaced_name());
        base_.port_name = port.name;
    }

    void add_cluster_ip(const IpAddress& address) {
        Frontend<F> frontend = base_;
        frontend.kind = FrontendKind::kClusterIp;
        const bool local = service_.internal_policy == TrafficPolicy::kLocal;
        frontend.inside = frontend.outside = local ? endpoints_.local : endpoints_.cluster;
        frontend.drop_when_empty = local && !endpoints_.cluster->empty();
        push(std::move(frontend), address);
    }

    void add_external(FrontendKind kind, const IpAddress& address) {
        push(external(kind), address);
    }

    void add_load_balancer(const IpAddress& address) {
        Frontend<F> frontend = external(FrontendKind::kLoadBalancer);
        frontend.source_ranges = source_ranges_of<F>(service_);
        push(std::move(frontend), address);
    }

    void add_node_port(uint16_t node_port) {
        Frontend<F> frontend = external(FrontendKind::kNodePort);
        frontend.any_address = true;
        frontend.port = be16(node_port);
        out_.push_back(std::move(frontend));
    }

    std::vector<Frontend<F>> take() { return std::move(out_); }

  private:
    Frontend<F> external(FrontendKind kind) const {
        Frontend<F> frontend = base_;
        frontend.kind = kind;
        const bool local = is_external_local(service_);
        frontend.inside = endpoints_.cluster;
        frontend.outside = local ? endpoints_.local : endpoints_.cluster;
        frontend.drop_when_empty = local && !endpoints_.cluster->empty();
        frontend.masquerade_outside = !local;
        return frontend;
    }

    void push(Frontend<F> frontend, const IpAddress& address) {
        if (!address.is<F>()) return;
        frontend.address = address.as<F>();
        out_.push_back(std::move(frontend));
    }

    const Service& service_;
    const PortEndpoints<F>& endpoints_;
    Frontend<F> base_;
    std::vector<Frontend<F>> out_;
};

template <class T>
bool same_content(const std::shared_ptr<const T>& a, const std::shared_ptr<const T>& b) {
    return a == b || (a && b && *a == *b);
}

template <Family F>
bool same_set(const std::shared_ptr<const EndpointSet<F>>& a,
              const std::shared_ptr<const EndpointSet<F>>& b) {
    return a == b || a->endpoints == b->endpoints;
}

}  // namespace

bool is_unserved(const Service& service) noexcept {
    // kube-proxy leaves a Service with one of these labels to another proxy, whatever the value.
    return service.headless || service.type == ServiceType::kExternalName ||
           service.meta.labels.contains("service.kubernetes.io/service-proxy-name") ||
           service.meta.labels.contains("service.kubernetes.io/headless");
}

bool has_family(const Service& service, AddressFamily family,
                AddressFamily default_family) noexcept {
    if (!service.cluster_ips.empty()) {
        return std::any_of(service.cluster_ips.begin(), service.cluster_ips.end(),
                           [&](const IpAddress& address) {
                               return address.is_v4() == (family == AddressFamily::kIpv4);
                           });
    }
    if (!service.ip_families.empty()) {
        return std::find(service.ip_families.begin(), service.ip_families.end(), family) !=
               service.ip_families.end();
    }
    if (family == default_family) return true;
    return family == other(default_family) && service.ip_family_policy &&
           *service.ip_family_policy != IpFamilyPolicy::kSingleStack;
}

bool uses_local_endpoints(const Service& service) noexcept {
    return service.internal_policy == TrafficPolicy::kLocal || is_external_local(service);
}

template <Family F>
std::vector<Frontend<F>> service_frontends(const Service& service, const ServicePort& port,
                                           const PortEndpoints<F>& endpoints) {
    Builder<F> builder(service, port, endpoints);
    for (const IpAddress& address : service.cluster_ips) builder.add_cluster_ip(address);
    for (const IpAddress& address : service.external_ips) {
        builder.add_external(FrontendKind::kExternalIp, address);
    }
    const bool balanced = service.type == ServiceType::kLoadBalancer;
    if (balanced) {
        for (const LoadBalancerIngress& ingress : service.load_balancer) {
            if (ingress.ip && !ingress.is_proxy) builder.add_load_balancer(*ingress.ip);
        }
    }
    if ((balanced || service.type == ServiceType::kNodePort) && port.node_port != 0) {
        builder.add_node_port(port.node_port);
    }
    return builder.take();
}

template <Family F>
std::vector<Frontend<F>> host_port_frontends(const Pod& pod) {
    std::vector<Frontend<F>> out;
    if (pod.host_network || pod.is_finished()) return out;
    const auto own = std::find_if(pod.ips.begin(), pod.ips.end(),
                                  [](const IpAddress& address) { return address.is<F>(); });
    if (own == pod.ips.end()) return out;
    for (const ContainerPort& port : pod.ports) {
        if (port.host_port == 0 || port.port == 0) continue;
        if (port.host_ip && !port.host_ip->is<F>()) continue;
        Frontend<F> frontend;
        frontend.kind = FrontendKind::kHostPort;
        frontend.protocol = static_cast<uint8_t>(port.protocol);
        frontend.port = be16(port.host_port);
        frontend.service_name = to_string(pod.meta.namespaced_name());
        frontend.port_name = port.name;
        frontend.inside = make_endpoint_set<F>({{own->template as<F>(), be16(port.port)}});
        frontend.outside = frontend.inside;
        // A host IP of 0.0.0.0 or :: means every address of that family.
        if (port.host_ip) frontend.address = port.host_ip->as<F>();
        frontend.any_address = frontend.address.is_zero();
        out.push_back(std::move(frontend));
    }
    return out;
}

template <Family F>
bool same_frontend(const Frontend<F>& a, const Frontend<F>& b) {
    return a.kind == b.kind && a.protocol == b.protocol && a.any_address == b.any_address &&
           a.drop_when_empty == b.drop_when_empty && a.masquerade_outside == b.masquerade_outside &&
           a.address == b.address && a.port == b.port && a.service == b.service &&
           a.affinity_seconds == b.affinity_seconds && same_set(a.inside, b.inside) &&
           same_set(a.outside, b.outside) && same_content(a.serving, b.serving) &&
           same_content(a.source_ranges, b.source_ranges) && a.service_name == b.service_name &&
           a.port_name == b.port_name;
}

#define PODLANE_INSTANTIATE(F)                                                                 \
    template std::vector<Frontend<F>> service_frontends<F>(const Service&, const ServicePort&, \
                                                           const PortEndpoints<F>&);           \
    template std::vector<Frontend<F>> host_port_frontends<F>(const Pod&);                      \
    template bool same_frontend<F>(const Frontend<F>&, const Frontend<F>&);
PODLANE_INSTANTIATE(V4)
PODLANE_INSTANTIATE(V6)
#undef PODLANE_INSTANTIATE

}  // namespace podlane::control
