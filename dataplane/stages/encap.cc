#include "dataplane/stages/encap.h"

namespace podlane::dataplane::detail {

void finish_outer_ipv6(const rte_mbuf& mbuf, uint8_t* outer, const Adjacency& adjacency,
                       uint16_t udp_bytes) noexcept {
    uint8_t* const ip = outer + sizeof(EthernetHeader);
    store(ip + offsetof(Ipv6Header, payload_bytes), be16(udp_bytes));
    uint8_t* const udp = ip + sizeof(Ipv6Header);
    be16 sum;
    if (mbuf.nb_segs == 1) [[likely]] {
        // The template's sum lacks the length, which counts twice, and the source port.
        const uint32_t length = be16(udp_bytes).raw;
        const auto src_port = load<be16>(udp + offsetof(UdpHeader, src_port));
        const uint32_t headers =
            checksum_add(adjacency.outer_partial_sum, 2 * length + src_port.raw);
        const std::span<const uint8_t> inner(outer + adjacency.outer_bytes,
                                             mbuf.pkt_len - adjacency.outer_bytes);
        sum = udp_checksum_on_wire(checksum_fold(checksum_partial(inner, headers)));
    } else {
        const auto header = load<Ipv6Header>(ip);
        sum = checksum_over_chain<V6>(mbuf, static_cast<uint32_t>(udp - outer), header.src,
                                      header.dst, kProtocolUdp);
    }
    store(udp + offsetof(UdpHeader, checksum), sum);
}

}  // namespace podlane::dataplane::detail
