#include "control/node/listings.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <string>
#include <system_error>
#include <tuple>
#include <vector>

#include "control/node/routes_json.h"
#include "control/show/text.h"

namespace podlane::control {

namespace {

using Json = nlohmann::ordered_json;

/// Connections that are in memory at a time, beside their text.
constexpr size_t kFlowsAtOnce = 4096;
/// Looks at the table that one answer may take: with those of some ten thousand connections, a
/// million.
constexpr unsigned kFlowLooks = 256;

template <class Addresses>
Json texts(const Addresses& addresses) {
    Json list = Json::array();
    for (const auto& address : addresses) list.push_back(to_string(address));
    return list;
}

Json port_addresses(const LiveView& live, const PortInfo& port) {
    if (const auto pod = live.pods.find(port.name); pod != live.pods.end()) {
        return texts(pod->second.addresses);
    }
    if (port.kind == PortKind::kDns) return texts(live.config.cluster.dns);
    Json addresses = Json::array();
    for (const UplinkConfig& uplink : live.config.uplinks) {
        if (port.kind != PortKind::kHost && uplink.name != port.name) continue;
        for (const InterfaceAddress& address : uplink.addresses) {
            addresses.push_back(to_string(address));
        }
    }
    return addresses;
}

Json list_ports(const LiveView& live) {
    Json items = Json::array();
    std::map<PortId, Link> links;
    for (const PortState& state : live.dataplane.port_states()) links[state.id] = state.link;
    for (const PortInfo& port : live.dataplane.ports()) {
        const Link& link = links[port.id];
        const auto at = live.pods.find(port.name);
        const AttachedPod* pod = at != live.pods.end() ? &at->second : nullptr;
        Json item = {{"name", port.name},
                     {"id", index_of(port.id)},
                     {"kind", pod != nullptr && pod->is_static ? "static" : to_string(port.kind)},
                     {"device", port.device},
                     {"state", to_string(link.state)},
                     {"mac", to_string(pod != nullptr ? pod->mac : port.mac)},
                     {"mtu", port.mtu},
                     {"addresses", port_addresses(live, port)},
                     {"queues", port.caps.rx_queues}};
        if (link.mbit_per_second != 0) item["mbitPerSecond"] = link.mbit_per_second;
        if (pod != nullptr) item["pod"] = pod->pod;
        if (pod != nullptr && !pod->container.empty()) item["container"] = pod->container;
        if (pod != nullptr && !pod->is_static) {
            item["netns"] = pod->netns;
            item["ifname"] = pod->ifname;
        }
        items.push_back(std::move(item));
    }
    return items;
}

Json list_neighbors(const LiveView& live, const PortNames& names) {
    Json items = Json::array();
    for (const auto& [key, neighbour] : live.neighbours.all()) {
        const bool has_mac = !neighbour.mac.is_zero() && neighbour.is_resolved();
        Json item = {{"address", to_string(key.address)},
                     {"mac", has_mac ? to_string(neighbour.mac) : std::string()},
                     {"port", names.name(key.port)},
                     {"state", to_string(neighbour.state)}};
        if (neighbour.confirmed_ms != 0) {
            item["ageSeconds"] = (live.now_ms - neighbour.confirmed_ms) / 1000;
        }
        items.push_back(std::move(item));
    }
    for (const auto& [name, pod] : live.pods) {
        for (const IpAddress& address : pod.addresses) {
            items.push_back({{"address", to_string(address)},
                             {"mac", to_string(pod.mac)},
                             {"port", name},
                             {"state", "static"}});
        }
    }
    return items;
}

/// The VTEPs of other nodes, as the tunnel adjacencies have them.
void list_remote_macs(const LiveView& live, Json& items) {
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
        items.push_back({{"mac", to_string(mac)},
                         {"port", "overlay"},
                         {"kind", "remote"},
                         {"vtep", to_string(vtep)}});
    }
}

Json list_fdb(const LiveView& live, const PortNames& names) {
    Json items = Json::array();
    for (const auto& [name, pod] : live.pods) {
        items.push_back({{"mac", to_string(pod.mac)}, {"port", name}, {"kind", "static"}});
    }
    for (const auto& [mac, learned] : live.macs.learned()) {
        items.push_back({{"mac", to_string(mac)},
                         {"port", names.name(learned.port)},
                         {"kind", "learned"},
                         {"ageSeconds", (live.now_ms - learned.learned_ms) / 1000}});
    }
    list_remote_macs(live, items);
    return items;
}

template <Family F>
PortId port_towards(const Snapshot& snapshot, const IpAddress& address) {
    const Route<F>* route = snapshot.family<F>().routes->find(address.as<F>());
    if (route == nullptr) return kNoPort;
    if (route->adjacency == kNoAdjacency) return route->port;
    return snapshot.adjacencies[index_of(route->adjacency)].port;
}

PortId port_towards(const Snapshot& snapshot, const IpAddress& address) {
    return address.is_v4() ? port_towards<V4>(snapshot, address)
                           : port_towards<V6>(snapshot, address);
}

/// "10.0.0.1", "10.0.0.1:80", "fd00::1" or "[fd00::1]:80" as a filter's end.
bool read_end(std::string_view text, FlowFilter& filter) {
    if (const auto address = parse_ip(text)) {
        filter.addresses = {*address};
        return true;
    }
    const size_t colon = text.rfind(':');
    if (colon == text.npos) return false;
    std::string_view host = text.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    const auto address = parse_ip(host);
    const std::string_view digits = text.substr(colon + 1);
    uint16_t port = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (!address || error != std::errc() || end != digits.data() + digits.size()) return false;
    filter.addresses = {*address};
    filter.port = port;
    return true;
}

/// What `get flows NAME` asks for; nothing when the name is nobody's.
std::optional<FlowFilter> flow_filter(const LiveView& live,
                                      const std::map<ServiceId, std::string>& services,
                                      std::string_view name) {
    FlowFilter filter;
    if (read_end(name, filter)) return filter;
    for (const auto& [id, service] : services) {
        if (service == name) filter.services.push_back(id);
    }
    if (const AttachedPod* pod = live.ports.find(name)) filter.addresses = pod->addresses;
    if (filter.services.empty() && filter.addresses.empty()) return std::nullopt;
    return filter;
}

Json flow_json(const LiveView& live, const PortNames& names,
               const std::map<ServiceId, std::string>& services, const FlowInfo& flow) {
    Json item = {{"protocol", protocol_text(flow.protocol)},
                 {"from", endpoint_text(flow.src, flow.src_port)},
                 {"to", endpoint_text(flow.dst, flow.dst_port)},
                 {"translatedFrom", endpoint_text(flow.reply_dst, flow.reply_dst_port)},
                 {"translatedTo", endpoint_text(flow.reply_src, flow.reply_src_port)},
                 {"state", flow.state}};
    const auto service = services.find(flow.service);
    if (flow.service != kNoService && service != services.end()) {
        item["service"] = service->second;
    }
    item["inPort"] = names.name(port_towards(live.snapshot, flow.src));
    item["outPort"] = names.name(port_towards(live.snapshot, flow.reply_src));
    item["worker"] = flow.worker;
    item["idleSeconds"] = flow.idle_seconds;
    item["expiresSeconds"] = flow.timeout_seconds;
    return item;
}

/// The NUMA node of a CPU by what the kernel's folder of it contains; 0 on machines without.
int numa_node_of(int cpu) {
    for (int node = 0; node < 8; ++node) {
        const std::string path = fmt::format("/sys/devices/system/cpu/cpu{}/node{}", cpu, node);
        if (::access(path.c_str(), F_OK) == 0) return node;
    }
    return 0;
}

Json list_workers(const LiveView& live) {
    Json items = Json::array();
    const std::vector<WorkerInfo> workers = live.dataplane.workers();
    const std::vector<PortInfo> ports = live.dataplane.ports();
    for (const WorkerInfo& worker : workers) {
        const WorkerCounters& counters = live.dataplane.counters(worker.id);
        Json queues = Json::array();
        for (const PortInfo& port : ports) {
            for (unsigned queue = worker.id; queue < port.caps.rx_queues;
                 queue += static_cast<unsigned>(workers.size())) {
                queues.push_back(fmt::format("{}:{}", port.name, queue));
            }
        }
        items.push_back({{"id", worker.id},
                         {"cpu", cpu_of(worker)},
                         {"tid", worker.tid},
                         {"numaNode", numa_node_of(cpu_of(worker))},
                         {"generation", live.snapshot.generation},
                         {"rxPackets", counters.rx_packets.get()},
                         {"busyCycles", counters.busy_cycles.get()},
                         {"idleCycles", counters.idle_cycles.get()},
                         {"queues", std::move(queues)}});
    }
    return items;
}

template <Family F>
Json endpoints_json(const EndpointSet<F>& set) {
    Json list = Json::array();
    for (const auto& endpoint : set.endpoints) {
        list.push_back(to_string(IpAddress(endpoint.address), endpoint.port.host()));
    }
    return list;
}

/// A frontend and what the list is sorted by.
struct SortedFrontend {
    std::tuple<std::string, std::string, FrontendKind, std::string, uint8_t, uint16_t> order;
    Json item;
};

template <Family F>
void add_frontends(const Snapshot& snapshot, std::vector<SortedFrontend>& out) {
    snapshot.family<F>().frontends.for_each([&out](const Frontend<F>& frontend) {
        Json ranges = Json::array();
        if (frontend.source_ranges) {
            for (const Prefix<F>& range : *frontend.source_ranges) {
                ranges.push_back(to_string(IpPrefix{range.address, range.length}));
            }
        }
        const std::string address =
            frontend.any_address ? "*" : to_string(IpAddress(frontend.address));
        Json item = {{"service", frontend.service_name},
                     {"portName", frontend.port_name},
                     {"kind", to_string(frontend.kind)},
                     {"address", address},
                     {"protocol", protocol_text(frontend.protocol)},
                     {"port", frontend.port.host()},
                     {"inside", endpoints_json(*frontend.inside)},
                     {"outside", endpoints_json(*frontend.outside)},
                     {"whenEmpty", frontend.drop_when_empty ? "drop" : "reject"},
                     {"affinitySeconds", frontend.affinity_seconds},
                     {"sourceRanges", std::move(ranges)}};
        out.push_back({{frontend.service_name, frontend.port_name, frontend.kind, address,
                        frontend.protocol, frontend.port.host()},
                       std::move(item)});
    });
}

Json list_frontends(const LiveView& live) {
    std::vector<SortedFrontend> frontends;
    add_frontends<V4>(live.snapshot, frontends);
    add_frontends<V6>(live.snapshot, frontends);
    std::stable_sort(frontends.begin(), frontends.end(),
                     [](const auto& a, const auto& b) { return a.order < b.order; });
    Json items = Json::array();
    for (SortedFrontend& frontend : frontends) items.push_back(std::move(frontend.item));
    return items;
}

Json list_addresses(const LiveView& live) {
    Json items = Json::array();
    for (const auto& [address, announced] : live.announcer.addresses()) {
        items.push_back({{"address", to_string(address)},
                         {"service", to_string(announced.service)},
                         {"node", announced.node},
                         {"here", announced.is_here},
                         {"candidates", *announced.candidates}});
    }
    return items;
}

}  // namespace

