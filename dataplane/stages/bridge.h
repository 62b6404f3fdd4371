// The bridge between the node's pods: frames for another MAC address than the router's.
//
// Lookup bridges plain frames in its loop over a burst, and packets of flows after it; the slow
// path bridges single packets. lib/decide/bridge.h decides.
#pragma once

#include "dataplane/stages/stage.h"
#include "dataplane/worker_ctx.h"
#include "lib/decide/bridge.h"

namespace podlane::dataplane {

/// Leaves a packet to SlowPath, and tells SlowPath that this burst has work for it.
inline void leave_to_slow_path(WorkerCtx& ctx, Packet& packet, SlowReason why) noexcept {
    packet.to_slow(why);
    ctx.slow_waits = true;
}

namespace detail {

/// For a source MAC that is not the pod's own: learns it, or drops the packet and returns false.
[[nodiscard, gnu::noinline]] bool admit_source(WorkerCtx& ctx, Packet& packet, const Fdb& fdb,
                                               uint64_t src) noexcept;

}  // namespace detail

/// Bridges a unicast frame from the port of the pod with the MAC `peer`, as MacAddress::as_u64()
/// gives it.
[[gnu::always_inline]] inline void bridge_from(WorkerCtx& ctx, uint64_t peer, const Fdb& fdb,
                                               Packet& packet) noexcept {
    const uint64_t src = src_mac_word(packet.frame);
    if (src != peer && !detail::admit_source(ctx, packet, fdb, src)) [[unlikely]]
        return;
    const BridgeDecision decision =
        find_destination(fdb, dst_mac_word(packet.frame), packet.in_port);
    if (decision.verdict == BridgeVerdict::kSend) [[likely]] {
        packet.send_to(decision.port);
    } else if (decision.verdict == BridgeVerdict::kFlood) {
        leave_to_slow_path(ctx, packet, SlowReason::kMulticast);
    } else {
        packet.drop(decision.reason);
    }
}

/// Sends a unicast frame for another MAC on the bridge to that MAC's port. If the MAC is not known,
/// `packet` is left to the slow path.
void bridge(WorkerCtx& ctx, Packet& packet) noexcept;

/// bridge() for a packet of a flow. A flow permits one way only: if policies apply and the MAC
/// leads to another pod than the flow does, the packet is dropped.
void forward_bridged(WorkerCtx& ctx, Packet& packet) noexcept;

/// Whether a NetworkPolicy applies to a frame that bridge() sends.
[[nodiscard]] inline bool is_isolated(const WorkerCtx& ctx, const Packet& packet) noexcept {
    return packet.verdict == Verdict::kSend &&
           podlane::is_isolated(*ctx.snapshot, packet.in_port, packet.out_port);
}

/// Whether a frame that bridge() sends needs a flow: because policies must allow its connection, or
/// because these two pods may have a connection through a ClusterIP with replies that look like
/// this frame.
[[nodiscard]] inline bool needs_flow(const WorkerCtx& ctx, const Packet& packet) noexcept {
    if (is_isolated(ctx, packet)) return true;
    return packet.verdict == Verdict::kSend && ctx.flow_targets->has(packet.in_port) &&
           ctx.flow_targets->has(packet.out_port) &&
           (packet.headers.has(Headers::kPorts) || packet.headers.has(Headers::kEchoRequest));
}

}  // namespace podlane::dataplane
