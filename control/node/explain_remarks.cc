#include "control/node/explain_remarks.h"

#include <algorithm>
#include <span>
#include <vector>

namespace podlane::control {

namespace {

constexpr size_t kMostNamed = 8;

std::string listed(const std::vector<std::string>& texts) {
    const size_t shown = std::min(texts.size(), kMostNamed);
    std::string out = fmt::format("{}", fmt::join(std::span(texts).first(shown), ", "));
    if (texts.size() > shown) out += fmt::format(" and {} more", texts.size() - shown);
    return out;
}

std::string condition(const SliceEndpoint& endpoint) {
    if (endpoint.ready) return {};
    return endpoint.terminating ? " (terminating)" : " (not ready)";
}

}  // namespace

void remark_endpoints(const ObjectStore& store, std::string_view service, StepTrace& trace) {
    std::vector<std::string> endpoints;
    size_t ready = 0, slices = 0;
    for (const auto& [name, slice] : store.all<EndpointSlice>()) {
        if (fmt::format("{}/{}", slice->meta.name_space, slice->service) != service) continue;
        ++slices;
        for (const SliceEndpoint& endpoint : slice->endpoints) {
            ready += endpoint.ready;
            endpoints.push_back(to_string(endpoint.address) + condition(endpoint));
        }
    }
    if (endpoints.empty()) {
        trace.step("endpoints", "none",
                   slices == 0 ? "no EndpointSlice belongs to the Service: does its selector fit?"
                               : "its EndpointSlices are empty: no pod fits its selector");
        return;
    }
    trace.step("endpoints", fmt::format("{}, {} ready", endpoints.size(), ready),
               listed(endpoints));
}

void remark_ports(const ObjectStore& store, const IpAddress& address, StepTrace& trace) {
    for (const auto& [name, service] : store.all<Service>()) {
        const auto& own = service->cluster_ips;
        if (std::find(own.begin(), own.end(), address) == own.end()) continue;
        std::vector<std::string> ports;
        for (const ServicePort& port : service->ports) {
            ports.push_back(fmt::format("{}/{}{}", port.port, protocol_name(port.protocol),
                                        port.name.empty() ? "" : " (" + port.name + ")"));
        }
        trace.step("service", fmt::format("{}/{}", name.name_space, name.name),
                   "it has " + (ports.empty() ? std::string("no port") : listed(ports)));
        return;
    }
}

void remark_other_node(const ObjectStore& store, std::string_view own_node,
                       const IpAddress& destination, StepTrace& trace) {
    if (store.all<NetworkPolicy>().empty()) return;
    for (const auto& [name, node] : store.all<Node>()) {
        if (name.name == own_node) continue;
        for (const IpPrefix& cidr : node->pod_cidrs) {
            if (!cidr.contains(destination)) continue;
            trace.step("policy", fmt::format("{} decides as well", name.name),
                       fmt::format("{} is in its pod CIDR {}: what selects that pod is enforced "
                                   "there; ask podlanectl explain policy on that node",
                                   to_string(destination), to_string(cidr)));
            return;
        }
    }
}

bool remark_link(const Dataplane& dataplane, const PortNames& names, PortId port,
                 StepTrace& trace) {
    for (const PortState& state : dataplane.port_states()) {
        if (state.id != port || state.link.state == LinkState::kUp) continue;
        trace.step("link", "down",
                   fmt::format("the link of port {} is {}: what is sent there is lost",
                               names.name(port), to_string(state.link.state)));
        return true;
    }
    return false;
}

}  // namespace podlane::control
