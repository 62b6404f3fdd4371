#include "dataplane/slowpath/slow_path.h"

#include <algorithm>
#include <cassert>

#include "dataplane/flow_recorder.h"
#include "dataplane/guard.h"
#include "dataplane/probe/observer.h"
#include "dataplane/stages/forward.h"
#include "dataplane/stages/lookup.h"
#include "dataplane/stages/tx.h"

namespace podlane::dataplane {

namespace {

template <Family F>
void handle_family(WorkerCtx& ctx, Packet& packet) noexcept {
    if (packet.slow == SlowReason::kFragment) {
        handle_fragment<F>(ctx, packet);
    } else if (packet.slow == SlowReason::kIcmpError) {
        handle_icmp_error<F>(ctx, packet);
    } else {
        handle_ip<F>(ctx, packet);
    }
}

void handle(WorkerCtx& ctx, Packet& packet) noexcept {
    switch (packet.slow) {
        case SlowReason::kArp:
            handle_arp(ctx, packet);
            return;
        case SlowReason::kNd:
            handle_nd(ctx, packet);
            return;
        case SlowReason::kMulticast:
            flood(ctx, packet);
            return;
        case SlowReason::kNotIp:
            bridge(ctx, packet);
            if (is_isolated(ctx, packet)) {
                const Drop drop = judge_frame(ctx, packet, packet.out_port);
                if (drop != Drop::kNone) packet.drop(drop);
            }
            break;
        case SlowReason::kNone:
        case SlowReason::kMiss:
        case SlowReason::kIcmpError:
        case SlowReason::kReroute:
        case SlowReason::kServiceChange:
        case SlowReason::kUnresolved:
        case SlowReason::kTtl:
        case SlowReason::kTooBig:
        case SlowReason::kReplace:
        case SlowReason::kFragment:
            if (packet.headers.ip_version == 4) {
                handle_family<V4>(ctx, packet);
            } else {
                handle_family<V6>(ctx, packet);
            }
            break;
    }
    // The bridge does not know the MAC address.
    if (packet.verdict == Verdict::kSlow && packet.slow == SlowReason::kMulticast) {
        flood(ctx, packet);
    }
}

/// Whether the source guard has not seen the packet yet. The look-up has checked the packets that
/// went through it, and errors out of the tunnel are checked with the flow that they quote.
bool is_unjudged(const Packet& packet) noexcept {
    const SlowReason slow = packet.slow;
    if (slow == SlowReason::kIcmpError) return !packet.is(kFromOverlay);
    return slow == SlowReason::kArp || slow == SlowReason::kNd || slow == SlowReason::kMulticast ||
           slow == SlowReason::kNotIp || slow == SlowReason::kFragment;
}

/// Whether dropping this packet means that its connection is refused, or no longer allowed. A
/// packet that is only too large or has no hops left says nothing about its connection.
bool is_of_connection(SlowReason slow) noexcept {
    return slow == SlowReason::kMiss || slow == SlowReason::kReroute ||
           slow == SlowReason::kServiceChange || slow == SlowReason::kReplace ||
           slow == SlowReason::kUnresolved;
}

/// Whether this packet will open a flow, as far as can be told now.
bool opens_flow(const Packet& packet) noexcept {
    return packet.slow == SlowReason::kMiss && packet.is(kToRouter);
}

}  // namespace

void SlowPath::run(WorkerCtx& ctx, Burst burst) noexcept {
    const auto waits = [](const Packet& packet) { return packet.verdict == Verdict::kSlow; };
    assert(ctx.slow_waits || std::ranges::none_of(burst, waits));
    if (!ctx.slow_waits) return;
    for (const Packet& packet : burst) {
        if (!waits(packet) || !opens_flow(packet)) continue;
        if (packet.headers.ip_version == 4) {
            plan_flow<V4>(ctx, packet);
        } else {
            plan_flow<V6>(ctx, packet);
        }
    }
    unsigned in = 0, taken = 0;
    for (Packet& packet : burst) {
        if (!waits(packet)) continue;
        ++in;
        const Drop drop = is_unjudged(packet) ? judge_sender(ctx, packet) : Drop::kNone;
        if (drop != Drop::kNone) {
            packet.drop(drop);
            continue;
        }
        const SlowReason slow = packet.slow;
        handle(ctx, packet);
        if (packet.verdict == Verdict::kDrop && is_of_connection(slow) &&
            ctx.recorder->wants(packet.hash)) [[unlikely]] {
            ctx.recorder->denied(ctx, packet);
        }
        taken += packet.verdict == Verdict::kConsumed;
    }
    StageCounts& counts = ctx.counters->at(PipelineStage::kSlowPath);
    counts.in.add(in);
    counts.kept.add(taken);
    ctx.plans<V4>().clear();
    ctx.plans<V6>().clear();
}

void send_as_is(WorkerCtx& ctx, Packet& packet, AdjacencyId to,
                const RawAddress& next_hop) noexcept {
    packet.adjacency = &ctx.snapshot->adjacencies[index_of(to)];
    if (packet.adjacency->is_passable()) {
        packet.verdict = Verdict::kRouted;
    } else if (packet.adjacency->kind == AdjacencyKind::kUnresolved) {
        // Control made this adjacency and is resolving it already.
        hold_for(ctx, packet, packet.adjacency->port, next_hop, false);
    } else {
        packet.drop(Drop::kNeighbourUnreachable);
    }
}

Arrival arrival_of(const WorkerCtx& ctx, const Packet& packet) noexcept {
    return {ctx.snapshot->port(packet.in_port).kind, packet.is(kFromOverlay), packet.in_port,
            false};
}

Packet make_packet(rte_mbuf* mbuf, PortId in_port) noexcept {
    Packet packet{};
    packet.mbuf = mbuf;
    packet.frame = rte_pktmbuf_mtod(mbuf, uint8_t*);
    packet.in_port = in_port;
    packet.csum = CsumState::kComplete;
    packet.headers.l3_offset = sizeof(EthernetHeader);  // what encap looks at
    return packet;
}

void emit(WorkerCtx& ctx, Packet& packet) noexcept {
    ctx.counters->made.add(1);
    const Burst one(&packet, 1);
    Forward::run(ctx, one);
    if (ctx.probes != nullptr) observe_single(ctx, packet);
    Tx::run(ctx, one);
}

bool send_bytes(WorkerCtx& ctx, PortId port, std::span<const uint8_t> frame) noexcept {
    rte_mbuf* mbuf = rte_pktmbuf_alloc(ctx.pool);
    char* room =
        mbuf == nullptr ? nullptr : rte_pktmbuf_append(mbuf, static_cast<uint16_t>(frame.size()));
    if (room == nullptr) {
        rte_pktmbuf_free(mbuf);
        lose_unmade(ctx);
        return false;
    }
    std::copy(frame.begin(), frame.end(), reinterpret_cast<uint8_t*>(room));
    Packet packet = make_packet(mbuf, port);
    packet.send_to(port);
    emit(ctx, packet);
    return true;
}

void lose_unmade(WorkerCtx& ctx) noexcept {
    ctx.counters->made.add(1);
    ctx.counters->drop(Drop::kNoMbuf);
}

void consume(WorkerCtx& ctx, Packet& packet) noexcept {
    ctx.counters->taken.add(1);
    rte_pktmbuf_free(packet.mbuf);
    packet.verdict = Verdict::kConsumed;
}

static_assert(Stage<SlowPath>);

}  // namespace podlane::dataplane