FlowList list_flows(const LiveView& live, std::optional<std::string_view> name, size_t limit,
                    FlowCursor from) {
    FlowList list;
    const auto services = service_names(live.snapshot);
    const auto filter = name ? flow_filter(live, services, *name) : FlowFilter{};
    if (!filter) return list;
    const PortNames names(live.dataplane);
    list.next = from;
    for (unsigned looks = 0; looks < kFlowLooks; ++looks) {
        const size_t left = limit == 0 ? kFlowsAtOnce : limit - list.items.size();
        const FlowPage page =
            live.dataplane.flows(*filter, std::min(left, kFlowsAtOnce), list.next);
        for (const FlowInfo& flow : page.flows) {
            list.items.push_back(flow_json(live, names, services, flow));
        }
        list.next = page.next;
        if (list.next == 0 || (limit != 0 && list.items.size() >= limit)) break;
    }
    return list;
}

std::optional<Json> list_live(const LiveView& live, std::string_view kind) {
    const PortNames names(live.dataplane);
    if (kind == "ports") return list_ports(live);
    if (kind == "neighbors") return list_neighbors(live, names);
    if (kind == "fdb") return list_fdb(live, names);
    if (kind == "routes") return routes_json(live.snapshot, names);
    if (kind == "workers") return list_workers(live);
    if (kind == "frontends") return list_frontends(live);
    if (kind == "addresses") return list_addresses(live);
    return std::nullopt;
}

bool is_named(std::string_view kind, const Json& item, std::string_view name) {
    if (kind == "workers") return std::to_string(item.at("id").get<unsigned>()) == name;
    if (kind == "ports" && item.contains("pod") && item.at("pod") == name) return true;
    const char* key = kind == "ports"       ? "name"
                      : kind == "neighbors" ? "address"
                      : kind == "addresses" ? "address"
                      : kind == "fdb"       ? "mac"
                      : kind == "routes"    ? "prefix"
                                            : "service";
    return item.at(key) == name;
}

}  // namespace podlane::control
