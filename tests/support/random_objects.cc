#include "tests/support/random_objects.h"

#include <fmt/format.h>

#include <memory>

namespace podlane::control::test {

namespace {

constexpr const char* kNodes[] = {"node-a", "node-b", ""};
constexpr const char* kZones[] = {"zone-a", "zone-b", ""};

IpAddress parsed_ip(const std::string& text) {
    return parse_ip(text).value();
}
IpPrefix parsed_prefix(const std::string& text) {
    return parse_prefix(text).value();
}

}  // namespace

NamespacedName RandomObjects::service_name() {
    return {below(2) == 0 ? "default" : "shop", "svc" + std::to_string(below(8))};
}

IpAddress RandomObjects::pod_ip(bool v6, unsigned node, unsigned n) {
    return parsed_ip(v6 ? fmt::format("fd00:10:{}::{:x}", node, n + 2)
                        : fmt::format("10.244.{}.{}", node, n + 2));
}

IpAddress RandomObjects::pod_ip(bool v6) {
    const unsigned node = below(2) + 1;
    return pod_ip(v6, node, below(node == 1 ? kLocalPods : 6));
}

IpAddress RandomObjects::endpoint_ip(bool v6) {
    if (chance(90)) return pod_ip(v6);
    if (chance(70))
        return parsed_ip((v6 ? "fd00:50::" : "192.168.50.") + std::to_string(below(2) + 1));
    return parsed_ip(v6 ? "2001:db8::9" : "203.0.113.9");
}

Protocol RandomObjects::protocol() {
    const unsigned n = below(20);
    return n < 10 ? Protocol::kTcp : n < 18 ? Protocol::kUdp : Protocol::kSctp;
}

Object RandomObjects::service() {
    auto made = std::make_shared<Service>();
    const NamespacedName name = service_name();
    made->meta.name_space = name.name_space;
    made->meta.name = name.name;
    made->type = chance(3) ? ServiceType::kExternalName : static_cast<ServiceType>(below(3));
    made->headless = made->type == ServiceType::kClusterIp && chance(5);
    // Usually an address of its own; now and then one that another Service wants, too.
    const unsigned own =
        static_cast<unsigned>(name.name.back() - '0') + (name.name_space == "default" ? 1 : 9);
    const unsigned which = chance(80) ? own : below(16) + 1;
    if (!made->headless && chance(92)) {
        const unsigned families = below(10);
        const IpAddress v4 = parsed_ip(fmt::format("10.96.0.{}", which));
        const IpAddress v6 = parsed_ip(fmt::format("fd00:96::{:x}", which));
        if (families != 0) made->cluster_ips.push_back(v4);
        if (families < 6) made->cluster_ips.push_back(v6);
    } else if (chance(50)) {
        made->ip_family_policy = IpFamilyPolicy::kPreferDualStack;
    }
    const unsigned ports = below(3) + 1;
    for (unsigned i = 0; i < ports; ++i) {
        ServicePort port;
        port.name = "p" + std::to_string(i);
        port.protocol = protocol();
        port.port = static_cast<uint16_t>(80 + i);
        port.target_port = chance(50) ? PortRef{0, port.name} : PortRef{8080, ""};
        if (made->type != ServiceType::kClusterIp && chance(85)) {
            port.node_port =
                static_cast<uint16_t>(chance(85) ? 30000 + own * 3 + i : 30000 + below(60));
        }
        made->ports.push_back(port);
    }
    if (chance(70)) made->selector = Labels{{"app", "a" + std::to_string(below(3))}};
    if (chance(30)) made->affinity_seconds = chance(50) ? 10800 : below(100) + 1;
    reach_from_outside(*made);
    if (chance(30)) made->external_policy = TrafficPolicy::kLocal;
    if (chance(20)) made->internal_policy = TrafficPolicy::kLocal;
    made->publish_not_ready = chance(10);
    made->meta.created = below(4);
    made->traffic_distribution = static_cast<TrafficDistribution>(below(3));
    if (chance(3)) made->meta.labels = {{"service.kubernetes.io/headless", ""}};
    if (chance(3)) made->meta.labels = {{"service.kubernetes.io/service-proxy-name", "other"}};
    return ObjectPtr<Service>(made);
}

void RandomObjects::reach_from_outside(Service& service) {
    if (chance(25)) service.external_ips.push_back(parsed_ip("198.51.100.7"));
    if (chance(10)) service.external_ips.push_back(parsed_ip("192.168.50.1"));
    if (chance(20)) service.external_ips.push_back(parsed_ip("2001:db8:7::7"));
    if (chance(50)) {
        service.load_balancer.push_back(
            {parsed_ip(chance(70)   ? fmt::format("192.0.2.{}", 80 + below(8))
                       : chance(50) ? "192.168.50.1"
                                    : "10.96.0.1"),
             "", chance(20)});
    }
    if (chance(30)) service.load_balancer.push_back({parsed_ip("2001:db8:8::80"), "", chance(20)});
    if (chance(10)) service.load_balancer.push_back({std::nullopt, "lb.example.com", false});
    for (const char* range : {"203.0.113.0/24", "10.244.1.0/24", "192.168.50.0/24", "2001:db8::/32",
                              "fd00:10:1::/64"}) {
        if (chance(8)) service.source_ranges.push_back(parsed_prefix(range));
    }
}

Object RandomObjects::slice() {
    auto made = std::make_shared<EndpointSlice>();
    const NamespacedName name = service_name();
    const bool v6 = chance(40);
    made->meta.name_space = name.name_space;
    made->meta.name = fmt::format("{}-{}{}", name.name, below(2), v6 ? "-v6" : "");
    made->service = name.name;
    made->address_type = v6 ? AddressType::kIpv6 : AddressType::kIpv4;
    made->ports = ports();
    made->endpoints = endpoints(v6);
    return ObjectPtr<EndpointSlice>(made);
}

Object RandomObjects::endpoints_object() {
    auto made = std::make_shared<Endpoints>();
    const NamespacedName name = service_name();
    made->meta.name_space = name.name_space;
    made->meta.name = name.name;
    made->subsets.push_back({endpoints(false), ports()});
    return ObjectPtr<Endpoints>(made);
}

Object RandomObjects::pod() {
    auto made = std::make_shared<Pod>();
    const unsigned number = below(8);
    const unsigned node = number < kLocalPods ? 1 : 2;
    made->meta.name_space = below(2) == 0 ? "default" : "shop";
    made->meta.name = "pod" + std::to_string(number);
    made->meta.labels = {{"app", "a" + std::to_string(below(3))}};
    made->node_name = chance(80) ? kNodes[node - 1] : kNodes[below(3)];
    const unsigned n = node == 1 ? number : number - kLocalPods;
    made->ips = {pod_ip(false, node, n)};
    if (chance(70)) made->ips.push_back(pod_ip(true, node, n));
    made->phase = chance(90) ? PodPhase::kRunning : PodPhase::kFailed;
    made->host_network = chance(3);
    made->ready = chance(70);
    made->terminating = chance(20);
    for (unsigned i = 0; i < 2; ++i) {
        ContainerPort port;
        port.name = "p" + std::to_string(i);
        port.port = static_cast<uint16_t>(8080 + i);
        port.protocol = protocol();
        if (chance(30)) {
            port.host_port =
                static_cast<uint16_t>(chance(80) ? 9000 + number * 2 + i : 30000 + below(60));
            if (chance(40)) port.host_ip = parsed_ip(chance(70) ? "192.168.50.1" : "fd00:50::1");
        }
        made->ports.push_back(port);
    }
    return ObjectPtr<Pod>(made);
}

Object RandomObjects::node() {
    return node(below(2), kZones[below(3)]);
}

Object RandomObjects::node(unsigned number, const std::string& zone) {
    auto made = std::make_shared<Node>();
    made->meta.name = kNodes[number];
    if (!zone.empty()) made->meta.labels = {{"topology.kubernetes.io/zone", zone}};
    made->pod_cidrs = {parsed_prefix(fmt::format("10.244.{}.0/24", number + 1)),
                       parsed_prefix(fmt::format("fd00:10:{}::/64", number + 1))};
    made->internal_ips = {parsed_ip(fmt::format("192.168.50.{}", number + 1)),
                          parsed_ip(fmt::format("fd00:50::{}", number + 1))};
    return ObjectPtr<Node>(made);
}

Object RandomObjects::object() {
    const unsigned n = below(100);
    if (n < 5) return node();
    if (n < 10) return endpoints_object();
    if (n < 30) return pod();
    if (n < 55) return service();
    return slice();
}

std::vector<EndpointPort> RandomObjects::ports() {
    std::vector<EndpointPort> made;
    const bool of_udp = chance(40);
    for (unsigned i = 0; i < 3; ++i) {
        for (const Protocol each : {Protocol::kTcp, Protocol::kUdp, Protocol::kSctp}) {
            // Most ports of a Service have a target.
            if (!chance(85)) continue;
            EndpointPort port;
            port.name = "p" + std::to_string(i);
            port.protocol = each;
            if (chance(97)) port.port = static_cast<uint16_t>(8080 + (of_udp ? i : below(2)));
            made.push_back(port);
        }
    }
    return made;
}

std::vector<SliceEndpoint> RandomObjects::endpoints(bool v6) {
    std::vector<SliceEndpoint> made(below(6));
    const bool hinted = chance(40);
    for (SliceEndpoint& endpoint : made) {
        endpoint.address = endpoint_ip(v6);
        endpoint.ready = chance(60);
        endpoint.serving = endpoint.ready || chance(60);
        endpoint.terminating = !endpoint.ready && chance(60);
        endpoint.node_name = kNodes[below(3)];
        if (hinted && chance(90)) endpoint.hint_zones = {kZones[below(2)]};
        if (hinted && chance(60)) endpoint.hint_nodes = {kNodes[below(2)]};
    }
    return made;
}

}  // namespace podlane::control::test
