#include "dataplane/probe/observer.h"

#include <rte_cycles.h>

#include <algorithm>
#include <bit>

#include "dataplane/large_frames.h"

namespace podlane::dataplane {

namespace {

/// Bytes of a frame in a trace: all headers that a stage can have written.
constexpr size_t kTraceBytes = 192;

constexpr uint64_t bit(size_t index) noexcept {
    return uint64_t{1} << index;
}

/// Calls `visit(index)` for each bit that is set. Nearly always none is.
template <class Visit>
void for_each_bit(uint64_t bits, Visit visit) noexcept {
    for (; bits != 0; bits &= bits - 1) visit(static_cast<size_t>(std::countr_zero(bits)));
}

/// Copies `count` bytes of a frame, which may span buffers, from `skip` on.
void copy_frame(const rte_mbuf* mbuf, size_t skip, size_t count, uint8_t* to) noexcept {
    for (; mbuf != nullptr && count > 0; mbuf = mbuf->next) {
        const size_t here = rte_pktmbuf_data_len(mbuf);
        if (skip >= here) {
            skip -= here;
            continue;
        }
        const size_t part = std::min(here - skip, count);
        std::copy_n(rte_pktmbuf_mtod(mbuf, const uint8_t*) + skip, part, to);
        to += part;
        count -= part;
        skip = 0;
    }
}

template <Family F>
RecordedFlow recorded(const FlowKey<F>& key) noexcept {
    return {key.src, key.dst, key.src_port.host(), key.dst_port.host(), key.protocol};
}

template <Family F>
void record_flow(RecordHeader& record, const Packet& packet) noexcept {
    const Connection<F>& connection = connection_of(packet.flow<F>());
    record.has_flow = true;
    record.flow = recorded<F>(connection.original().key);
    record.reply = recorded<F>(connection.reply().key);
}

/// Bytes before the inner frame of a packet that leaves by a tunnel; 0 for others.
size_t tunnel_bytes(const Packet& packet) noexcept {
    const auto* const head = rte_pktmbuf_mtod(packet.mbuf, const uint8_t*);
    return packet.frame > head ? static_cast<size_t>(packet.frame - head) : 0;
}

/// Whether the packet's flow is known, and was not refused.
bool has_flow(const Packet& packet) noexcept {
    return packet.entry != nullptr &&
           (packet.verdict != Verdict::kDrop || packet.dropped_in > PipelineStage::kSlowPath);
}

/// A bit for each packet that came out of a tunnel.
uint64_t out_of_tunnel(std::span<const Packet> burst) noexcept {
    uint64_t found = 0;
    for (size_t i = 0; i < burst.size(); ++i) {
        const Packet& packet = burst[i];
        const bool is_there = packet.verdict != Verdict::kConsumed;
        found |= uint64_t{is_there && packet.is(kFromOverlay)} << i;
    }
    return found;
}

/// A bit for each packet that leaves by a tunnel.
uint64_t into_tunnel(std::span<const Packet> burst) noexcept {
    uint64_t found = 0;
    for (size_t i = 0; i < burst.size(); ++i) {
        if (burst[i].verdict == Verdict::kSend && tunnel_bytes(burst[i]) != 0) found |= bit(i);
    }
    return found;
}

}  // namespace

ProbeObserver::ProbeObserver(WorkerCtx& ctx, const ProbeSet& probes, bool again) noexcept
    : ctx_(ctx), count_(probes.count), again_(again) {
    for (size_t i = 0; i < count_; ++i) {
        View& view = views_[i];
        view.probe = probes.probes[i];
        view.has_last = view.followed = 0;
        has_trace_ |= view.probe->is_trace();
        has_inside_ |= view.probe->wants(kProbeInside);
        ++view.probe->lane(ctx_.id).observers;
    }
}

ProbeObserver::~ProbeObserver() {
    // A packet that the slow path makes within a burst must not commit the burst's records.
    for (size_t i = 0; i < count_; ++i) {
        Probe::Lane& lane = views_[i].probe->lane(ctx_.id);
        if (--lane.observers == 0) lane.ring.commit();
    }
}

void ProbeObserver::fill(RecordHeader& record, const Packet& packet, size_t index) const noexcept {
    record.verdict = packet.verdict;
    record.slow = slow_[index];
    record.reason = packet.verdict == Verdict::kDrop ? packet.reason : Drop::kNone;
    record.out_port = packet.verdict == Verdict::kSend  ? packet.out_port
                      : packet.verdict == Verdict::kCut ? packet.adjacency->port
                                                        : kNoPort;
    if (!has_flow(packet)) return;
    if (packet.headers.ip_version == V4::kVersion) {
        record_flow<V4>(record, packet);
    } else {
        record_flow<V6>(record, packet);
    }
}

RecordHeader* ProbeObserver::write(View& view, const Packet& packet, size_t index, uint8_t point,
                                   size_t skip) noexcept {
    Probe& probe = *view.probe;
    const std::span<const uint8_t> head = packet.head();
    const uint32_t wire = rte_pktmbuf_pkt_len(packet.mbuf) - static_cast<uint32_t>(skip);
    if (point != 0 && (!probe.matches(head.subspan(std::min(skip, head.size())), wire) ||
                       !probe.may_see(ctx_.id, ctx_.now_ms))) {
        return nullptr;
    }
    const size_t most = point == 0 ? kTraceBytes : probe.request().snap_bytes;
    const size_t bytes = std::min<size_t>(wire, most);
    Probe::Lane& lane = probe.lane(ctx_.id);
    RecordHeader* const record = lane.ring.append(bytes);
    if (record == nullptr) {
        lane.missed.add(1);
        return nullptr;
    }
    *record = {};
    record->packet = first_number_ + index;
    record->tsc = rte_rdtsc();
    record->wire_bytes = wire;
    record->burst = burst_;
    record->in_port = packet.in_port;
    record->out_port = kNoPort;
    record->point = point;
    copy_frame(packet.mbuf, skip, bytes, reinterpret_cast<uint8_t*>(record + 1));
    return record;
}

void ProbeObserver::begin(std::span<const Packet> burst) noexcept {
    burst_begin_ = burst.data();
    burst_ = static_cast<uint16_t>(burst.size());
    first_number_ = uint64_t{ctx_.id} << 48 | (ctx_.observed + 1);
    ctx_.observed += burst.size();
    if (burst.empty()) return;
    const Snapshot& snapshot = *ctx_.snapshot;
    may_be_tunnelled_ =
        snapshot.overlay.enabled && snapshot.port(burst.front().in_port).kind == PortKind::kUplink;
    for (size_t i = 0; i < count_; ++i) {
        View& view = views_[i];
        if (view.probe->is_trace()) {
            follow(view, burst, false);
            follows_ |= view.followed != 0;
        } else if (view.probe->wants(kProbeIn) && !again_) {
            begin_capture(view, burst);
        }
    }
    if (follows_) stage_began_ = rte_rdtsc();
}

void ProbeObserver::note_slow(std::span<const Packet> burst) noexcept {
    for (size_t i = 0; i < burst.size(); ++i) {
        if (burst[i].verdict == Verdict::kSlow) slow_[i] = burst[i].slow;
    }
}

void ProbeObserver::begin_capture(View& view, std::span<const Packet> burst) noexcept {
    if (!view.probe->concerns(burst.front().in_port)) return;
    for_each_bit(view.probe->may_match(burst), [&](size_t i) {
        RecordHeader* const record = write(view, burst[i], i, kProbeIn, 0);
        if (record == nullptr) return;
        view.last[i] = record;
        view.has_last |= bit(i);
    });
}

void ProbeObserver::all_inside(std::span<const Packet> burst) noexcept {
    if (!has_inside_ || again_ || burst.empty()) return;
    for (size_t i = 0; i < count_; ++i) inside(views_[i], burst);
}

void ProbeObserver::inside(View& view, std::span<const Packet> burst) noexcept {
    if (!view.probe->wants(kProbeInside) || !view.probe->concerns(burst.front().in_port)) return;
    for (size_t i = 0; i < burst.size(); ++i) {
        if (!burst[i].is(kFromOverlay)) continue;
        if (RecordHeader* const record = write(view, burst[i], i, kProbeInside, 0)) {
            fill(*record, burst[i], i);
        }
    }
}

void ProbeObserver::end_captures(std::span<const Packet> burst) noexcept {
    for (size_t i = 0; i < count_; ++i) {
        if (!views_[i].probe->is_trace()) end_capture(views_[i], burst);
    }
}

void ProbeObserver::end_capture(View& view, std::span<const Packet> burst) noexcept {
    constexpr uint8_t kEnds = kProbeInside | kProbeOut | kProbeDrop;
    // Now the fate of the received packets is known.
    for_each_bit(view.has_last, [&](size_t i) { fill(*view.last[i], burst[i], i); });
    if (!view.probe->wants(kEnds)) return;
    uint64_t ends = view.probe->may_match_ending(burst);
    // The filter is asked about what is inside of the tunnel.
    if (view.probe->wants(kProbeInside)) ends |= into_tunnel(burst);
    for_each_bit(ends, [&](size_t i) { end_packet(view, burst[i], i); });
}

void ProbeObserver::end_packet(View& view, const Packet& packet, size_t index) noexcept {
    const Probe& probe = *view.probe;
    if (packet.verdict == Verdict::kSend) {
        if (!is_cut(packet)) leaves(view, packet, index);
        return;
    }
    if (packet.verdict != Verdict::kDrop || !probe.wants(kProbeDrop)) return;
    const auto& reason = probe.request().reason;
    if (!probe.concerns(packet.in_port) || (reason && *reason != packet.reason)) return;
    if (auto* record = write(view, packet, index, kProbeDrop, 0)) fill(*record, packet, index);
}

void ProbeObserver::leaves(View& view, const Packet& packet, size_t index) noexcept {
    const Probe& probe = *view.probe;
    if (!probe.concerns(packet.out_port)) return;
    const size_t outer = probe.wants(kProbeInside) ? tunnel_bytes(packet) : 0;
    if (outer != 0) {
        if (auto* record = write(view, packet, index, kProbeInside, outer)) {
            fill(*record, packet, index);
        }
    }
    if (!probe.wants(kProbeOut)) return;
    if (auto* record = write(view, packet, index, kProbeOut, 0)) fill(*record, packet, index);
}

bool ProbeObserver::is_cut(const Packet& packet) const noexcept {
    if (!packet.is(kLarge)) [[likely]]
        return false;
    const Port* const port = ctx_.ports->get(packet.out_port);
    return port != nullptr && !takes_whole(*port, packet);
}

void ProbeObserver::follow(View& view, std::span<const Packet> burst, bool with_inner) noexcept {
    Probe& probe = *view.probe;
    if (!probe.concerns(burst.front().in_port)) return;
    const uint64_t fitting =
        with_inner ? out_of_tunnel(burst) & ~view.has_last : probe.may_match(burst);
    for_each_bit(fitting, [&](size_t i) {
        const Packet& packet = burst[i];
        if (!probe.matches(packet.head(), rte_pktmbuf_pkt_len(packet.mbuf)) ||
            !probe.may_see(ctx_.id, ctx_.now_ms)) {
            return;
        }
        RecordHeader* const record = write(view, packet, i, 0, 0);
        if (record == nullptr) return;
        view.last[i] = record;
        view.has_last |= bit(i);
        view.followed |= bit(i);
    });
}

void ProbeObserver::trace_all(const char* stage, bool is_last, bool tunnels_end,
                              std::span<const Packet> burst) noexcept {
    if (burst.empty()) return;
    // Reading the clock costs as much as all else here: only for packets that are followed.
    const uint64_t cycles = follows_ ? rte_rdtsc() - stage_began_ : 0;
    bool follows = false;
    for (size_t i = 0; i < count_; ++i) {
        View& view = views_[i];
        if (!view.probe->is_trace()) continue;
        if (view.followed != 0) trace(view, stage, is_last, burst, cycles);
        if (is_last && view.probe->request().reason) leave_out_others(view, burst);
        if (tunnels_end && may_be_tunnelled_) follow(view, burst, true);
        follows |= view.followed != 0;
    }
    follows_ = follows;
    if (follows_) stage_began_ = rte_rdtsc();
}

RecordHeader* ProbeObserver::write_end(View& view, const Packet& packet, size_t index) noexcept {
    Probe::Lane& lane = view.probe->lane(ctx_.id);
    RecordHeader* const record = lane.ring.append(0);
    if (record == nullptr) return nullptr;
    *record = {};
    record->packet = first_number_ + index;
    record->tsc = rte_rdtsc();
    record->burst = burst_;
    record->in_port = packet.in_port;
    record->verdict = packet.verdict;
    record->reason = packet.verdict == Verdict::kDrop ? packet.reason : Drop::kNone;
    record->out_port = packet.verdict == Verdict::kSend ? packet.out_port : kNoPort;
    return record;
}

void ProbeObserver::trace(View& view, const char* stage, bool is_last,
                          std::span<const Packet> burst, uint64_t cycles) noexcept {
    for_each_bit(view.followed, [&](size_t i) {
        const Packet& packet = burst[i];
        const bool is_there = packet.verdict != Verdict::kConsumed && !is_last;
        // The packet's way ends here.
        if (!is_there || packet.verdict == Verdict::kDrop) view.followed &= ~bit(i);
        RecordHeader* const record =
            is_there ? write(view, packet, i, 0, 0) : write_end(view, packet, i);
        if (record == nullptr) return;
        if (is_there) fill(*record, packet, i);
        record->before = view.last[i];
        view.last[i] = record;
        record->stage = stage;
        record->stage_cycles = cycles;
    });
}

void ProbeObserver::leave_out_others(View& view, std::span<const Packet> burst) noexcept {
    for_each_bit(view.has_last, [&](size_t i) {
        const Packet& packet = burst[i];
        if (packet.verdict == Verdict::kDrop && packet.reason == *view.probe->request().reason) {
            return;
        }
        for (RecordHeader* each = view.last[i]; each != nullptr; each = each->before) {
            each->is_void = true;
        }
    });
}

void ProbeObserver::single(const Packet& packet) noexcept {
    burst_ = 1;
    first_number_ = uint64_t{ctx_.id} << 48 | ++ctx_.observed;
    end_captures({&packet, 1});
}

void ProbeObserver::lost(PortId port, std::span<rte_mbuf* const> frames, Drop reason) noexcept {
    burst_ = static_cast<uint16_t>(frames.size());
    for (rte_mbuf* const mbuf : frames) {
        first_number_ = uint64_t{ctx_.id} << 48 | ++ctx_.observed;
        Packet packet = make_packet(mbuf, kNoPort);
        packet.drop(reason);
        for (size_t i = 0; i < count_; ++i) {
            View& view = views_[i];
            const ProbeRequest& request = view.probe->request();
            if (!view.probe->wants(kProbeDrop) || !view.probe->concerns(port) ||
                (request.reason && *request.reason != reason)) {
                continue;
            }
            RecordHeader* const record = write(view, packet, 0, kProbeDrop, 0);
            if (record == nullptr) continue;
            fill(*record, packet, 0);
            record->out_port = port;
        }
    }
}

void ProbeObserver::piece(const Packet& piece) noexcept {
    const ptrdiff_t index = ctx_.being_cut - burst_begin_;
    for (size_t i = 0; i < count_; ++i) {
        if (!views_[i].probe->is_trace()) {
            end_packet(views_[i], piece, static_cast<size_t>(index));
        }
    }
}

void observe_single(WorkerCtx& ctx, const Packet& packet) noexcept {
    ProbeObserver(ctx, *ctx.probes, true).single(packet);
}

void observe_lost(WorkerCtx& ctx, PortId port, std::span<rte_mbuf* const> frames,
                  Drop reason) noexcept {
    ProbeObserver(ctx, *ctx.probes, true).lost(port, frames, reason);
}

void observe_piece(WorkerCtx& ctx, const Packet& piece) noexcept {
    if (ctx.observer != nullptr && ctx.observer->has(*ctx.being_cut)) {
        ctx.observer->piece(piece);
    } else {
        observe_single(ctx, piece);
    }
}

}  // namespace podlane::dataplane
