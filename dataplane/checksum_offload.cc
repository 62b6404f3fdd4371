#include "dataplane/checksum_offload.h"

#include <algorithm>

#include "dataplane/ports/tap_marks.h"

namespace podlane::dataplane {

namespace {

size_t checksum_field(const Packet& packet) noexcept {
    return packet.headers.l4_offset + (packet.headers.protocol == kProtocolTcp
                                           ? offsetof(TcpHeader, checksum)
                                           : offsetof(UdpHeader, checksum));
}

}  // namespace

ChainView::ChainView(const rte_mbuf& head, uint32_t offset, uint32_t end) noexcept {
    uint32_t at = 0;
    for (const rte_mbuf* part = &head; part != nullptr && at < end; part = part->next) {
        const uint32_t bytes = part->data_len;
        const uint32_t from = std::max(offset, at);
        const uint32_t to = std::min(end, at + bytes);
        if (from < to && count_ < segments_.size()) {
            segments_[count_++] = {rte_pktmbuf_mtod_offset(part, const uint8_t*, from - at),
                                   to - from};
        }
        at += bytes;
    }
}

template <Family F>
be16 checksum_over_chain(const rte_mbuf& head, uint32_t l4_offset, const typename F::Address& src,
                         const typename F::Address& dst, uint8_t protocol) noexcept {
    const ChainView view(head, l4_offset, head.pkt_len);
    return l4_checksum<F>(src, dst, protocol, view.segments());
}

template be16 checksum_over_chain<V4>(const rte_mbuf&, uint32_t, const Ipv4Address&,
                                      const Ipv4Address&, uint8_t) noexcept;
template be16 checksum_over_chain<V6>(const rte_mbuf&, uint32_t, const Ipv6Address&,
                                      const Ipv6Address&, uint8_t) noexcept;

void complete_checksum(Packet& packet) noexcept {
    if (packet.csum != CsumState::kPartial) return;
    const ChainView view(*packet.mbuf, packet.headers.l4_offset, packet.headers.l3_end());
    be16 sum = complete_partial_checksum(view.segments());
    if (packet.headers.protocol == kProtocolUdp) sum = udp_checksum_on_wire(sum);
    store(packet.frame + checksum_field(packet), sum);
    packet.csum = CsumState::kComplete;
}

void hand_over_partial_checksum(Packet& packet, const Port& port) noexcept {
    rte_mbuf& mbuf = *packet.mbuf;
    if (!port.caps.tx_l4_checksum) {
        complete_checksum(packet);
        return;
    }
    const Headers& headers = packet.headers;
    const uint16_t segment_bytes = tap_marks(mbuf).segment_bytes;
    // Bit-fields of 7 and 9 bits: two VLAN tags and 60 bytes of options fit.
    mbuf.l2_len = headers.l3_offset & 0x7f;
    mbuf.l3_len = static_cast<uint16_t>(headers.l4_offset - headers.l3_offset) & 0x1ff;
    mbuf.ol_flags |= headers.ip_version == 4 ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6;
    mbuf.ol_flags |=
        headers.protocol == kProtocolTcp ? RTE_MBUF_F_TX_TCP_CKSUM : RTE_MBUF_F_TX_UDP_CKSUM;
    if (!packet.is(kLarge)) return;
    mbuf.l4_len = static_cast<uint16_t>(headers.payload_offset - headers.l4_offset) & 0xff;
    mbuf.tso_segsz = segment_bytes;
    mbuf.ol_flags |=
        headers.protocol == kProtocolTcp ? RTE_MBUF_F_TX_TCP_SEG : RTE_MBUF_F_TX_UDP_SEG;
}

}  // namespace podlane::dataplane
