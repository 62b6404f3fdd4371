#include "tests/property/contract/model.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace podlane::contract {

namespace {

using control::Protocol;
using control::Service;
using control::ServicePort;
using control::ServiceType;
using control::TrafficPolicy;

template <class T>
bool has(const std::vector<T>& list, const T& value) {
    return std::find(list.begin(), list.end(), value) != list.end();
}
bool any_contains(const std::vector<IpPrefix>& prefixes, const IpAddress& address) {
    return std::any_of(prefixes.begin(), prefixes.end(),
                       [&](const IpPrefix& prefix) { return prefix.contains(address); });
}

// Endpoints ---------------------------------------------------------------------------------------

struct Backend {
    IpAddress address;
    uint16_t port = 0;
    bool ready = false, serving = false, terminating = false, local = false;
    std::vector<std::string> zones, nodes;  // hints
};

std::string zone_of(const Cluster& cluster, const std::string& node) {
    for (const auto& each : cluster.nodes) {
        if (each->meta.name == node) return std::string(each->zone());
    }
    return {};
}

/// An address and port can be in several slices: the best state among them counts.
void add(std::vector<Backend>& backends, const Backend& backend) {
    const auto rank = [](const Backend& b) { return b.ready ? 2 : b.serving && b.terminating; };
    for (Backend& other : backends) {
        if (other.address != backend.address || other.port != backend.port) continue;
        const bool local = other.local || backend.local;
        if (rank(backend) > rank(other)) other = backend;
        other.local = local;
        return;
    }
    backends.push_back(backend);
}

void add_listed(const Cluster& cluster, const Service& service, const ServicePort& port,
                const std::vector<control::SliceEndpoint>& endpoints,
                const std::vector<control::EndpointPort>& ports, bool v4,
                std::vector<Backend>& out) {
    for (const auto& listed : ports) {
        if (listed.name != port.name || listed.protocol != port.protocol || !listed.port) continue;
        for (const auto& endpoint : endpoints) {
            if (endpoint.address.is_v4() != v4) continue;
            add(out, {endpoint.address, *listed.port, endpoint.ready || service.publish_not_ready,
                      endpoint.serving, endpoint.terminating,
                      endpoint.node_name.empty() ? has(cluster.local_pods, endpoint.address)
                                                 : endpoint.node_name == cluster.node,
                      endpoint.hint_zones, endpoint.hint_nodes});
        }
    }
}

/// Lists the Pods of a selector, as the EndpointSlice controller would.
void add_selected(const Cluster& cluster, const Service& service, const ServicePort& port, bool v4,
                  std::vector<Backend>& out) {
    for (const auto& pod : cluster.pods) {
        if (pod->meta.name_space != service.meta.name_space ||
            pod->phase == control::PodPhase::kSucceeded ||
            pod->phase == control::PodPhase::kFailed) {
            continue;
        }
        const bool selected =
            std::all_of(service.selector->begin(), service.selector->end(), [&](const auto& want) {
                const auto at = pod->meta.labels.find(want.first);
                return at != pod->meta.labels.end() && at->second == want.second;
            });
        if (!selected) continue;
        uint16_t number = port.target_port.number;
        if (!port.target_port.name.empty()) {
            const auto named = std::find_if(
                pod->ports.begin(), pod->ports.end(), [&](const control::ContainerPort& each) {
                    return each.name == port.target_port.name && each.protocol == port.protocol;
                });
            if (named == pod->ports.end()) continue;
            number = named->port;
        }
        for (const IpAddress& address : pod->ips) {
            if (address.is_v4() != v4) continue;
            Backend backend{address,
                            number,
                            pod->ready && !pod->terminating,
                            pod->ready,
                            pod->terminating,
                            false,
                            {},
                            {}};
            backend.ready = backend.ready || service.publish_not_ready;
            backend.local = pod->node_name.empty() ? has(cluster.local_pods, address)
                                                   : pod->node_name == cluster.node;
            using control::TrafficDistribution;
            const std::string zone = zone_of(cluster, pod->node_name);
            if (service.traffic_distribution != TrafficDistribution::kNone && !zone.empty()) {
                backend.zones = {zone};
            }
            if (service.traffic_distribution == TrafficDistribution::kPreferSameNode &&
                !pod->node_name.empty()) {
                backend.nodes = {pod->node_name};
            }
            add(out, backend);
        }
    }
}

/// From EndpointSlices; without any, from the Endpoints object; without that, from the selector.
std::vector<Backend> backends_of(const Cluster& cluster, const Service& service,
                                 const ServicePort& port, bool v4) {
    std::vector<Backend> out;
    bool listed = false;
    for (const auto& slice : cluster.slices) {
        if (slice->service != service.meta.name ||
            slice->meta.name_space != service.meta.name_space) {
            continue;
        }
        listed = true;
        add_listed(cluster, service, port, slice->endpoints, slice->ports, v4, out);
    }
    if (listed) return out;
    for (const auto& object : cluster.endpoints) {
        if (object->meta.namespaced_name() != service.meta.namespaced_name()) continue;
        listed = true;
        for (const auto& subset : object->subsets) {
            add_listed(cluster, service, port, subset.endpoints, subset.ports, v4, out);
        }
    }
    if (!listed && service.selector && !service.selector->empty()) {
        add_selected(cluster, service, port, v4, out);
    }
    return out;
}

std::vector<Backend> only(const std::vector<Backend>& from, auto condition) {
    std::vector<Backend> out;
    std::copy_if(from.begin(), from.end(), std::back_inserter(out), condition);
    return out;
}

/// The ready ones; without any, those that still serve while they terminate.
std::vector<Backend> usable(const std::vector<Backend>& from) {
    auto ready = only(from, [](const Backend& b) { return b.ready; });
    if (!ready.empty()) return ready;
    return only(from, [](const Backend& b) { return b.serving && b.terminating; });
}

/// Those that hints assign to this node: all, unless every one has a hint and one is for here.
std::vector<Backend> hinted(const Cluster& cluster, const std::vector<Backend>& ready) {
    const auto by = [&](auto hints, const std::string& here) -> std::vector<Backend> {
        for (const Backend& b : ready) {
            if ((b.*hints).empty()) return {};
        }
        return only(ready, [&](const Backend& b) { return has(b.*hints, here); });
    };
    if (auto near = by(&Backend::nodes, cluster.node); !near.empty()) return near;
    if (auto near = by(&Backend::zones, zone_of(cluster, cluster.node)); !near.empty()) return near;
    return ready;
}

// Which Service -----------------------------------------------------------------------------------

/// In the order of priority if two want one address.
enum class Kind : uint8_t { kClusterIp, kNodePort, kLoadBalancer, kExternalIp, kHostPort };

struct Claim {
    Kind kind = Kind::kClusterIp;
    std::string name;
    control::ObjectPtr<Service> service;  // null for a host port
    const ServicePort* port = nullptr;
    Backend pod;        // host port: its pod
    bool exact = true;  // for this address only, not for every node address
    int64_t created = 0;
};

bool is_served(const Service& service) {
    return !service.headless && service.type != ServiceType::kExternalName &&
           !service.meta.labels.contains("service.kubernetes.io/service-proxy-name") &&
           !service.meta.labels.contains("service.kubernetes.io/headless");
}

bool has_family(const Cluster& cluster, const Service& service, bool v4) {
    if (!service.cluster_ips.empty()) {
        return std::any_of(service.cluster_ips.begin(), service.cluster_ips.end(),
                           [&](const IpAddress& address) { return address.is_v4() == v4; });
    }
    using control::AddressFamily;
    if (!service.ip_families.empty()) {
        return has(service.ip_families, v4 ? AddressFamily::kIpv4 : AddressFamily::kIpv6);
    }
    const bool first = cluster.service_cidrs.front().address.is_v4() == v4;
    return first || (service.ip_family_policy &&
                     *service.ip_family_policy != control::IpFamilyPolicy::kSingleStack);
}

/// How the Service is offered at the packet's destination, if it is.
std::optional<Claim> claim_of(const Cluster& cluster, const control::ObjectPtr<Service>& service,
                              const ServicePort& port, const Packet& packet) {
    if (static_cast<uint8_t>(port.protocol) != packet.protocol) return std::nullopt;
    Claim claim{{},
                to_string(service->meta.namespaced_name()),
                service,
                &port,
                {},
                true,
                service->meta.created};
    const bool is_balanced = service->type == ServiceType::kLoadBalancer;
    if (port.port == packet.dst_port) {
        if (has(service->cluster_ips, packet.dst)) {
            claim.kind = Kind::kClusterIp;
            return claim;
        }
        for (const auto& ingress : service->load_balancer) {
            if (!is_balanced || ingress.is_proxy || ingress.ip != packet.dst) continue;
            claim.kind = Kind::kLoadBalancer;
            return claim;
        }
        if (has(service->external_ips, packet.dst)) {
            claim.kind = Kind::kExternalIp;
            return claim;
        }
    }
    const bool has_node_port = is_balanced || service->type == ServiceType::kNodePort;
    if (has_node_port && port.node_port != 0 && port.node_port == packet.dst_port &&
        has(cluster.node_addresses, packet.dst)) {
        claim.kind = Kind::kNodePort;
        claim.exact = false;
        return claim;
    }
    return std::nullopt;
}

std::optional<Claim> claim_of(const Cluster& cluster, const control::Pod& pod,
                              const Packet& packet) {
    const bool local =
        pod.node_name.empty()
            ? std::any_of(pod.ips.begin(), pod.ips.end(),
                          [&](const auto& ip) { return has(cluster.local_pods, ip); })
            : pod.node_name == cluster.node;
    if (!local || pod.host_network || pod.is_finished()) return std::nullopt;
    const auto own = std::find_if(pod.ips.begin(), pod.ips.end(), [&](const IpAddress& address) {
        return address.is_v4() == packet.dst.is_v4();
    });
    if (own == pod.ips.end()) return std::nullopt;
    std::optional<Claim> any;  // for every node address; this one may have its own
    for (const auto& port : pod.ports) {
        if (port.host_port == 0 || port.host_port != packet.dst_port ||
            static_cast<uint8_t>(port.protocol) != packet.protocol) {
            continue;
        }
        const bool exact = port.host_ip.has_value();
        if (exact ? *port.host_ip != packet.dst : !has(cluster.node_addresses, packet.dst))
            continue;
        const Claim claim{Kind::kHostPort,
                          to_string(pod.meta.namespaced_name()),
                          nullptr,
                          nullptr,
                          {*own, port.port, true, true, false, true, {}, {}},
                          exact,
                          pod.meta.created};
        if (exact) return claim;
        if (!any) any = claim;
    }
    return any;
}

std::optional<Claim> claim_of(const Cluster& cluster, const Packet& packet) {
    const bool v4 = packet.dst.is_v4();
    std::vector<Claim> claims;
    for (const auto& service : cluster.services) {
        if (!is_served(*service) || !has_family(cluster, *service, v4)) continue;
        for (const ServicePort& port : service->ports) {
            if (auto claim = claim_of(cluster, service, port, packet)) claims.push_back(*claim);
        }
    }
    for (const auto& pod : cluster.pods) {
        if (auto claim = claim_of(cluster, *pod, packet)) claims.push_back(*claim);
    }
    if (claims.empty()) return std::nullopt;
    const Claim& first =
        *std::min_element(claims.begin(), claims.end(), [](const Claim& a, const Claim& b) {
            return std::tuple(!a.exact, a.kind, a.created == 0, a.created, a.name) <
                   std::tuple(!b.exact, b.kind, b.created == 0, b.created, b.name);
        });
    const bool is_refused = first.kind == Kind::kNodePort && !cluster.node_port_addresses.empty() &&
                            !any_contains(cluster.node_port_addresses, packet.dst);
    if (is_refused) return std::nullopt;
    return first;
}

// What happens ------------------------------------------------------------------------------------

/// Whether the source must become this node's, so that the reply comes back through here.
bool needs_snat(const Cluster& cluster, const Packet& packet, const Claim& claim,
                const IpAddress& endpoint) {
    const bool from_here = packet.from == From::kPod || packet.from == From::kHost;
    if (has(cluster.node_addresses, endpoint)) return packet.from == From::kHost;
    if (packet.from == From::kHost) return false;
    if (endpoint == packet.src) return true;  // hairpin
    if (packet.from == From::kPod) {
        const auto is_node = [&](const auto& node) { return has(node->internal_ips, endpoint); };
        return !any_contains(cluster.pod_cidrs, endpoint) &&
               !any_contains(cluster.service_cidrs, endpoint) &&
               std::none_of(cluster.nodes.begin(), cluster.nodes.end(), is_node);
    }
    if (claim.kind == Kind::kHostPort) return false;
    if (claim.kind == Kind::kClusterIp) return !any_contains(cluster.pod_cidrs, packet.src);
    return !from_here && claim.service->external_policy == TrafficPolicy::kCluster;
}

Expected forward(const Cluster& cluster, const Packet& packet, const Claim& claim,
                 const std::vector<Backend>& backends) {
    Expected expected{What::kForward, {}, {}, 0, claim.service};
    for (const Backend& b : backends) {
        expected.targets.push_back(
            {b.address, b.port, needs_snat(cluster, packet, claim, b.address)});
    }
    std::sort(expected.targets.begin(), expected.targets.end());
    if (claim.service) {
        expected.affinity_seconds = claim.service->affinity_seconds;
        expected.service_port = fmt::format("{}:{}/{}", claim.name, claim.port->name,
                                            protocol_name(claim.port->protocol));
    }
    return expected;
}

}  // namespace

