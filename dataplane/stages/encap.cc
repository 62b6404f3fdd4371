#include "dataplane/stages/encap.h"

namespace podlane::dataplane {

void sum_outer_ipv6(const Packet& packet) noexcept {
    const rte_mbuf& mbuf = *packet.mbuf;
    const Adjacency& adjacency = *packet.adjacency;
    uint8_t* const outer = rte_pktmbuf_mtod(packet.mbuf, uint8_t*);
    constexpr uint32_t kUdp = sizeof(EthernetHeader) + sizeof(Ipv6Header);
    uint8_t* const udp = outer + kUdp;
    be16 sum;
    if (mbuf.nb_segs == 1) [[likely]] {
        // The template's sum lacks the length, which counts twice, and the source port.
        const uint32_t length = load<be16>(udp + offsetof(UdpHeader, bytes)).raw;
        const auto src_port = load<be16>(udp + offsetof(UdpHeader, src_port));
        const uint32_t headers =
            checksum_add(adjacency.outer_partial_sum, 2 * length + src_port.raw);
        const std::span<const uint8_t> inner(outer + adjacency.outer_bytes,
                                             mbuf.pkt_len - adjacency.outer_bytes);
        sum = udp_checksum_on_wire(checksum_fold(checksum_partial(inner, headers)));
    } else {
        const auto header = load<Ipv6Header>(outer + sizeof(EthernetHeader));
        sum = checksum_over_chain<V6>(mbuf, kUdp, header.src, header.dst, kProtocolUdp);
    }
    store(udp + offsetof(UdpHeader, checksum), sum);
}

}  // namespace podlane::dataplane
