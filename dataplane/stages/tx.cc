#include "dataplane/stages/tx.h"

#include <rte_ethdev.h>

#include "dataplane/checksum_offload.h"
#include "dataplane/large_frames.h"
#include "dataplane/ports/tap_io.h"
#include "dataplane/probe/observer.h"
#include "dataplane/rate_meter.h"
#include "dataplane/stages/encap.h"

namespace podlane::dataplane {

namespace {

/// Tries before the rest of a burst counts as lost: a queue that drains gets all of it.
constexpr unsigned kSendTries = 4;

void drop_all(WorkerCtx& ctx, PortId port, rte_mbuf** frames, unsigned count,
              Drop reason) noexcept {
    if (count == 0) return;
    if (ctx.probes != nullptr) observe_lost(ctx, port, {frames, count}, reason);
    ctx.counters->drop(reason, count);
    ctx.counters->ports[index_of(port)].tx_dropped.add(count);
    rte_pktmbuf_free_bulk(frames, count);
}

/// Hands frames to the worker that owns this port's send queue.
void hand_off(WorkerCtx& ctx, const Port& port, rte_mbuf** frames, unsigned count) noexcept {
    const unsigned owner = port.tx_owner[ctx.id];
    HandoffRing& ring = ctx.handoff->ring(ctx.id, owner);
    unsigned done = 0;
    while (done < count && ring.push({.mbuf = frames[done], .port = port.id})) ++done;
    if (done > 0) ctx.doorbells[owner].ring();
    drop_all(ctx, port.id, frames + done, count - done, Drop::kHandoffFull);
}

unsigned send_some(const WorkerCtx& ctx, const Port& port, rte_mbuf** frames,
                   unsigned count) noexcept {
    if (port.backend == PortBackend::kTap) return ctx.tap_io->send(port, ctx.id, frames, count);
    const uint16_t queue = port.tx_queue[ctx.id];
    unsigned sent = 0;
    for (unsigned tries = 0; sent < count && tries < kSendTries; ++tries) {
        sent += rte_eth_tx_burst(port.ethdev, queue, frames + sent,
                                 static_cast<uint16_t>(count - sent));
    }
    return sent;
}

/// Drops what is beyond what the port's pod may get; the lane keeps the rest.
[[gnu::noinline]] void drop_excess(WorkerCtx& ctx, RateMeter& limit, PortId id,
                                   TxBuffers::Lane& lane) noexcept {
    std::array<rte_mbuf*, kBurst> refused;
    const unsigned count = lane.count;
    lane.count = hold_to_limit(limit, ctx.tsc, lane.frames.data(), count, refused.data());
    const unsigned refused_count = count - lane.count;
    for (unsigned i = 0; i < refused_count; ++i) lane.bytes -= refused[i]->pkt_len;
    drop_all(ctx, id, refused.data(), refused_count, Drop::kBandwidthIngress);
}

/// Sends a lane's frames; returns how many left.
unsigned send_burst(WorkerCtx& ctx, PortId id, TxBuffers::Lane& lane) noexcept {
    rte_mbuf** const frames = lane.frames.data();
    unsigned count = lane.count;
    const Port* port = ctx.ports->get(id);
    if (port == nullptr) {
        drop_all(ctx, id, frames, count, Drop::kPortDown);
        return 0;
    }
    if (port->backend == PortBackend::kEthdev && port->tx_queue[ctx.id] == kNoQueue) {
        hand_off(ctx, *port, frames, count);
        return 0;
    }
    if (port->to_limit != nullptr) [[unlikely]] {
        drop_excess(ctx, *port->to_limit, id, lane);
        count = lane.count;
    }
    const unsigned sent = send_some(ctx, *port, frames, count);
    uint64_t bytes = lane.bytes;
    for (unsigned i = sent; i < count; ++i) bytes -= frames[i]->pkt_len;
    PortCounters& counters = ctx.counters->ports[index_of(id)];
    counters.tx_packets.add(sent);
    ctx.counters->tx_packets.add(sent);
    counters.tx_bytes.add(bytes);
    drop_all(ctx, id, frames + sent, count - sent, Drop::kTxFull);
    return sent;
}

void send_lane(WorkerCtx& ctx, PortId id, TxBuffers::Lane& lane) noexcept {
    ctx.place.at("send", id);
    const unsigned sent = send_burst(ctx, id, lane);
    ctx.tsc = rte_rdtsc();
    ctx.counters->latency.add(ctx.clock.nanoseconds(ctx.tsc - lane.since_tsc), sent);
    ctx.tx.reset(lane);
}

void drop(WorkerCtx& ctx, Packet& packet) noexcept {
    ctx.counters->drop(packet.reason);
    ctx.counters->ports[index_of(packet.in_port)].rx_dropped.add(1);
    rte_pktmbuf_free(packet.mbuf);
}

}  // namespace

namespace {

/// Sends a piece of a frame that `port` cannot take whole.
void send_piece(WorkerCtx& ctx, Packet& piece) noexcept {
    if (ctx.probes != nullptr) observe_piece(ctx, piece);
    Tx::run(ctx, {&piece, 1});
}

void send_tunnelled(WorkerCtx& ctx, Packet& piece) noexcept {
    uint8_t* const l3 = piece.frame + piece.headers.l3_offset;
    if (encap(ctx, piece, piece.frame, l3)) sum_outer_ipv6(piece);
    if (ctx.probes != nullptr) observe_piece(ctx, piece);
    Tx::run(ctx, {&piece, 1});
}

/// Whether this frame can leave by `port`; if not, the packet was dropped.
[[gnu::always_inline]] inline bool may_leave(const Port& port, Packet& packet) noexcept {
    rte_mbuf& mbuf = *packet.mbuf;
    const bool too_long = mbuf.pkt_len > port.caps.max_frame_bytes;
    if (too_long || (mbuf.nb_segs > 1 && !port.caps.tx_multi_segment &&
                     rte_pktmbuf_linearize(&mbuf) != 0)) [[unlikely]] {
        packet.drop(Drop::kTxTooLong);
        return false;
    }
    return true;
}

}  // namespace

void send_frame(WorkerCtx& ctx, PortId port, rte_mbuf* mbuf) noexcept {
    TxBuffers::Lane& lane = ctx.tx.lane(port);
    lane.frames[lane.count++] = mbuf;
    lane.bytes += mbuf->pkt_len;
    if (lane.count == lane.frames.size()) send_lane(ctx, port, lane);
}

namespace {

/// The lane of the port by which packets leave now: usually that of the packet before. Its counts
/// stay in registers; close() before anything else looks at the lane. All inlined, for that.
struct OpenLane {
    static constexpr uint32_t kNothing = ~0u;  ///< is_plainly_sent() of no packet

