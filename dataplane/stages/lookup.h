// Stage 4: finds each packet's flow and checks that what was compiled for it still holds.
#pragma once

#include "dataplane/stages/stage.h"

namespace podlane::dataplane {

/// Looks up the burst, family by family, and leaves each packet with kForward (flow and adjacency
/// known), with the slow path, or with the bridge's port. Cost: two cache lines a packet,
/// prefetched over the burst.
struct Lookup {
    static constexpr const char* kName = "lookup";
    static void run(WorkerCtx& ctx, Burst burst) noexcept;
};

/// Checks a flow against the snapshot and this packet, notes the packet in the flow's state and
/// sets packet.adjacency. Anything but kNone is for the slow path; the flow is unchanged then.
template <Family F>
[[nodiscard]] SlowReason check_flow(WorkerCtx& ctx, Packet& packet, FlowEntry<F>& entry) noexcept;

/// Sends a unicast frame for another MAC on the bridge to where that MAC is. `packet` is for the
/// slow path when the MAC is not known.
void bridge(WorkerCtx& ctx, Packet& packet) noexcept;

/// bridge() for a packet of a flow. A flow is the permission for one way: a MAC address that leads
/// to another pod than the flow does not.
void forward_bridged(WorkerCtx& ctx, Packet& packet) noexcept;

/// What becomes of a packet whose flow holds. One that came over the bridge and that its flow
/// leaves alone goes on as it is: what is routed between pods changes the TTL at least.
[[gnu::always_inline]] inline void forward(WorkerCtx& ctx, Packet& packet,
                                           uint8_t rewrite_flags) noexcept {
    packet.verdict = Verdict::kForward;
    if (rewrite_flags == 0 && !packet.is(kToRouter)) [[unlikely]]
        forward_bridged(ctx, packet);
}

/// Whether a NetworkPolicy has a say about a frame that bridge() sends.
[[nodiscard]] inline bool is_isolated(const WorkerCtx& ctx, const Packet& packet) noexcept {
    return packet.verdict == Verdict::kSend &&
           (ctx.snapshot->polices(packet.in_port) || ctx.snapshot->polices(packet.out_port));
}

/// Why a isolated frame is dropped that leads to another pod than its addresses say.
[[nodiscard]] inline Drop policy_drop(const WorkerCtx& ctx, const Packet& packet) noexcept {
    return ctx.snapshot->polices(packet.out_port) ? Drop::kPolicyIngress : Drop::kPolicyEgress;
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

/// The TTL or hop limit.
template <Family F>
[[nodiscard]] inline uint8_t ttl_of(const Packet& packet) noexcept {
    constexpr size_t kField =
        std::same_as<F, V4> ? offsetof(Ipv4Header, ttl) : offsetof(Ipv6Header, hop_limit);
    return packet.frame[packet.headers.l3_offset + kField];
}

}  // namespace podlane::dataplane
