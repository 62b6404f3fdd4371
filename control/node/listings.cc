#include "control/node/listings.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "control/node/routes.h"

namespace podlane::control {

namespace {

void take_addresses(const LiveView& live, const PortInfo& port, PortRow& row) {
    if (port.kind == PortKind::kDns) {
        row.addresses = live.config.cluster.dns;
        return;
    }
    for (const UplinkConfig& uplink : live.config.uplinks) {
        if (port.kind != PortKind::kHost && uplink.name != port.name) continue;
        row.interface_addresses.insert(row.interface_addresses.end(), uplink.addresses.begin(),
                                       uplink.addresses.end());
    }
}

void take_pod(const AttachedPod& pod, PortRow& row) {
    row.is_static = pod.is_static;
    row.mac = pod.mac;
    row.addresses = pod.addresses;
    row.pod = pod.pod;
    row.container = pod.container;
    row.netns = pod.netns;
    row.ifname = pod.ifname;
    row.host_ports = pod.host_ports;
    row.bandwidth = pod.bandwidth;
    row.socket = pod.socket;
}

std::vector<PortRow> list_ports(const LiveView& live) {
    std::vector<PortRow> rows;
    std::map<PortId, Link> links;
    for (const PortState& state : live.dataplane.port_states()) links[state.id] = state.link;
    for (const PortInfo& port : live.dataplane.ports()) {
        PortRow row;
        row.name = port.name;
        row.id = static_cast<unsigned>(index_of(port.id));
        row.kind = port.kind;
        row.device = port.device;
        row.link = links[port.id];
        row.mac = port.mac;
        row.mtu = port.mtu;
        row.queues = port.caps.rx_queues;
        const auto pod = live.pods.find(port.name);
        if (pod != live.pods.end()) {
            take_pod(pod->second, row);
        } else {
            take_addresses(live, port, row);
        }
        rows.push_back(std::move(row));
    }
    return rows;
}

std::vector<NeighbourRow> list_neighbors(const LiveView& live, const PortNames& names) {
    std::vector<NeighbourRow> rows;
    for (const auto& [key, neighbour] : live.neighbours.all()) {
        NeighbourRow row{.address = key.address,
                         .mac = {},
                         .port = std::string(names.name(key.port)),
                         .state = neighbour.state,
                         .age_seconds = {}};
        if (neighbour.is_resolved()) row.mac = neighbour.mac;
        if (neighbour.confirmed_ms != 0) {
            row.age_seconds = (live.now_ms - neighbour.confirmed_ms) / 1000;
        }
        rows.push_back(std::move(row));
    }
    for (const auto& [name, pod] : live.pods) {
        for (const IpAddress& address : pod.addresses) {
            rows.push_back({address, pod.mac, name, NeighbourState::kStatic, {}});
        }
    }
    return rows;
}

/// The VTEPs of other nodes, from the tunnel adjacencies.
void list_remote_macs(const LiveView& live, std::vector<FdbRow>& rows) {
    std::vector<std::pair<MacAddress, IpAddress>> peers;
    const auto& adjacencies = live.snapshot.adjacencies;
    for (size_t i = 1; i < adjacencies.size(); ++i) {
        const Adjacency& adjacency = adjacencies[i];
        if (adjacency.kind != AdjacencyKind::kTunnel) continue;
        peers.emplace_back(adjacency.dst, tunnel_destination(adjacency));
    }
    std::sort(peers.begin(), peers.end());
    peers.erase(std::unique(peers.begin(), peers.end()), peers.end());
    for (const auto& [mac, vtep] : peers) {
        rows.push_back({mac, "overlay", FdbKind::kRemote, vtep, {}});
    }
}

std::vector<FdbRow> list_fdb(const LiveView& live, const PortNames& names) {
    std::vector<FdbRow> rows;
    for (const auto& [name, pod] : live.pods) {
        rows.push_back({pod.mac, name, FdbKind::kStatic, {}, {}});
    }
    for (const auto& [mac, learned] : live.macs.learned()) {
        rows.push_back({mac,
                        std::string(names.name(learned.port)),
                        FdbKind::kLearned,
                        {},
                        (live.now_ms - learned.learned_ms) / 1000});
    }
    list_remote_macs(live, rows);
    return rows;
}

/// The NUMA node of a CPU, read from its folder in sysfs; 0 on machines without NUMA.
int numa_node_of(int cpu) {
    for (int node = 0; node < 8; ++node) {
        const std::string path = fmt::format("/sys/devices/system/cpu/cpu{}/node{}", cpu, node);
        if (::access(path.c_str(), F_OK) == 0) return node;
    }
    return 0;
}

std::vector<WorkerRow> list_workers(const LiveView& live) {
    std::vector<WorkerRow> rows;
    const std::vector<WorkerInfo> workers = live.dataplane.workers();
    const std::vector<PortInfo> ports = live.dataplane.ports();
    for (const WorkerInfo& worker : workers) {
        const WorkerCounters& counters = live.dataplane.counters(worker.id);
        WorkerRow row;
        row.id = worker.id;
        row.cpu = cpu_of(worker);
        row.tid = worker.tid;
        row.numa_node = numa_node_of(row.cpu);
        row.generation = live.snapshot.generation;
        row.rx_packets = counters.rx_packets.get();
        row.busy_cycles = counters.busy_cycles.get();
        row.idle_cycles = counters.idle_cycles.get();
        for (const PortInfo& port : ports) {
            for (unsigned queue = worker.id; queue < port.caps.rx_queues;
                 queue += static_cast<unsigned>(workers.size())) {
                row.queues.push_back(fmt::format("{}:{}", port.name, queue));
            }
        }
        rows.push_back(std::move(row));
    }
    return rows;
}

std::vector<AddressRow> list_addresses(const LiveView& live) {
    std::vector<AddressRow> rows;
    for (const auto& [address, announced] : live.announcer.addresses()) {
        rows.push_back(
            {address, announced.service, announced.node, announced.is_here, *announced.candidates});
    }
    return rows;
}

bool is_named(const PortRow& row, std::string_view name) {
    return row.name == name || (!row.pod.empty() && row.pod == name);
}
bool is_named(const NeighbourRow& row, std::string_view name) {
    return row.address == parse_ip(name);
}
bool is_named(const FdbRow& row, std::string_view name) {
    return to_string(row.mac) == name;
}
bool is_named(const RouteRow& row, std::string_view name) {
    return to_string(row.prefix) == name;
}
bool is_named(const WorkerRow& row, std::string_view name) {
    return fmt::format("{}", row.id) == name;
}
bool is_named(const FrontendRow& row, std::string_view name) {
    return row.service == name;
}
bool is_named(const AddressRow& row, std::string_view name) {
    return row.address == parse_ip(name);
}

template <class Row>
Rows only(std::vector<Row> rows, std::optional<std::string_view> name) {
    if (name) std::erase_if(rows, [&name](const Row& row) { return !is_named(row, *name); });
    return rows;
}

}  // namespace

std::optional<Rows> list_live(const LiveView& live, std::string_view kind,
                              std::optional<std::string_view> name) {
    const PortNames names(live.dataplane);
    if (kind == "ports") return only(list_ports(live), name);
    if (kind == "neighbors") return only(list_neighbors(live, names), name);
    if (kind == "fdb") return only(list_fdb(live, names), name);
    if (kind == "routes") return only(route_rows(live.snapshot, names), name);
    if (kind == "workers") return only(list_workers(live), name);
    if (kind == "frontends") return only(frontend_rows(live.snapshot, name.value_or("")), name);
    if (kind == "addresses") return only(list_addresses(live), name);
    return std::nullopt;
}

}  // namespace podlane::control
