// Frames to a group of receivers, and to unknown MAC addresses.
#include "dataplane/checksum_offload.h"
#include "dataplane/slowpath/slow_path.h"

namespace podlane::dataplane {

namespace {

/// Sends a copy by `port`. A copy, not a reference: ports finish checksums in place.
void send_copy(WorkerCtx& ctx, const Packet& packet, PortId port) noexcept {
    rte_mbuf* mbuf = rte_pktmbuf_copy(packet.mbuf, ctx.pool, 0, UINT32_MAX);
    if (mbuf == nullptr) {
        lose_unmade(ctx);
        return;
    }
    Packet copy = packet;
    copy.mbuf = mbuf;
    copy.frame = rte_pktmbuf_mtod(mbuf, uint8_t*);
    copy.send_to(port);
    emit(ctx, copy);
}

}  // namespace

void flood(WorkerCtx& ctx, Packet& packet) noexcept {
    const Snapshot& snapshot = *ctx.snapshot;
    const PortKind from = snapshot.port(packet.in_port).kind;
    if (from == PortKind::kUplink) {
        // A group of the node's network (DHCP, OSPF, VRRP, ...): for the kernel, not for the pods.
        if (snapshot.host_port != kNoPort) {
            packet.send_to(snapshot.host_port);
        } else {
            packet.drop(Drop::kMulticastUnrouted);
        }
        return;
    }
    if (from == PortKind::kHost && snapshot.host_uplink != kNoPort) {
        packet.send_to(snapshot.host_uplink);
        return;
    }
    if (from != PortKind::kPod) {
        packet.drop(Drop::kMulticastUnrouted);
        return;
    }
    // Policies do not apply to address resolution between pods.
    const bool is_free = packet.slow == SlowReason::kArp || packet.slow == SlowReason::kNd;
    const auto others = static_cast<uint32_t>(snapshot.bridge_ports.size());
    if (!ctx.budgets.of(packet.in_port).flood.take(ctx.now_ms, others, PortBudgets::kFlood)) {
        packet.drop(Drop::kFloodShareFull);
        return;
    }
    // Split horizon: never back to the sender's port.
    unsigned copies = 0;
    Drop refused = Drop::kBridgeNoPort;
    for (const PortId port : snapshot.bridge_ports) {
        if (port == packet.in_port) continue;
        const Drop drop = is_free ? Drop::kNone : judge_frame(ctx, packet, port);
        if (drop != Drop::kNone) {
            refused = drop;
            continue;
        }
        send_copy(ctx, packet, port);
        ++copies;
    }
    if (copies == 0) {
        packet.drop(refused);
        return;
    }
    consume(ctx, packet);
}

}  // namespace podlane::dataplane
