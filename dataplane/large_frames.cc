#include "dataplane/large_frames.h"

#include "dataplane/checksum_offload.h"
#include "dataplane/ports/tap_io.h"
#include "lib/proto/segment.h"
#include "lib/proto/virtio_net.h"

namespace podlane::dataplane {

namespace {

size_t checksum_field(const Headers& headers) noexcept {
    return headers.protocol == kProtocolTcp ? offsetof(TcpHeader, checksum)
                                            : offsetof(UdpHeader, checksum);
}

/// Finishes a checksum at any offset, as the kernel does for a device that cannot: the checksum of
/// a tunnel that the pod makes itself, or of a protocol that is only bridged.
bool finish_anywhere(Packet& packet, const TapMarks& marks) noexcept {
    const rte_mbuf& mbuf = *packet.mbuf;
    const uint32_t field = uint32_t{marks.checksum_start} + marks.checksum_offset;
    // Headers are in the first buffer.
    if (field + sizeof(be16) > mbuf.data_len) return false;
    const ChainView view(mbuf, marks.checksum_start, mbuf.pkt_len);
    // UDP cannot be told from other protocols here, so 0 becomes 0xffff, which is the same sum.
    store(packet.head().data() + field,
          udp_checksum_on_wire(complete_partial_checksum(view.segments())));
    return true;
}

/// Whether the frame can be cut, and is of the type that the TAP's header says.
bool is_right(const Headers& headers, const TapMarks& marks, const SegmentPlan& plan) noexcept {
    const bool is_tcp = headers.protocol == kProtocolTcp;
    const uint8_t tcp_type = headers.ip_version == V4::kVersion ? kVirtioGsoTcp4 : kVirtioGsoTcp6;
    const auto type = static_cast<uint8_t>(marks.gso_type & ~kVirtioGsoEcn);
    return headers.has(Headers::kWholeL4) && type == (is_tcp ? tcp_type : kVirtioGsoUdpL4) &&
           (headers.tcp_flags & (kTcpSyn | kTcpRst)) == 0 && plan.segment_bytes != 0 &&
           plan.count() <= kMostPieces;
}

/// Writes the partial checksum of the whole frame, whatever the sender put there.
template <Family F>
void write_partial(const Packet& packet) noexcept {
    const Headers& headers = packet.headers;
    store(packet.frame + headers.l4_offset + checksum_field(headers),
          partial_checksum<F>(src_address<F>(packet.frame, headers),
                              dst_address<F>(packet.frame, headers), headers.protocol,
                              headers.l4_bytes()));
}

rte_mbuf* buffer_for(const WorkerCtx& ctx, uint32_t bytes) noexcept {
    const uint32_t usual = rte_pktmbuf_data_room_size(ctx.pool) - RTE_PKTMBUF_HEADROOM;
    rte_mempool* pool = bytes <= usual ? ctx.pool : ctx.large_pool;
    return pool == nullptr ? nullptr : rte_pktmbuf_alloc(pool);
}

/// Copies one piece into a buffer of its own; null without a free buffer.
template <Family F>
rte_mbuf* make_piece(const WorkerCtx& ctx, const Packet& packet, const SegmentPlan& plan,
                     uint32_t index, Headers& headers) noexcept {
    const uint32_t bytes = plan.bytes(index);
    rte_mbuf* mbuf = buffer_for(ctx, plan.header_bytes + bytes);
    if (mbuf == nullptr) return nullptr;
    const auto all = static_cast<uint16_t>(plan.header_bytes + bytes);
    auto* frame = reinterpret_cast<uint8_t*>(rte_pktmbuf_append(mbuf, all));
    if (frame == nullptr) {
        rte_pktmbuf_free(mbuf);
        return nullptr;
    }
    write_segment_headers<F>(packet.head(), packet.headers, plan, index, {frame, plan.header_bytes},
                             headers);
    uint8_t* const payload = frame + plan.header_bytes;
    const void* from =
        rte_pktmbuf_read(packet.mbuf, plan.header_bytes + plan.at(index), bytes, payload);
    if (from != payload) std::memcpy(payload, from, bytes);
    return mbuf;
}

}  // namespace

Drop judge_tap_marks(Packet& packet) noexcept {
    const Headers& headers = packet.headers;
    const TapMarks marks = tap_marks(*packet.mbuf);
    packet.csum = CsumState::kPartial;
    if ((packet.mbuf->ol_flags & RTE_MBUF_F_RX_LRO) != 0) {
        const SegmentPlan plan = plan_segments(headers, marks.segment_bytes);
        if (!is_right(headers, marks, plan)) return Drop::kOffloadBadSegments;
        if (headers.ip_version == V4::kVersion) {
            write_partial<V4>(packet);
        } else {
            write_partial<V6>(packet);
        }
        if (plan.count() > 1) packet.flags |= kLarge;
        return Drop::kNone;
    }
    if (headers.has(Headers::kWholeL4) && marks.checksum_start == headers.l4_offset &&
        marks.checksum_offset == checksum_field(headers)) {
        return Drop::kNone;
    }
    packet.csum = CsumState::kComplete;
    if (!finish_anywhere(packet, marks)) return Drop::kOffloadBadChecksum;
    // A packet that is held is parsed again and comes here once more.
    packet.mbuf->ol_flags &= ~RTE_MBUF_F_RX_L4_CKSUM_MASK;
    return Drop::kNone;
}

void cut(WorkerCtx& ctx, Packet& packet, void (*give)(WorkerCtx&, Packet& piece)) noexcept {
    const SegmentPlan plan = plan_segments(packet.headers, tap_marks(*packet.mbuf).segment_bytes);
    const uint32_t count = plan.count();
    ctx.counters->made.add(count);
    ctx.counters->taken.add(1);
    ctx.being_cut = &packet;
    for (uint32_t i = 0; i < count; ++i) {
        Packet piece = packet;
        piece.mbuf = packet.headers.ip_version == V4::kVersion
                         ? make_piece<V4>(ctx, packet, plan, i, piece.headers)
                         : make_piece<V6>(ctx, packet, plan, i, piece.headers);
        if (piece.mbuf == nullptr) {
            ctx.counters->drop(Drop::kNoMbuf, count - i);
            break;
        }
        piece.frame = rte_pktmbuf_mtod(piece.mbuf, uint8_t*);
        piece.flags = static_cast<uint8_t>(piece.flags & ~kLarge);
        piece.csum = CsumState::kPartial;
        give(ctx, piece);
    }
    rte_pktmbuf_free(packet.mbuf);
    packet.verdict = Verdict::kConsumed;
}

}  // namespace podlane::dataplane
