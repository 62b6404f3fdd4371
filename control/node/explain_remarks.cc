#include "control/node/explain_remarks.h"

#include <algorithm>
#include <set>
#include <span>
#include <vector>

#include "lib/proto/ip_protocol.h"

namespace podlane::control {

namespace {

constexpr size_t kMostNamed = 8;

std::string listed(const std::vector<std::string>& texts) {
    const size_t shown = std::min(texts.size(), kMostNamed);
    std::string out = fmt::format("{}", fmt::join(std::span(texts).first(shown), ", "));
    if (texts.size() > shown) out += fmt::format(" and {} more", texts.size() - shown);
    return out;
}

std::string port_text(std::string_view name, uint16_t number, Protocol protocol) {
    return fmt::format("{}{}/{}", name.empty() ? "" : std::string(name) + " ", number,
                       protocol_name(protocol));
}

/// The endpoints that one port of a Service has in the objects, usable or not.
class EndpointsInWords {
  public:
    explicit EndpointsInWords(const ServicePort& port) : port_(port) {}

    void add(const SliceEndpoint& endpoint) {
        ready_ += endpoint.ready;
        texts_.push_back(to_string(endpoint.address) +
                         (endpoint.node_name.empty() ? "" : " on " + endpoint.node_name) +
                         (endpoint.ready         ? ""
                          : endpoint.terminating ? " (terminating)"
                                                 : " (not ready)"));
    }
    /// Endpoints and the ports that each of them has.
    void add(const std::vector<SliceEndpoint>& endpoints, const std::vector<EndpointPort>& ports) {
        any_ = any_ || !endpoints.empty();
        bool fits = false;
        for (const EndpointPort& port : ports) {
            fits = fits || (port.name == port_.name && port.protocol == port_.protocol);
            others_.insert(port_text(port.name, port.port.value_or(0), port.protocol));
        }
        if (!fits) return;
        for (const SliceEndpoint& endpoint : endpoints) add(endpoint);
    }

    /// `what`: the objects that were added.
    void tell(std::string_view what, StepTrace& trace) const {
        if (texts_.empty()) return trace.step("endpoints", "none", why_none(what));
        trace.step("endpoints", fmt::format("{}, {} ready", texts_.size(), ready_), listed(texts_));
    }

  private:
    std::string why_none(std::string_view what) const {
        if (!any_) return fmt::format("its {} are empty: no pod fits its selector", what);
        std::string why = fmt::format(
            "its {} have endpoints, but no {} port {}", what, protocol_name(port_.protocol),
            port_.name.empty() ? "without a name" : "named " + port_.name);
        why += others_.empty() ? ", nor any other"
                               : ": they have " + listed({others_.begin(), others_.end()});
        if (const auto& wanted = port_.target_port.name; !wanted.empty()) {
            why += fmt::format("; does a container have a port named {}?", wanted);
        }
        return why;
    }

    const ServicePort& port_;
    std::vector<std::string> texts_;
    std::set<std::string> others_;  ///< the ports that there are
    size_t ready_ = 0;
    bool any_ = false;  ///< there are endpoints, whatever ports they have
};

/// Without EndpointSlices the Pods that the selector matches are the endpoints.
void remark_pods(const ObjectStore& store, const Service& service, const ServicePort& port,
                 StepTrace& trace) {
    if (!service.has_selector()) {
        return trace.step("endpoints", "none",
                          "it has no selector, and no EndpointSlice belongs to it");
    }
    EndpointsInWords found(port);
    std::vector<std::string> without_port, without_address;
    bool any = false;
    for (const auto& pod : store.pods_in(service.meta.name_space)) {
        if (pod->is_finished() || !contains_labels(pod->meta.labels, *service.selector)) continue;
        const std::string name = fmt::format("{}/{}", pod->meta.name_space, pod->meta.name);
        if (pod->resolve_port(port.target_port, port.protocol) == 0) {
            without_port.push_back(name);
            continue;
        }
        if (pod->ips.empty()) without_address.push_back(name);
        for (const IpAddress& address : pod->ips) {
            any = true;
            found.add(SliceEndpoint{.address = address,
                                    .ready = pod->ready && !pod->terminating,
                                    .terminating = pod->terminating,
                                    .node_name = pod->node_name});
        }
    }
    if (any) return found.tell("Pods", trace);
    std::string why;
    if (!without_port.empty()) {
        why = fmt::format("no container of {} has a {} port named {}", listed(without_port),
                          protocol_name(port.protocol), port.target_port.name);
    } else if (!without_address.empty()) {
        why = fmt::format("{} has no address yet", listed(without_address));
    } else {
        std::vector<std::string> labels;
        for (const auto& [key, value] : *service.selector) labels.push_back(key + "=" + value);
        why = fmt::format("no EndpointSlice belongs to it, and no Pod here fits its selector {}",
                          listed(labels));
    }
    trace.step("endpoints", "none", why);
}

}  // namespace

void remark_endpoints(const ObjectStore& store, std::string_view service_name,
                      std::string_view port_name, StepTrace& trace) {
    const size_t slash = service_name.find('/');
    const NamespacedName name{std::string(service_name.substr(0, slash)),
                              std::string(service_name.substr(slash + 1))};
    const auto service = store.find<Service>(name);
    if (!service) return;
    const auto port = std::ranges::find(service->ports, port_name, &ServicePort::name);
    if (port == service->ports.end()) return;
    EndpointsInWords found(*port);
    if (const auto& slices = store.slices_of(name); !slices.empty()) {
        for (const auto& slice : slices) found.add(slice->endpoints, slice->ports);
        return found.tell("EndpointSlices", trace);
    }
    if (const auto endpoints = store.find<Endpoints>(name)) {
        for (const EndpointSubset& subset : endpoints->subsets) {
            found.add(subset.endpoints, subset.ports);
        }
        return found.tell("Endpoints", trace);
    }
    remark_pods(store, *service, *port, trace);
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

void remark_carrier(const Shortcut& shortcut, uint8_t protocol, PortId in, PortId out,
                    StepTrace& trace) {
    if (protocol != kProtocolTcp && protocol != kProtocolUdp) return;
    if (!shortcut.joins(in, out)) return;
    trace.step("carrier", "the node's kernel",
               "the interfaces of both ends have the shortcut: once both have been heard, their "
               "packets no longer come to podlaned");
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
