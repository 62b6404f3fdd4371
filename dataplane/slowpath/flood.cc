// Frames to a group of receivers, and to unknown MAC addresses: a few copies in each turn of the
// worker, so that other frames do not wait for all of them.
#include <algorithm>

#include "dataplane/checksum_offload.h"
#include "dataplane/slowpath/slow_path.h"
#include "dataplane/stages/defer.h"

namespace podlane::dataplane {

namespace {

/// Copies of one frame in a turn: each is a system call, and what the receiver's kernel does with
/// it.
constexpr unsigned kAtOnce = 8;

/// How far a frame has come that waits for its next copies (kHeldBefore). It stands in its mbuf, in
/// the field of the hash, for which nobody asks any more.
struct FloodPlace {
    uint16_t next = 0;      ///< the lowest port that may not have it yet
    bool was_sent = false;  ///< somebody has got one

    static constexpr uint32_t kMark = 0xf1000000, kSent = 0x10000;

    [[nodiscard]] static bool is_in(const Packet& packet) noexcept {
        return packet.is(kHeldBefore) && (packet.mbuf->hash.usr & kMark) == kMark;
    }
    [[nodiscard]] static FloodPlace of(const Packet& packet) noexcept {
        const uint32_t word = packet.mbuf->hash.usr;
        return {static_cast<uint16_t>(word), (word & kSent) != 0};
    }
};

/// Lets the frame wait for the next turn: the worker takes one such frame in each.
void wait_for_turn(WorkerCtx& ctx, Packet& packet, FloodPlace place) noexcept {
    uint16_t& waiting = ctx.budgets.of(packet.in_port).deferred;
    packet.mbuf->hash.usr =
        FloodPlace::kMark | (place.was_sent ? FloodPlace::kSent : 0) | place.next;
    if (waiting < kMostDeferred &&
        deferred(ctx).push({packet.mbuf, packet.in_port, true, kHeldBefore})) {
        ++waiting;
        packet.verdict = Verdict::kConsumed;
    } else {
        packet.drop(Drop::kFloodShareFull);
    }
}

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
    const auto& ports = snapshot.bridge_ports;
    const auto others = static_cast<uint32_t>(ports.size());
    const bool goes_on = FloodPlace::is_in(packet);
    FloodPlace place = goes_on ? FloodPlace::of(packet) : FloodPlace{};
    if (!goes_on &&
        !ctx.budgets.of(packet.in_port).flood.take(ctx.now_ms, others, PortBudgets::kFlood)) {
        packet.drop(Drop::kFloodShareFull);
        return;
    }
    if (!goes_on && others > kAtOnce && ctx.budgets.of(packet.in_port).deferred > 0) {
        wait_for_turn(ctx, packet, place);
        return;
    }
    // Split horizon: never back to the sender's port.
    unsigned copies = 0;
    Drop refused = Drop::kBridgeNoPort;
    for (auto at = std::ranges::lower_bound(ports, PortId{place.next}); at != ports.end(); ++at) {
        const PortId port = *at;
        if (port == packet.in_port) continue;
        if (copies == kAtOnce) {
            wait_for_turn(ctx, packet, {static_cast<uint16_t>(index_of(port)), true});
            return;
        }
        const Drop drop = is_free ? Drop::kNone : judge_frame(ctx, packet, port);
        if (drop != Drop::kNone) {
            refused = drop;
            continue;
        }
        send_copy(ctx, packet, port);
        ++copies;
    }
    if (copies == 0 && !place.was_sent) {
        packet.drop(refused);
        return;
    }
    consume(ctx, packet);
}

}  // namespace podlane::dataplane
