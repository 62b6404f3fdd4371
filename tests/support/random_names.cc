#include <fmt/format.h>

#include <array>

#include "tests/support/dns_model.h"

namespace podlane::test {

namespace {

using namespace control;

constexpr std::array<const char*, 3> kNamespaces{"default", "shop", "kube-system"};

}  // namespace

NamespacedName RandomNames::service_name() {
    return {kNamespaces[below(3)], "svc" + std::to_string(below(12))};
}

std::string RandomNames::address(bool v6) {
    return v6 ? fmt::format("fd00:10::{:x}", below(60) + 1)
              : fmt::format("10.{}.{}.{}", chance(95) ? 244 : 7, below(2), below(60) + 1);
}

std::vector<EndpointPort> RandomNames::ports() {
    std::vector<EndpointPort> out;
    for (unsigned i = 0; i < below(3); ++i) {
        out.push_back({i == 0 && chance(20) ? "" : "p" + std::to_string(i),
                       static_cast<uint16_t>(8080 + below(3)),
                       chance(70) ? Protocol::kTcp : Protocol::kUdp, ""});
    }
    return out;
}

SliceEndpoint RandomNames::endpoint(bool v6) {
    SliceEndpoint made;
    made.address = *parse_ip(address(v6));
    made.ready = chance(80);
    if (chance(50)) made.hostname = "host-" + std::to_string(below(8));
    return made;
}

Object RandomNames::service() {
    auto made = std::make_shared<Service>();
    const NamespacedName name = service_name();
    made->meta.name_space = name.name_space;
    made->meta.name = name.name;
    if (chance(15)) {
        made->type = ServiceType::kExternalName;
        const NamespacedName other = service_name();
        // Only to later names, so that there is never a loop.
        made->external_name = chance(30) || other.name <= name.name
                                  ? "www.example.com"
                                  : other.name + "." + other.name_space + ".svc.cluster.local";
        return ObjectPtr<Service>(made);
    }
    made->headless = chance(50);
    if (!made->headless && chance(90)) {
        // For this Service only: two Services with one address are refused.
        const unsigned host = 16 * (static_cast<unsigned>(name.name_space[0]) % 7) +
                              static_cast<unsigned>(std::stoi(name.name.substr(3))) + 20;
        made->cluster_ips.push_back(*parse_ip(fmt::format("10.96.0.{}", host)));
        if (chance(40)) made->cluster_ips.push_back(*parse_ip(fmt::format("fd00:96::{:x}", host)));
    }
    for (unsigned i = 0; i < below(3); ++i) {
        ServicePort port;
        port.name = i == 0 && chance(20) ? "" : "p" + std::to_string(i);
        port.protocol = chance(70) ? Protocol::kTcp : Protocol::kSctp;
        port.port = static_cast<uint16_t>(80 + i);
        port.target_port = chance(50) ? PortRef{0, "http"} : PortRef{9090, ""};
        made->ports.push_back(port);
    }
    if (chance(70)) made->selector = Labels{{"app", "a" + std::to_string(below(3))}};
    made->publish_not_ready = chance(10);
    return ObjectPtr<Service>(made);
}

Object RandomNames::slice() {
    auto made = std::make_shared<EndpointSlice>();
    const NamespacedName name = service_name();
    const bool v6 = chance(30);
    made->meta.name_space = name.name_space;
    made->meta.name = "slice" + std::to_string(below(12)) + (v6 ? "-v6" : "");
    made->service = name.name;
    made->address_type = v6 ? AddressType::kIpv6 : AddressType::kIpv4;
    made->ports = ports();
    const unsigned count = chance(3) ? 60 : below(6);
    for (unsigned i = 0; i < count; ++i) made->endpoints.push_back(endpoint(v6));
    return ObjectPtr<EndpointSlice>(made);
}

Object RandomNames::endpoints() {
    auto made = std::make_shared<Endpoints>();
    const NamespacedName name = service_name();
    made->meta.name_space = name.name_space;
    made->meta.name = name.name;
    EndpointSubset subset;
    for (unsigned i = 0; i < below(4); ++i) subset.endpoints.push_back(endpoint(false));
    subset.ports = ports();
    made->subsets.push_back(subset);
    return ObjectPtr<Endpoints>(made);
}

Object RandomNames::pod() {
    auto made = std::make_shared<Pod>();
    made->meta.name_space = kNamespaces[below(3)];
    made->meta.name = "pod" + std::to_string(below(12));
    made->meta.labels = {{"app", "a" + std::to_string(below(3))}};
    made->ips = {*parse_ip(address(false))};
    if (chance(30)) made->ips.push_back(*parse_ip(address(true)));
    made->phase = chance(90) ? PodPhase::kRunning : PodPhase::kFailed;
    made->ready = chance(80);
    made->terminating = chance(10);
    if (chance(50)) made->hostname = "host-" + std::to_string(below(8));
    if (chance(70)) made->subdomain = "svc" + std::to_string(below(12));
    ContainerPort port;
    port.name = "http";
    port.port = 8080;
    made->ports = {port};
    return ObjectPtr<Pod>(made);
}

Object RandomNames::object() {
    const unsigned kind = below(100);
    if (kind < 40) return service();
    if (kind < 65) return slice();
    return kind < 75 ? endpoints() : pod();
}

std::pair<std::string, std::string> RandomNames::question(const std::vector<std::string>& names) {
    constexpr std::array<const char*, 8> kTypes{"A",   "A",   "A",   "AAAA",
                                                "SRV", "PTR", "TXT", "CNAME"};
    std::string name = names[below(static_cast<unsigned>(names.size()))];
    std::string type = kTypes[below(8)];
    if (name.ends_with(".arpa") && chance(70)) type = "PTR";
    if (name.starts_with('_') && chance(70)) type = "SRV";
    if (chance(50)) return {name, type};
    switch (below(8)) {
        case 0:
            return {"x" + name, type};
        case 1:
            return {"x." + name, type};
        case 2:
            return {name.substr(name.find('.') + 1), type};
        case 3:
            return {fmt::format("svc{}.{}.svc.cluster.local", below(20), kNamespaces[below(3)]),
                    type};
        case 4:
            return {fmt::format("10-244-{}-{}.{}.pod.cluster.local", below(300), below(300),
                                kNamespaces[below(3)]),
                    type};
        case 5:
            return {reverse_name(address(chance(50))), "PTR"};
        case 6:
            return {fmt::format("{}.{}.svc.cluster.local", name.substr(0, name.find('.')),
                                kNamespaces[below(3)]),
                    type};
        default:
            return {"www.google.com." + name, type};
    }
}

std::string RandomNames::with_any_case(std::string name) {
    for (char& c : name) {
        if (c >= 'a' && c <= 'z' && chance(50)) c = static_cast<char>(c - 32);
    }
    return name;
}

}  // namespace podlane::test
