#include "dataplane/peer_traffic.h"

#include <algorithm>

#include "dataplane/large_frames.h"

namespace podlane::dataplane {

namespace {

/// A packet as it is on the wire, without link and tunnel headers.
struct Size {
    uint64_t packets = 1, bytes = 0;
};

uint8_t version_of(const Packet& packet) noexcept {
    return packet.frame[packet.headers.l3_offset] >> 4;
}

/// Of a packet that was made here, and never parsed.
uint32_t made_l3_bytes(const Packet& packet) noexcept {
    const uint8_t* const ip = packet.frame + packet.headers.l3_offset;
    if (version_of(packet) == V4::kVersion) return load<Ipv4Header>(ip).total_bytes.host();
    return uint32_t{load<Ipv6Header>(ip).payload_bytes.host()} + V6::kMinHeaderBytes;
}

Size size_of(const Packet& packet) noexcept {
    const Headers& headers = packet.headers;
    if (headers.ip_version == 0) return {1, made_l3_bytes(packet)};
    if (!packet.is(kLarge)) return {1, headers.l3_bytes};
    const uint32_t header_bytes = uint32_t{headers.payload_offset} - headers.l3_offset;
    const uint32_t payload = headers.l3_bytes - header_bytes;
    const uint32_t segment = std::max<uint32_t>(tap_marks(*packet.mbuf).segment_bytes, 1);
    const uint64_t pieces = (payload + segment - 1) / segment;
    return {pieces, payload + pieces * header_bytes};
}

template <Family F>
NodeNumber node_at(const Snapshot& snapshot, const typename F::Address& address) noexcept {
    const NodeNumber* const node = snapshot.family<F>().node_prefixes->find(address);
    return node == nullptr ? NodeNumber{kMaxNodeNumbers} : *node;
}

NodeNumber sender_of(const Snapshot& snapshot, const Packet& packet) noexcept {
    if (packet.is(kFromOverlay)) return node_of_ingress(packet.ingress);
    return packet.headers.ip_version == V4::kVersion
               ? node_at<V4>(snapshot, src_address<V4>(packet.frame, packet.headers))
               : node_at<V6>(snapshot, src_address<V6>(packet.frame, packet.headers));
}

NodeNumber receiver_of(const Snapshot& snapshot, const Packet& packet) noexcept {
    switch (version_of(packet)) {
        case V4::kVersion:
            return node_at<V4>(snapshot, dst_address<V4>(packet.frame, packet.headers));
        case V6::kVersion:
            return node_at<V6>(snapshot, dst_address<V6>(packet.frame, packet.headers));
        default:
            return NodeNumber{kMaxNodeNumbers};
    }
}

bool is_uplink(const WorkerCtx& ctx, PortId port) noexcept {
    return ctx.snapshot->port(port).kind == PortKind::kUplink;
}

bool leaves_by_uplink(const WorkerCtx& ctx, const Packet& packet) noexcept {
    if (packet.verdict == Verdict::kSend) return is_uplink(ctx, packet.out_port);
    return packet.verdict == Verdict::kCut && is_uplink(ctx, packet.adjacency->port);
}

}  // namespace

void count_from_peers(const WorkerCtx& ctx, Burst burst) noexcept {
    for (const Packet& packet : burst) {
        if (packet.verdict != Verdict::kForward && packet.verdict != Verdict::kRouted) continue;
        if (packet.headers.ip_version == 0) continue;  // made here
        if (!packet.is(kFromOverlay) && !is_uplink(ctx, packet.in_port)) continue;
        const NodeNumber node = sender_of(*ctx.snapshot, packet);
        if (node == NodeNumber{kMaxNodeNumbers}) continue;
        const Size size = size_of(packet);
        PeerCounts::Cell& cell = ctx.peers->of(node);
        cell.rx_packets.add(size.packets);
        cell.rx_bytes.add(size.bytes);
    }
}

void count_to_peers(const WorkerCtx& ctx, Burst burst) noexcept {
    for (const Packet& packet : burst) {
        if (!leaves_by_uplink(ctx, packet)) continue;
        const NodeNumber node = receiver_of(*ctx.snapshot, packet);
        if (node == NodeNumber{kMaxNodeNumbers}) continue;
        const Size size = size_of(packet);
        PeerCounts::Cell& cell = ctx.peers->of(node);
        cell.tx_packets.add(size.packets);
        cell.tx_bytes.add(size.bytes);
    }
}

template <Family F>
void count_carried_peers(PeerCounts::Row& peers, const Snapshot& snapshot,
                         const Connection<F>& connection, const CarriedTraffic& traffic) noexcept {
    for (size_t i = 0; i < traffic.packets.size(); ++i) {
        const FlowEntry<F>& entry = connection.entry[i];
        const uint16_t ingress = entry.current_hop().ingress;
        const bool is_tunnelled = ingress >= kTunnelIngress;
        if (!is_tunnelled && snapshot.port(PortId{ingress}).kind != PortKind::kUplink) continue;
        const NodeNumber node =
            is_tunnelled ? node_of_ingress(ingress) : node_at<F>(snapshot, entry.key.src);
        if (node == NodeNumber{kMaxNodeNumbers}) continue;
        PeerCounts::Cell& cell = peers.of(node);
        cell.rx_packets.add(traffic.packets[i]);
        cell.rx_bytes.add(traffic.bytes[i]);
        cell.tx_packets.add(traffic.packets[i ^ 1]);
        cell.tx_bytes.add(traffic.bytes[i ^ 1]);
    }
}

template void count_carried_peers<V4>(PeerCounts::Row&, const Snapshot&, const Connection<V4>&,
                                      const CarriedTraffic&) noexcept;
template void count_carried_peers<V6>(PeerCounts::Row&, const Snapshot&, const Connection<V6>&,
                                      const CarriedTraffic&) noexcept;

}  // namespace podlane::dataplane
