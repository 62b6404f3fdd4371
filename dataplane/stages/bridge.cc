#include "dataplane/stages/bridge.h"

namespace podlane::dataplane {

bool detail::admit_source(WorkerCtx& ctx, Packet& packet, const Fdb& fdb, uint64_t src) noexcept {
    const PortSources* const sources = ctx.snapshot->port(packet.in_port).sources.get();
    if (sources != nullptr && !sources->mac.is_zero()) {
        packet.drop(Drop::kPodMacSpoofed);
        return false;
    }
    const BridgeDecision decision = judge_source(fdb, {src, 0, packet.in_port});
    if (decision.verdict == BridgeVerdict::kDrop) {
        packet.drop(decision.reason);
        return false;
    }
    const auto mac = load<EthernetHeader>(packet.frame).src;
    if (decision.new_source && !mac.is_multicast()) {
        ctx.tell({EventKind::kMacLearned, false, packet.in_port, mac, {}});
    }
    return true;
}

void bridge(WorkerCtx& ctx, Packet& packet) noexcept {
    const Snapshot& snapshot = *ctx.snapshot;
    bridge_from(ctx, snapshot.port(packet.in_port).peer_mac.as_u64(), *snapshot.fdb, packet);
}

void forward_bridged(WorkerCtx& ctx, Packet& packet) noexcept {
    const PortId meant = packet.adjacency->port;
    bridge(ctx, packet);
    if (is_isolated(ctx, packet) && packet.out_port != meant) {
        packet.drop(misled_drop(*ctx.snapshot, packet.out_port));
    }
}

}  // namespace podlane::dataplane
