#include "dataplane/carried_flows.h"

#include <algorithm>

#include "dataplane/peer_traffic.h"
#include "dataplane/stages/parse.h"
#include "lib/model/ingress.h"
#include "lib/proto/ip_protocol.h"

namespace podlane::dataplane {

namespace {

/// Where in the outer headers their two IPv4 addresses are.
constexpr size_t kOuterSrc = sizeof(EthernetHeader) + offsetof(Ipv4Header, src);
constexpr size_t kOuterDst = sizeof(EthernetHeader) + offsetof(Ipv4Header, dst);

/// Notes the tunnel's headers; false: over IPv6, whose checksum the kernel cannot make.
bool note_tunnel(const Adjacency& next, CarriedWay& way) {
    if (next.outer_l3_bytes != V4::kMinHeaderBytes) return false;
    std::copy_n(next.outer.begin(), way.outer.size(), way.outer.begin());
    way.into_tunnel = true;
    return true;
}

/// For a direction that begins in the tunnel: it is valid if it comes from the Node to which the
/// other one leads, in the other one's headers the other way round.
void note_sender(const Snapshot& snapshot, uint16_t ingress, const CarriedWay& opposite,
                 CarriedWay& way) {
    if (ingress < kMaxPorts) return;
    way.in = opposite.out;
    way.out_of_tunnel = true;
    way.outer = opposite.outer;
    const auto peer = load<Ipv4Address>(opposite.outer.data() + kOuterDst);
    store(way.outer.data() + kOuterDst, load<Ipv4Address>(opposite.outer.data() + kOuterSrc));
    store(way.outer.data() + kOuterSrc, peer);
    way.is_valid =
        way.is_valid && opposite.into_tunnel && ingress_of_peer<V4>(snapshot, peer) == ingress;
}

template <Family F>
CarriedWay way_of(const Snapshot& snapshot, const FlowEntry<F>& entry) {
    const Rewrite<F> to = rewrite_of(entry);
    const FlowKey<F>& from = entry.key;
    const Hop hop = entry.current_hop();
    const Adjacency& next = snapshot.adjacencies[hop.adjacency];
    CarriedWay way;
    way.in = hop.ingress < kMaxPorts ? PortId{hop.ingress} : kNoPort;
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
    way.adjacency = hop.adjacency;
    way.epoch = hop.topology_epoch;
    const bool can_leave = next.kind == AdjacencyKind::kEthernet ||
                           (next.kind == AdjacencyKind::kTunnel && note_tunnel(next, way));
    bool is_valid = snapshot.is_current(hop.topology_epoch) && can_leave;
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
    for (size_t i = 0; i < out.ways.size(); ++i) {
        const uint16_t ingress = connection->entry[i].current_hop().ingress;
        note_sender(snapshot_, ingress, out.ways[i ^ 1], out.ways[i]);
    }
    out.checks_service = (connection->original().flags & kEntryCheckService) != 0;
    return out;
}

std::optional<CarriedFlow> CarriedFlows::find(FlowRef flow) const {
    return flow.is_v6 ? find_in(v6_, flow) : find_in(v4_, flow);
}

template <Family F>
bool CarriedFlows::note_in(FlowTable<F>& table, FlowRef flow, const CarriedTraffic& traffic,
                           PeerCounts::Row* peers) {
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
    if (peers != nullptr) count_carried_peers(*peers, snapshot_, *connection, traffic);
    return true;
}

bool CarriedFlows::note(FlowRef flow, const CarriedTraffic& traffic, PeerCounts::Row* peers) {
    return flow.is_v6 ? note_in(v6_, flow, traffic, peers) : note_in(v4_, flow, traffic, peers);
}

}  // namespace podlane::dataplane