    PortId id = kNoPort;
    uint32_t plain = kNothing;  ///< Packet::plainly_sent() by an existing port
    const Port* port = nullptr;
    TxBuffers::Lane* lane = nullptr;
    unsigned count = 0;
    uint64_t bytes = 0;

    [[gnu::always_inline]] void open(WorkerCtx& ctx, PortId wanted) noexcept {
        close();
        id = wanted;
        port = ctx.ports->get(wanted);
        if (port == nullptr) return;
        plain = Packet::plainly_sent(wanted);
        lane = &ctx.tx.lane(wanted);
        count = lane->count;
        bytes = lane->bytes;
    }
    [[gnu::always_inline]] void close() noexcept {
        if (lane != nullptr) {
            lane->count = count;
            lane->bytes = bytes;
        }
        lane = nullptr;
        port = nullptr;
        id = kNoPort;
        plain = kNothing;
    }
    [[gnu::always_inline]] void append(WorkerCtx& ctx, rte_mbuf* mbuf) noexcept {
        lane->frames[count++] = mbuf;
        bytes += mbuf->pkt_len;
        if (count == lane->frames.size()) [[unlikely]] {
            TxBuffers::Lane& full = *lane;
            const PortId to = id;
            close();
            send_lane(ctx, to, full);
        }
    }
};

/// Frees a dropped packet, and cuts a large one for the tunnel.
[[gnu::always_inline]] inline void end_other(WorkerCtx& ctx, OpenLane& open,
                                             Packet& packet) noexcept {
    if (packet.verdict == Verdict::kDrop) {
        ctx.counters->at(packet.dropped_in).kept.add(1);
        drop(ctx, packet);
    } else if (packet.verdict == Verdict::kCut) {
        open.close();
        cut(ctx, packet, send_tunnelled);
    }
}

/// Opens a kSend packet's lane. False: the packet was dropped, or cut and sent in pieces.
[[gnu::always_inline]] inline bool open_lane(WorkerCtx& ctx, OpenLane& open,
                                             Packet& packet) noexcept {
    if (packet.out_port != open.id) open.open(ctx, packet.out_port);
    if (open.port == nullptr) [[unlikely]] {
        packet.drop(Drop::kPortDown);
        return false;
    }
    if (!packet.is(kLarge) || takes_whole(*open.port, packet)) return true;
    open.close();
    cut(ctx, packet, send_piece);
    return false;
}

}  // namespace

void Tx::run(WorkerCtx& ctx, Burst burst) noexcept {
    OpenLane open;
    unsigned others = 0;
    for (Packet& packet : burst) {
        // Nearly all leave as the packet before.
        const bool is_plain = packet.is_plainly_sent(open.plain);
        if (!is_plain && packet.verdict != Verdict::kSend) [[unlikely]] {
            ++others;
            end_other(ctx, open, packet);
            continue;
        }
        if ((is_plain || open_lane(ctx, open, packet)) && may_leave(*open.port, packet))
            [[likely]] {
            hand_over_checksum(packet, *open.port);
            open.append(ctx, packet.mbuf);
            continue;
        }
        if (packet.verdict != Verdict::kDrop) continue;  // it was cut
        if (ctx.probes != nullptr) observe_single(ctx, packet);
        end_other(ctx, open, packet);
    }
    open.close();
    ctx.counters->at(PipelineStage::kTx).in.add(burst.size() - others);
}

void flush(WorkerCtx& ctx) noexcept {
    ctx.tx.drain([&ctx](PortId port, TxBuffers::Lane& lane) { send_lane(ctx, port, lane); });
}

static_assert(Stage<Tx>);

}  // namespace podlane::dataplane
