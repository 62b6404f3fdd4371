#include "dataplane/rate_meter.h"

#include "dataplane/large_frames.h"
#include "dataplane/ports/tap_marks.h"
#include "lib/proto/tcp.h"
#include "lib/proto/udp.h"
#include "lib/proto/virtio_net.h"

namespace podlane::dataplane {

namespace {

constexpr uint64_t kSegmented = RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_UDP_SEG;

/// The headers before a received frame's payload, which no stage has looked at yet.
uint32_t head_bytes(const rte_mbuf& frame, const TapMarks& marks) noexcept {
    const uint32_t l4 = marks.checksum_start;
    if ((marks.gso_type & ~kVirtioGsoEcn) == kVirtioGsoUdpL4) return l4 + sizeof(UdpHeader);
    if (l4 + sizeof(TcpHeader) > frame.data_len) return l4 + sizeof(TcpHeader);
    const auto header =
        load<TcpHeader>(rte_pktmbuf_mtod_offset(&frame, const uint8_t*, marks.checksum_start));
    return l4 + std::max<uint32_t>(header.header_bytes(), sizeof(TcpHeader));
}

uint64_t with_headers(uint32_t frame_bytes, uint32_t head, uint32_t segment_bytes) noexcept {
    if (segment_bytes == 0 || frame_bytes <= head + segment_bytes) return frame_bytes;
    const uint32_t segments = (frame_bytes - head + segment_bytes - 1) / segment_bytes;
    return frame_bytes + uint64_t{std::min(segments, kMostPieces) - 1} * head;
}

}  // namespace

uint64_t wire_bytes(const rte_mbuf& frame) noexcept {
    if ((frame.ol_flags & kSegmented) != 0) {
        const uint32_t head = frame.l2_len + frame.l3_len + frame.l4_len;
        return with_headers(frame.pkt_len, head, frame.tso_segsz);
    }
    if ((frame.ol_flags & RTE_MBUF_F_RX_LRO) == 0) return frame.pkt_len;
    const TapMarks marks = tap_marks(frame);
    return with_headers(frame.pkt_len, head_bytes(frame, marks), marks.segment_bytes);
}

unsigned hold_to_limit(RateMeter& meter, uint64_t now_tsc, rte_mbuf** frames, unsigned count,
                       rte_mbuf** refused) noexcept {
    uint64_t bytes = 0;
    for (unsigned i = 0; i < count; ++i) bytes += wire_bytes(*frames[i]);
    if (meter.take_all(now_tsc, bytes)) return count;
    unsigned kept = 0;
    for (unsigned i = 0; i < count; ++i) {
        rte_mbuf* const frame = frames[i];
        if (meter.take(now_tsc, wire_bytes(*frame))) {
            frames[kept++] = frame;
        } else {
            *refused++ = frame;
        }
    }
    return kept;
}

}  // namespace podlane::dataplane
