#include "dataplane/stages/forward.h"

#include <array>
#include <utility>

#include "dataplane/peer_traffic.h"
#include "dataplane/stages/encap.h"
#include "dataplane/stages/rewrite.h"

namespace podlane::dataplane {

namespace {

/// Of a connection, and not dropped: also what the bridge sends as it is, by a flow's permission.
bool is_carried(const Packet& packet) noexcept {
    return packet.verdict == Verdict::kForward ||
           (packet.verdict == Verdict::kSend && packet.entry != nullptr);
}

/// Adds each packet to its connection's counts. In two rounds, so that their misses overlap. Out of
/// line, so that the way without counting stays as it was.
[[gnu::noinline]] void count_traffic(WorkerCtx& ctx, Burst burst) noexcept {
    std::array<TrafficCounts::Cell*, kBurst> cells;
    unsigned count = 0;
    for (const Packet& packet : burst) {
        if (!is_carried(packet)) continue;
        TrafficCounts::Cell& cell = packet.headers.ip_version == V4::kVersion
                                        ? ctx.flows_v4->traffic_cell(ctx.id, packet.flow<V4>())
                                        : ctx.flows_v6->traffic_cell(ctx.id, packet.flow<V6>());
        __builtin_prefetch(&cell, 1);
        cells[count++] = &cell;
    }
    count = 0;
    for (const Packet& packet : burst) {
        if (is_carried(packet)) cells[count++]->add(packet.headers.l3_bytes);
    }
}

}  // namespace

void Forward::run(WorkerCtx& ctx, Burst burst) noexcept {
    if (std::exchange(ctx.all_bridged, false)) return;
    if (ctx.counts_traffic) [[unlikely]]
        count_traffic(ctx, burst);
    if (ctx.peers != nullptr) [[unlikely]]
        count_from_peers(ctx, burst);
    std::array<const Packet*, kBurst> unsummed;
    unsigned count = 0, others = 0;
    for (Packet& packet : burst) {
        uint8_t* const frame = packet.frame;
        uint8_t* const l3 = frame + packet.headers.l3_offset;
        if (packet.verdict == Verdict::kForward) [[likely]] {
            rewrite(packet);
        } else if (packet.verdict != Verdict::kRouted) {
            ++others;
            continue;
        }
        if (encap(ctx, packet, frame, l3)) unsummed[count++] = &packet;
    }
    for (unsigned i = 0; i < count; ++i) sum_outer_ipv6(*unsummed[i]);
    if (ctx.peers != nullptr) [[unlikely]]
        count_to_peers(ctx, burst);
    ctx.counters->at(PipelineStage::kForward).in.add(burst.size() - others);
}

static_assert(Stage<Forward>);

}  // namespace podlane::dataplane
