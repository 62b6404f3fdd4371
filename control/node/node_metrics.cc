// What a scrape tells: gathered from the dataplane, the live state and the node's own counts.
#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <utility>

#include "control/kube/meta.h"
#include "control/node/counters_json.h"
#include "control/node/node_model.h"

namespace podlane::control {

namespace {

std::vector<PortMetrics> port_metrics(const LiveView& live) {
    std::map<PortId, PortState> states;
    for (const PortState& state : live.dataplane.port_states()) states[state.id] = state;
    std::vector<PortMetrics> out;
    for (const PortInfo& port : live.dataplane.ports()) {
        const PortTotals now = port_totals(live.dataplane, port.id);
        const PortTotals before = live.ports.baseline(port.id);
        const PortState& state = states[port.id];
        out.push_back({.name = port.name,
                       .kind = to_string(port.kind),
                       .link = state.link.state,
                       .mbit_per_second = state.link.mbit_per_second,
                       .rx_packets = now.rx_packets - before.rx_packets,
                       .rx_bytes = now.rx_bytes - before.rx_bytes,
                       .tx_packets = now.tx_packets - before.tx_packets,
                       .tx_bytes = now.tx_bytes - before.tx_bytes,
                       .rx_dropped = now.rx_dropped - before.rx_dropped,
                       .tx_dropped = now.tx_dropped - before.tx_dropped,
                       .device = state.losses});
    }
    return out;
}

/// Adds what the workers count; each of them has its own part as well.
void add_worker_metrics(const Dataplane& dataplane, NodeMetrics& out) {
    for (const WorkerInfo& worker : dataplane.workers()) {
        const WorkerCounters& counters = dataplane.counters(worker.id);
        out.workers.push_back({.id = worker.id,
                               .alive = is_alive(worker),
                               .rx_packets = counters.rx_packets.get(),
                               .slow_path = counters.slow_path.get(),
                               .held = counters.held.get(),
                               .busy_cycles = counters.busy_cycles.get(),
                               .idle_cycles = counters.idle_cycles.get(),
                               .latency = duration_metrics(counters.latency)});
        out.affinity_full += counters.affinity_full.get();
        out.snat_tries += counters.snat_tries.get();
    }
}

DnsMetrics dns_metrics(const Dataplane& dataplane, const NameServer* server) {
    DnsMetrics out;
    for (const WorkerInfo& worker : dataplane.workers()) {
        const WorkerCounters& counters = dataplane.counters(worker.id);
        for (size_t i = 0; i < kDnsOutcomes; ++i) out.by_workers[i] += counters.dns[i].get();
        out.truncated += counters.dns_truncated.get();
    }
    if (server != nullptr) out.server = server->stats();
    return out;
}

/// The ports of a Service, each with its own counter, added up.
std::vector<ServiceMetrics> service_metrics(const Snapshot& snapshot, const Dataplane& dataplane) {
    struct ServicePort {
        std::string service;
        uint64_t endpoints = 0;
    };
    std::map<ServiceId, ServicePort> ports;
    const auto take = [&ports](const auto& frontend) {
        if (frontend.kind == FrontendKind::kHostPort) return;
        ServicePort& port = ports[frontend.service];
        port.service = frontend.service_name;
        port.endpoints = std::max<uint64_t>({port.endpoints, frontend.inside->endpoints.size(),
                                             frontend.outside->endpoints.size()});
    };
    snapshot.v4.frontends.for_each(take);
    snapshot.v6.frontends.for_each(take);
    std::map<std::string, ServiceMetrics> services;
    const std::vector<WorkerInfo> workers = dataplane.workers();
    for (const auto& [id, port] : ports) {
        ServiceMetrics& service = services[port.service];
        service.endpoints = std::max(service.endpoints, port.endpoints);
        const size_t index = index_of(id);
        if (index == 0 || index >= kServiceCounters) continue;
        for (const WorkerInfo& worker : workers) {
            service.connections += dataplane.counters(worker.id).service_connections[index].get();
        }
    }
    std::vector<ServiceMetrics> out;
    for (auto& [name, service] : services) {
        const size_t slash = name.find('/');
        service.name_space = name.substr(0, slash);
        service.name = slash == std::string::npos ? name : name.substr(slash + 1);
        out.push_back(std::move(service));
    }
    return out;
}

template <class T>
WordCount objects_of(const ObjectStore& store, std::string_view kind) {
    return {kind, store.all<T>().size()};
}

std::vector<WordCount> object_counts(const ObjectStore& store) {
    return {objects_of<Node>(store, "Node"),
            objects_of<Pod>(store, "Pod"),
            objects_of<Namespace>(store, "Namespace"),
            objects_of<Service>(store, "Service"),
            objects_of<EndpointSlice>(store, "EndpointSlice"),
            objects_of<Endpoints>(store, "Endpoints"),
            objects_of<NetworkPolicy>(store, "NetworkPolicy"),
            objects_of<Ingress>(store, "Ingress"),
            objects_of<IngressClass>(store, "IngressClass"),
            objects_of<Secret>(store, "Secret")};
}

std::vector<WordCount> neighbour_counts(const NeighbourTable& neighbours) {
    constexpr std::array kStates = {NeighbourState::kIncomplete, NeighbourState::kReachable,
                                    NeighbourState::kProbing, NeighbourState::kFailed,
                                    NeighbourState::kStatic};
    std::vector<WordCount> out;
    for (const NeighbourState state : kStates) out.push_back({to_string(state), 0});
    for (const auto& [key, neighbour] : neighbours.all()) {
        ++out[static_cast<size_t>(neighbour.state)].count;
    }
    return out;
}

}  // namespace

NodeMetrics NodeModel::metrics() {
    const LiveView view = live();
    NodeMetrics out;
    out.node = config_.node;
    out.generation = view.snapshot.generation;
    out.is_serving = is_serving();
    out.ports = port_metrics(view);
    add_worker_metrics(dataplane_, out);
    out.drops = drop_sums(dataplane_);
    out.flows = dataplane_.flow_totals();
    out.affinity_capacity = dataplane_.affinity_capacity();
    out.snat_exhausted = snat_refusals(dataplane_).size();
    out.buffers = dataplane_.buffers();
    if (!config_.cluster.dns.empty()) out.dns = dns_metrics(dataplane_, name_server_);
    service_series_.divide(service_metrics(view.snapshot, dataplane_), out);
    out.objects = object_counts(store_);
    out.neighbours = neighbour_counts(neighbours_);
    const AllocationTotals& addresses = addresses_.totals();
    out.addresses = {{"assigned", addresses.assigned},
                     {"pending", addresses.pending},
                     {"refused", addresses.refused}};
    out.changes = changes_;
    out.refused_changes = refused_changes_;
    out.publish = duration_metrics(publish_times_);
    return out;
}

}  // namespace podlane::control