Expected expect(const Cluster& cluster, const Packet& packet) {
    const auto claim = claim_of(cluster, packet);
    if (!claim) {
        const bool is_cluster_ip =
            std::any_of(cluster.services.begin(), cluster.services.end(), [&](const auto& service) {
                return is_served(*service) && has(service->cluster_ips, packet.dst);
            });
        if (has(cluster.node_addresses, packet.dst)) return {};
        if (is_cluster_ip) return {What::kReject, {}, {}, 0, {}};
        if (any_contains(cluster.service_cidrs, packet.dst)) return {What::kDrop, {}, {}, 0, {}};
        return {};
    }
    if (!claim->service) return forward(cluster, packet, *claim, {claim->pod});

    const Service& service = *claim->service;
    if (claim->kind == Kind::kLoadBalancer) {
        const auto ranges = [&] {
            std::vector<IpPrefix> of_family;
            for (const IpPrefix& range : service.source_ranges) {
                if (range.address.is_v4() == packet.src.is_v4()) of_family.push_back(range);
            }
            return of_family;
        }();
        if (!ranges.empty() && !any_contains(ranges, packet.src)) {
            return {What::kDrop, {}, {}, 0, {}};
        }
    }
    const auto all = backends_of(cluster, service, *claim->port, packet.dst.is_v4());
    const auto anywhere = usable(all);
    if (anywhere.empty()) return {What::kReject, {}, {}, 0, {}};

    // Traffic of this node's pods and kernel to an outside address counts as inside all the same.
    const bool from_here = packet.from == From::kPod || packet.from == From::kHost;
    const bool only_local = claim->kind == Kind::kClusterIp
                                ? service.internal_policy == TrafficPolicy::kLocal
                                : service.external_policy == TrafficPolicy::kLocal && !from_here;
    if (!only_local) {
        const bool is_ready = anywhere.front().ready;
        return forward(cluster, packet, *claim, is_ready ? hinted(cluster, anywhere) : anywhere);
    }
    const auto local = usable(only(all, [](const Backend& b) { return b.local; }));
    if (local.empty()) return {What::kDrop, {}, {}, 0, {}};
    return forward(cluster, packet, *claim, local);
}

