#include "dataplane/carried_flows.h"

#include "lib/model/ingress.h"
#include "lib/proto/ip_protocol.h"

namespace podlane::dataplane {

namespace {

template <Family F>
CarriedWay way_of(const Snapshot& snapshot, const FlowEntry<F>& entry) {
    const Rewrite<F> to = rewrite_of(entry);
    const FlowKey<F>& from = entry.key;
    const Hop hop = entry.current_hop();
    const Adjacency& next = snapshot.adjacencies[hop.adjacency];
    CarriedWay way;
    way.in = PortId{hop.ingress};
    way.out = next.port;
    way.src = from.src;
    way.dst = from.dst;
    way.src_port = from.src_port;
    way.dst_port = from.dst_port;
    way.to_src = to.src;
    way.to_dst = to.dst;
    way.to_src_port = to.src_port;
    way.to_dst_port = to.dst_port;
    way.addresses = address_delta(from.src, from.dst, to.src, to.dst);
    if (!(from.src_port == to.src_port)) {
        way.ports = way.ports + checksum_delta(from.src_port, to.src_port);
    }
    if (!(from.dst_port == to.dst_port)) {
        way.ports = way.ports + checksum_delta(from.dst_port, to.dst_port);
    }
    way.header = to.header;
    way.flags = entry.rewrite_flags();
    way.mtu = next.mtu;
    way.dst_mac = next.dst;
    way.src_mac = next.src;
    way.epoch = hop.topology_epoch;
    bool is_valid = snapshot.is_current(hop.topology_epoch) &&
                    next.kind == AdjacencyKind::kEthernet && hop.ingress < kMaxPorts;
    if ((entry.flags & kEntryCheckService) != 0) {
        const uint32_t service = entry.service_id.load(std::memory_order_relaxed);
        way.service = ServiceId{service};
        is_valid = is_valid && entry.service_epoch.load(std::memory_order_relaxed) ==
                                   snapshot.service_epochs[service];
    }
    way.is_valid = is_valid;
    return way;
}

}  // namespace

template <Family F>
std::optional<CarriedFlow> CarriedFlows::find_in(const FlowTable<F>& table, FlowRef flow) const {
    const Connection<F>* const connection = table.connection_at(flow.block, flow.generation);
    if (connection == nullptr) return std::nullopt;
    CarriedFlow out;
    out.protocol = connection->state.protocol;
    for (size_t i = 0; i < out.ways.size(); ++i) {
        const FlowEntry<F>& entry = connection->entry[i];
        // Closing, or not quite open.
        if (entry.established.load(std::memory_order_relaxed) == 0) return std::nullopt;
        out.ways[i] = way_of(snapshot_, entry);
    }
    out.checks_service = (connection->original().flags & kEntryCheckService) != 0;
    return out;
}

std::optional<CarriedFlow> CarriedFlows::find(FlowRef flow) const {
    return flow.is_v6 ? find_in(v6_, flow) : find_in(v4_, flow);
}

template <Family F>
bool CarriedFlows::note_in(FlowTable<F>& table, FlowRef flow, const CarriedTraffic& traffic) {
    Connection<F>* const connection = table.connection_at(flow.block, flow.generation);
    if (connection == nullptr) return false;
    if (traffic.last_seen_s != 0) {
        FlowEntry<F>& entry = connection->original();
        const uint32_t seen = connection->last_seen_s();
        if (static_cast<int32_t>(traffic.last_seen_s - seen) > 0) entry.touch(traffic.last_seen_s);
    }
    for (size_t i = 0; i < traffic.packets.size(); ++i) {
        if (traffic.packets[i] == 0) continue;
        auto* const cell = table.carried_cell(connection->entry[i]);
        if (cell != nullptr) cell->add(traffic.packets[i], traffic.bytes[i]);
    }
    return true;
}

bool CarriedFlows::note(FlowRef flow, const CarriedTraffic& traffic) {
    return flow.is_v6 ? note_in(v6_, flow, traffic) : note_in(v4_, flow, traffic);
}

}  // namespace podlane::dataplane
