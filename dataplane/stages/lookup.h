// Stage 4: finds each packet's flow and checks that what was compiled for it is still valid.
#pragma once

#include "dataplane/stages/bridge.h"
#include "dataplane/stages/stage.h"

namespace podlane::dataplane {

/// Looks up the burst, family by family. Leaves each packet with kForward (flow and adjacency
/// known), to the slow path, or with the bridge's port. Cost: two cache lines a packet, prefetched
/// over the burst.
struct Lookup {
    static constexpr const char* kName = "lookup";
    static void run(WorkerCtx& ctx, Burst burst) noexcept;
};

/// Checks a flow against the snapshot and this packet, updates the flow's state and sets
/// packet.adjacency. Any result but kNone is for the slow path; the flow is unchanged then.
template <Family F>
[[nodiscard]] SlowReason check_flow(WorkerCtx& ctx, Packet& packet, FlowEntry<F>& entry) noexcept;

/// Sends on a packet with a valid flow. A bridged packet that its flow does not change goes on as
/// it is; a packet routed between pods changes at least its TTL.
[[gnu::always_inline]] inline void forward(WorkerCtx& ctx, Packet& packet,
                                           uint8_t rewrite_flags) noexcept {
    packet.verdict = Verdict::kForward;
    if (rewrite_flags == 0 && !packet.is(kToRouter)) [[unlikely]]
        forward_bridged(ctx, packet);
}

/// The packet's TTL or hop limit.
template <Family F>
[[nodiscard]] inline uint8_t ttl_of(const Packet& packet) noexcept {
    constexpr size_t kField =
        std::same_as<F, V4> ? offsetof(Ipv4Header, ttl) : offsetof(Ipv6Header, hop_limit);
    return packet.frame[packet.headers.l3_offset + kField];
}

}  // namespace podlane::dataplane
