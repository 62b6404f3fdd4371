#include "control/show/rows_json.h"

#include <utility>

#include "control/kube/json.h"
#include "control/show/render.h"
#include "control/show/text.h"

namespace podlane::control {

namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kOwnerAnnotation = "podlane.io/owner";

void set(Json& item, const char* key, std::string_view text) {
    if (!text.empty()) item[key] = text;
}

template <class Value>
void set(Json& item, const char* key, const std::optional<Value>& value) {
    if (value) item[key] = *value;
}

Json row_json(const ObjectRow& row) {
    Json item = to_json(row.object);
    item["metadata"]["annotations"][kOwnerAnnotation] = row.owner;
    if (row.pods_here) item["status"] = {{"podsHere", *row.pods_here}};
    return item;
}

Json row_json(const RefusedView& row) {
    return to_json(row);
}

Json row_json(const PortRow& row) {
    Json addresses = Json::array();
    for (const IpAddress& address : row.addresses) addresses.push_back(to_string(address));
    for (const auto& address : row.interface_addresses) addresses.push_back(to_string(address));
    Json item = {{"name", row.name},
                 {"id", row.id},
                 {"kind", row.is_static ? "static" : to_string(row.kind)},
                 {"device", row.device},
                 {"state", to_string(row.link.state)},
                 {"mac", to_string(row.mac)},
                 {"mtu", row.mtu},
                 {"addresses", std::move(addresses)},
                 {"queues", row.queues}};
    if (row.link.mbit_per_second != 0) item["mbitPerSecond"] = row.link.mbit_per_second;
    set(item, "pod", row.pod);
    set(item, "container", row.container);
    if (!row.pod.empty() && !row.is_static) {
        item["netns"] = row.netns;
        item["ifname"] = row.ifname;
    }
    for (const ContainerPort& port : row.host_ports) item["portMappings"].push_back(to_json(port));
    if (row.bandwidth.is_limited()) item["bandwidth"] = to_json(row.bandwidth);
    if (row.socket.is_socket()) {
        item["interface"] = to_string(row.socket.kind);
        item["socketPath"] = row.socket.path;
    }
    return item;
}

Json row_json(const NeighbourRow& row) {
    Json item = {{"address", to_string(row.address)},
                 {"mac", row.mac.is_zero() ? std::string() : to_string(row.mac)},
                 {"port", row.port},
                 {"state", to_string(row.state)}};
    set(item, "ageSeconds", row.age_seconds);
    return item;
}

const char* word_of(FdbKind kind) {
    switch (kind) {
        case FdbKind::kStatic:
            return "static";
        case FdbKind::kLearned:
            return "learned";
        case FdbKind::kRemote:
            return "remote";
    }
    return "";
}

Json row_json(const FdbRow& row) {
    Json item = {{"mac", to_string(row.mac)}, {"port", row.port}, {"kind", word_of(row.kind)}};
    if (row.vtep) item["vtep"] = to_string(*row.vtep);
    set(item, "ageSeconds", row.age_seconds);
    return item;
}

const char* word_of(RoutePurpose purpose) {
    switch (purpose) {
        case RoutePurpose::kLocal:
            return "local";
        case RoutePurpose::kConnected:
            return "connected";
        case RoutePurpose::kPod:
            return "pod";
        case RoutePurpose::kNode:
            return "node";
        case RoutePurpose::kDefault:
            return "default";
        case RoutePurpose::kUnreachable:
            return "unreachable";
    }
    return "";
}

Json row_json(const RouteRow& row) {
    Json item = {{"prefix", to_string(row.prefix)}, {"kind", word_of(row.purpose)}};
    if (row.via) item["via"] = to_string(*row.via);
    set(item, "port", row.port);
    if (!row.node.empty()) {
        item["node"] = row.node;
        item["overlay"] = row.overlay;
    }
    if (row.mtu != 0) item["mtu"] = row.mtu;
    set(item, "origin", row.origin);
    return item;
}

Json row_json(const FlowRow& row) {
    const FlowInfo& flow = row.flow;
    Json item = {{"protocol", protocol_text(flow.protocol)},
                 {"from", endpoint_text(flow.src, flow.src_port)},
                 {"to", endpoint_text(flow.dst, flow.dst_port)},
                 {"translatedFrom", endpoint_text(flow.reply_dst, flow.reply_dst_port)},
                 {"translatedTo", endpoint_text(flow.reply_src, flow.reply_src_port)},
                 {"state", flow.state}};
    set(item, "service", row.service);
    item["inPort"] = row.in_port;
    item["outPort"] = row.out_port;
    item["worker"] = flow.worker;
    item["carrier"] = row.is_kernels ? "kernel" : "worker";
    item["ageSeconds"] = flow.age_seconds;
    item["idleSeconds"] = flow.idle_seconds;
    item["expiresSeconds"] = flow.timeout_seconds;
    if (flow.traffic) add_traffic(item, *flow.traffic);
    if (flow.blocked != Drop::kNone) item["drop"] = drop_info(flow.blocked).name;
    return item;
}

Json row_json(const WorkerRow& row) {
    return {{"id", row.id},
            {"cpu", row.cpu},
            {"tid", row.tid},
            {"numaNode", row.numa_node},
            {"generation", row.generation},
            {"rxPackets", row.rx_packets},
            {"busyCycles", row.busy_cycles},
            {"idleCycles", row.idle_cycles},
            {"queues", row.queues}};
}

Json endpoints_json(const std::vector<ServedEndpoint>& endpoints) {
    Json list = Json::array();
    for (const auto& one : endpoints) list.push_back(to_string(one.address, one.port));
    return list;
}

Json row_json(const FrontendRow& row) {
    Json ranges = Json::array();
    for (const IpPrefix& range : row.source_ranges) ranges.push_back(to_string(range));
    return {{"service", row.service},
            {"portName", row.port_name},
            {"kind", to_string(row.kind)},
            {"address", row.address ? to_string(*row.address) : std::string("*")},
            {"protocol", protocol_text(row.protocol)},
            {"port", row.port},
            {"inside", endpoints_json(row.inside)},
            {"outside", endpoints_json(row.outside)},
            {"whenEmpty", row.drop_when_empty ? "drop" : "reject"},
            {"affinitySeconds", row.affinity_seconds},
            {"sourceRanges", std::move(ranges)}};
}

Json row_json(const AddressRow& row) {
    return {{"address", to_string(row.address)},
            {"service", to_string(row.service)},
            {"node", row.node},
            {"here", row.is_here},
            {"candidates", row.candidates}};
}

}  // namespace

void add_traffic(Json& item, const FlowTraffic& traffic) {
    item["packets"] = traffic.packets[0];
    item["bytes"] = traffic.bytes[0];
    item["replyPackets"] = traffic.packets[1];
    item["replyBytes"] = traffic.bytes[1];
}

Json to_json(const Listing& listing) {
    Json items = Json::array();
    std::visit(
        [&items](const auto& rows) {
            for (const auto& row : rows) items.push_back(row_json(row));
        },
        listing.rows);
    Json out = {{"kind", listing.kind}, {"items", std::move(items)}};
    if (listing.next != 0) out["next"] = listing.next;
    set(out, "total", listing.total);
    return out;
}

}  // namespace podlane::control