bool may_stay(const Cluster& cluster, const Packet& packet, const IpAddress& endpoint,
              uint16_t port) {
    const auto claim = claim_of(cluster, packet);
    if (!claim) return false;
    if (!claim->service) return claim->pod.address == endpoint && claim->pod.port == port;
    const auto all = backends_of(cluster, *claim->service, *claim->port, packet.dst.is_v4());
    return std::any_of(all.begin(), all.end(), [&](const Backend& b) {
        return b.address == endpoint && b.port == port && (b.ready || b.serving);
    });
}

std::string to_string(const Packet& packet) {
    static constexpr const char* kFrom[] = {"pod", "host", "uplink", "overlay"};
    return fmt::format("from {} {} to {} protocol {}", kFrom[static_cast<size_t>(packet.from)],
                       podlane::to_string(packet.src, packet.src_port),
                       podlane::to_string(packet.dst, packet.dst_port), packet.protocol);
}

std::string to_string(const Expected& expected) {
    static constexpr const char* kWhat[] = {"no service", "reject", "drop", "forward"};
    std::string text = kWhat[static_cast<size_t>(expected.what)];
    for (const Target& target : expected.targets) {
        text += fmt::format(" {}{}", podlane::to_string(target.address, target.port),
                            target.snat ? "(snat)" : "");
    }
    if (expected.affinity_seconds != 0) {
        text +=
            fmt::format(" affinity {} s of {}", expected.affinity_seconds, expected.service_port);
    }
    return text;
}

}  // namespace podlane::contract
