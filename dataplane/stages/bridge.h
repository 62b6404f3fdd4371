// The bridge between the node's pods: frames that are for another MAC address than the router's.
//
// Lookup sends plain frames on in its loop over a burst, and those of flows behind it; the slow
// path asks for single ones. What is decided is lib/decide/bridge.h's.
#pragma once

#include "dataplane/stages/stage.h"
#include "dataplane/worker_ctx.h"
#include "lib/decide/bridge.h"

namespace podlane::dataplane {

/// Tells SlowPath, too, that there is something for it in this burst.
inline void leave_to_slow_path(WorkerCtx& ctx, Packet& packet, SlowReason why) noexcept {
    packet.to_slow(why);
    ctx.slow_waits = true;
}

namespace detail {

/// Of a source that is not the pod's own: learned, or false: the packet is dropped.
[[nodiscard, gnu::noinline]] bool admit_source(WorkerCtx& ctx, Packet& packet, const Fdb& fdb,
                                               uint64_t src) noexcept;

}  // namespace detail

/// Sends a unicast frame from a port whose pod's MAC is `peer`, as MacAddress::as_u64() gives it.
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

/// Sends a unicast frame for another MAC on the bridge to where that MAC is. `packet` is for the
/// slow path when the MAC is not known.
void bridge(WorkerCtx& ctx, Packet& packet) noexcept;

/// bridge() for a packet of a flow. A flow is the permission for one way: a MAC address that leads
/// to another pod than the flow does not.
void forward_bridged(WorkerCtx& ctx, Packet& packet) noexcept;

/// Whether a NetworkPolicy has a say about a frame that bridge() sends.
[[nodiscard]] inline bool is_isolated(const WorkerCtx& ctx, const Packet& packet) noexcept {
    return packet.verdict == Verdict::kSend &&
           podlane::is_isolated(*ctx.snapshot, packet.in_port, packet.out_port);
}

/// Whether a frame that bridge() sends must have a flow all the same: it needs a policy's
/// permission, or between these two pods there may be a connection through a ClusterIP, whose
/// answers look like this one's.
[[nodiscard]] inline bool needs_flow(const WorkerCtx& ctx, const Packet& packet) noexcept {
    if (is_isolated(ctx, packet)) return true;
    return packet.verdict == Verdict::kSend && ctx.flow_targets->has(packet.in_port) &&
           ctx.flow_targets->has(packet.out_port) &&
           (packet.headers.has(Headers::kPorts) || packet.headers.has(Headers::kEchoRequest));
}

}  // namespace podlane::dataplane
