// Next hops with a MAC address that is not known yet.
#include "dataplane/slowpath/slow_path.h"
#include "lib/base/stable_hash.h"

namespace podlane::dataplane {

namespace {

/// How long control is not asked again for the same next hop.
constexpr uint64_t kAskAgainMs = 100;

}  // namespace

void ask_for(WorkerCtx& ctx, PortId port, const RawAddress& next_hop) noexcept {
    const uint64_t mix = fnv1a(next_hop.bytes, index_of(port));
    WorkerCtx::Asked& slot = ctx.asked[(mix >> 8) % ctx.asked.size()];
    if (slot.port == port && slot.address.bytes == next_hop.bytes && slot.until_ms > ctx.now_ms) {
        return;
    }
    slot = {next_hop, port, ctx.now_ms + kAskAgainMs};
    ctx.tell({EventKind::kNeighbourNeeded, false, port, {}, next_hop});
}

void hold_for(WorkerCtx& ctx, Packet& packet, PortId port, const RawAddress& next_hop,
              bool ask) noexcept {
    // A port that asks too much has its packets held, but control is not asked for it.
    if (ask &&
        ctx.budgets.of(packet.in_port).questions.take(ctx.now_ms, 1, PortBudgets::kQuestions)) {
        ask_for(ctx, port, next_hop);
    }
    HeldPacket held{};
    held.mbuf = packet.mbuf;
    // A packet that waits again keeps its first deadline.
    held.until_ms = packet.is(kHeldBefore) ? ctx.held_until_ms : ctx.now_ms + HoldQueue::kHoldMs;
    held.in_port = packet.in_port;
    held.next_port = port;
    held.flags = static_cast<uint8_t>((packet.flags & kFromOverlay) | kHeldBefore);
    held.next_hop = next_hop;
    if (!ctx.hold.add(held)) {
        packet.drop(Drop::kNeighbourHoldFull);
        return;
    }
    ctx.counters->held.add(1);
    packet.verdict = Verdict::kConsumed;
}

}  // namespace podlane::dataplane
