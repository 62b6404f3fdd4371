#include "dataplane/probe/observer.h"

#include <rte_cycles.h>

#include <algorithm>
#include <string_view>

#include "dataplane/slowpath/slow_path.h"
#include "dataplane/stages/decap.h"
#include "dataplane/stages/forward.h"
#include "dataplane/stages/lookup.h"
#include "dataplane/stages/parse.h"
#include "dataplane/stages/tx.h"

namespace podlane::dataplane {

namespace {

/// Of a frame, in a trace: all headers that a stage can have written.
constexpr size_t kTraceBytes = 192;

constexpr uint64_t bit(size_t index) noexcept {
    return uint64_t{1} << index;
}

bool is_stage(const char* stage, const char* other) noexcept {
    return std::string_view(stage) == other;
}

/// Copies `count` bytes of a frame in one or more buffers, from `skip` on.
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

}  // namespace

ProbeObserver::ProbeObserver(WorkerCtx& ctx, const ProbeSet& probes, bool again) noexcept
    : ctx_(ctx), count_(probes.count), again_(again) {
    for (size_t i = 0; i < count_; ++i) {
        views_[i].probe = probes.probes[i];
        ++views_[i].probe->lane(ctx_.id).observers;
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
    record.out_port = packet.verdict == Verdict::kSend ? packet.out_port : kNoPort;
    if ((has_flow_ & bit(index)) == 0 || packet.entry == nullptr) return;
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
    if (point != 0 && !probe.matches(head.subspan(std::min(skip, head.size())), wire)) {
        return nullptr;
    }
    if (point != 0 && !probe.may_see(ctx_.id, ctx_.now_ms)) return nullptr;
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
    burst_ = static_cast<uint16_t>(burst.size());
    first_number_ = uint64_t{ctx_.id} << 48 | (ctx_.observed + 1);
    ctx_.observed += burst.size();
    for (size_t i = 0; i < count_; ++i) {
        View& view = views_[i];
        if (view.probe->is_trace()) {
            follow(view, burst, false);
        } else if (view.probe->wants(kProbeIn) && !again_) {
            begin_capture(view, burst);
        }
    }
    stage_began_ = rte_rdtsc();
}

void ProbeObserver::begin_capture(View& view, std::span<const Packet> burst) noexcept {
    if (!view.probe->concerns(burst.front().in_port)) return;
    for (size_t i = 0; i < burst.size(); ++i) {
        view.last[i] = write(view, burst[i], i, kProbeIn, 0);
    }
}

void ProbeObserver::follow(View& view, std::span<const Packet> burst, bool with_inner) noexcept {
    Probe& probe = *view.probe;
    for (size_t i = 0; i < burst.size(); ++i) {
        const Packet& packet = burst[i];
        if ((view.followed & bit(i)) != 0 || !probe.concerns(packet.in_port)) continue;
        if (with_inner && !packet.is(kFromOverlay)) continue;
        if (packet.verdict == Verdict::kConsumed && with_inner) continue;
        if (!probe.matches(packet.head(), rte_pktmbuf_pkt_len(packet.mbuf)) ||
            !probe.may_see(ctx_.id, ctx_.now_ms)) {
            continue;
        }
        RecordHeader* const record = write(view, packet, i, 0, 0);
        if (record == nullptr) continue;
        view.followed |= bit(i);
        view.last[i] = record;
    }
}

void ProbeObserver::after(const char* stage, std::span<const Packet> burst) noexcept {
    const uint64_t cycles = rte_rdtsc() - stage_began_;
    const bool decides = is_stage(stage, Lookup::kName) || is_stage(stage, SlowPath::kName);
    for (size_t i = 0; i < burst.size(); ++i) {
        if (burst[i].verdict == Verdict::kSlow) slow_[i] = burst[i].slow;
        if (decides && burst[i].verdict == Verdict::kForward) has_flow_ |= bit(i);
    }
    const bool tunnels_end = is_stage(stage, Parse::kName) || is_stage(stage, Decap::kName);
    for (size_t i = 0; i < count_; ++i) {
        View& view = views_[i];
        if (view.probe->is_trace()) {
            trace(view, stage, burst, cycles);
            if (tunnels_end) follow(view, burst, true);
        } else if (is_stage(stage, Decap::kName)) {
            inside(view, burst);
        } else if (is_stage(stage, Forward::kName)) {
            end_capture(view, burst);
        }
    }
    stage_began_ = rte_rdtsc();
}

void ProbeObserver::inside(View& view, std::span<const Packet> burst) noexcept {
    if (!view.probe->wants(kProbeInside) || again_) return;
    if (!view.probe->concerns(burst.front().in_port)) return;
    for (size_t i = 0; i < burst.size(); ++i) {
        if (!burst[i].is(kFromOverlay)) continue;
        RecordHeader* const record = write(view, burst[i], i, kProbeInside, 0);
        if (record != nullptr) fill(*record, burst[i], i);
    }
}

void ProbeObserver::end_capture(View& view, std::span<const Packet> burst) noexcept {
    Probe& probe = *view.probe;
    for (size_t i = 0; i < burst.size(); ++i) {
        const Packet& packet = burst[i];
        // Now it is known what becomes of what came in.
        if (view.last[i] != nullptr) fill(*view.last[i], packet, i);
        if (packet.verdict == Verdict::kDrop) {
            const auto& reason = probe.request().reason;
            if (!probe.wants(kProbeDrop) || !probe.concerns(packet.in_port) ||
                (reason && *reason != packet.reason)) {
                continue;
            }
            if (auto* record = write(view, packet, i, kProbeDrop, 0)) fill(*record, packet, i);
        } else if (packet.verdict == Verdict::kSend && probe.concerns(packet.out_port)) {
            const size_t outer = tunnel_bytes(packet);
            if (probe.wants(kProbeInside) && outer != 0) {
                if (auto* record = write(view, packet, i, kProbeInside, outer)) {
                    fill(*record, packet, i);
                }
            }
            if (!probe.wants(kProbeOut)) continue;
            if (auto* record = write(view, packet, i, kProbeOut, 0)) fill(*record, packet, i);
        }
    }
}

void ProbeObserver::trace(View& view, const char* stage, std::span<const Packet> burst,
                          uint64_t cycles) noexcept {
    if (view.followed == 0) return;
    Probe::Lane& lane = view.probe->lane(ctx_.id);
    const bool is_last = is_stage(stage, Tx::kName);
    for (size_t i = 0; i < burst.size(); ++i) {
        if ((view.followed & bit(i)) == 0) continue;
        const Packet& packet = burst[i];
        const bool is_there = packet.verdict != Verdict::kConsumed && !is_last;
        RecordHeader* record = nullptr;
        if (is_there) {
            record = write(view, packet, i, 0, 0);
        } else {
            record = lane.ring.append(0);
            if (record != nullptr) {
                *record = {};
                record->packet = first_number_ + i;
                record->tsc = rte_rdtsc();
                record->burst = burst_;
                record->in_port = packet.in_port;
            }
        }
        if (record == nullptr) continue;
        record->before = view.last[i];
        view.last[i] = record;
        record->stage = stage;
        record->stage_cycles = cycles;
        if (is_there) {
            fill(*record, packet, i);
        } else {
            record->verdict = packet.verdict;
            record->reason = packet.verdict == Verdict::kDrop ? packet.reason : Drop::kNone;
            record->out_port = packet.verdict == Verdict::kSend ? packet.out_port : kNoPort;
        }
    }
    if (is_last && view.probe->request().reason) leave_out_others(view, burst);
}

void ProbeObserver::leave_out_others(View& view, std::span<const Packet> burst) noexcept {
    for (size_t i = 0; i < burst.size(); ++i) {
        const Packet& packet = burst[i];
        if (packet.verdict == Verdict::kDrop && packet.reason == *view.probe->request().reason) {
            continue;
        }
        for (RecordHeader* each = view.last[i]; each != nullptr; each = each->before) {
            each->is_void = true;
        }
    }
}

void ProbeObserver::single(const Packet& packet) noexcept {
    burst_ = 1;
    first_number_ = uint64_t{ctx_.id} << 48 | ++ctx_.observed;
    for (size_t i = 0; i < count_; ++i) {
        if (!views_[i].probe->is_trace()) end_capture(views_[i], {&packet, 1});
    }
}

void observe_single(WorkerCtx& ctx, const Packet& packet) noexcept {
    ProbeObserver(ctx, *ctx.probes, true).single(packet);
}

}  // namespace podlane::dataplane
