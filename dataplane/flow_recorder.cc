#include "dataplane/flow_recorder.h"

#include <rte_cycles.h>

#include <algorithm>
#include <chrono>

#include "dataplane/flow_ends.h"
#include "dataplane/worker_ctx.h"

namespace podlane::dataplane {

namespace {

template <Family F>
void set_connection(FlowRecord& record, const Connection<F>& connection) noexcept {
    set_ends(record, connection.original().key, connection.reply().key);
    record.service = ServiceId{connection.original().service_id.load(std::memory_order_relaxed)};
    record.start_ms = uint64_t{connection.state.created_s} * 1000;
}

/// A record made from the packet, and from its connection if it has one.
template <Family F>
FlowRecord denied_record(const Packet& packet) noexcept {
    FlowRecord record;
    record.kind = FlowRecordKind::kDenied;
    const FlowKey<F> key = packet.key<F>();
    set_ends(record, key, key.reversed());
    if (packet.entry != nullptr) set_connection(record, connection_of(packet.flow<F>()));
    return record;
}

}  // namespace

void FlowRecorder::attach(FlowTable<V4>& v4, FlowTable<V6>& v6, const Clock& clock) noexcept {
    v4_ = &v4;
    v6_ = &v6;
    clock_ = &clock;
}

void FlowRecorder::record(FlowSample sample) {
    if (sample != 0) {
        for (auto& ring : rings_) {
            if (ring == nullptr) ring = std::make_unique<Ring>();
        }
    }
    sample_.store(sample, std::memory_order_release);  // pairs with wants()
    v4_->tell_ends(sample == 0 ? nullptr : this);
    v6_->tell_ends(sample == 0 ? nullptr : this);
}

size_t FlowRecorder::take(std::span<FlowRecord> out) noexcept {
    const auto wall = std::chrono::system_clock::now().time_since_epoch();
    const auto wall_ms =
        static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(wall).count());
    // The worker clock's zero in wall-clock time. It may wrap; the sum below is still right.
    const uint64_t offset = wall_ms - clock_->milliseconds(rte_rdtsc());
    size_t count = 0;
    for (size_t i = 0; i < rings_.size(); ++i) {
        Ring* const ring = rings_[(next_ + i) % rings_.size()].get();
        while (ring != nullptr && count < out.size() && ring->pop(out[count])) {
            FlowRecord& record = out[count++];
            record.time_ms += offset;
            record.start_ms += offset;
            record.last_ms += offset;
        }
    }
    next_ = rings_.empty() ? 0 : (next_ + 1) % rings_.size();
    return count;
}

uint64_t FlowRecorder::lost() const noexcept {
    uint64_t sum = 0;
    for (const Lost& each : lost_) sum += each.count.get();
    return sum;
}

template <Family F>
void FlowRecorder::opened(const WorkerCtx& ctx, const Packet& packet,
                          FlowEntry<F>& entry) noexcept {
    FlowRecord record;
    const Connection<F>& connection = connection_of(entry);
    set_connection(record, connection);
    record.kind = FlowRecordKind::kOpened;
    record.in_port = packet.in_port;
    record.mark = mark_of(connection.state.hash[0]);
    record.time_ms = record.last_ms = ctx.now_ms;
    push(ctx.id, record);
}

void FlowRecorder::denied(const WorkerCtx& ctx, const Packet& packet) noexcept {
    FlowRecord record =
        packet.headers.ip_version == 4 ? denied_record<V4>(packet) : denied_record<V6>(packet);
    record.reason = packet.reason;
    record.in_port = packet.in_port;
    record.mark = mark_of(packet.hash);
    record.time_ms = record.start_ms = record.last_ms = ctx.now_ms;
    push(ctx.id, record);
}

template <Family F>
void FlowRecorder::note_end(unsigned worker, const Connection<F>& connection,
                            FlowEnd why) noexcept {
    if (!wants(connection.state.hash[0])) return;
    FlowRecord record;
    set_connection(record, connection);
    record.kind = FlowRecordKind::kClosed;
    record.end = why;
    record.mark = mark_of(connection.state.hash[0]);
    record.tcp_state = connection.state.tcp_state.load(std::memory_order_relaxed);
    record.replied = connection.state.replied();
    record.last_ms = uint64_t{connection.last_seen_s()} * 1000;
    if (const auto traffic = table<F>().traffic_of(connection)) {
        record.is_counted = true;
        record.traffic = *traffic;
    }
    record.time_ms = clock_->milliseconds(rte_rdtsc());
    push(worker, record);
}

template void FlowRecorder::opened<V4>(const WorkerCtx&, const Packet&, FlowEntry<V4>&) noexcept;
template void FlowRecorder::opened<V6>(const WorkerCtx&, const Packet&, FlowEntry<V6>&) noexcept;
template void FlowRecorder::note_end<V4>(unsigned, const Connection<V4>&, FlowEnd) noexcept;
template void FlowRecorder::note_end<V6>(unsigned, const Connection<V6>&, FlowEnd) noexcept;

}  // namespace podlane::dataplane
