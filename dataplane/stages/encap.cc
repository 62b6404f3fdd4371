#include "dataplane/stages/encap.h"

namespace podlane::dataplane {

namespace {

constexpr uint32_t kUdp = sizeof(EthernetHeader) + sizeof(Ipv6Header);

[[gnu::noinline]] be16 sum_chain(const rte_mbuf& mbuf, const uint8_t* outer) noexcept {
    const auto header = load<Ipv6Header>(outer + sizeof(EthernetHeader));
    return checksum_over_chain<V6>(mbuf, kUdp, header.src, header.dst, kProtocolUdp);
}

be16 sum_one_buffer(const rte_mbuf& mbuf, const uint8_t* outer,
                    const Adjacency& adjacency) noexcept {
    // The template's sum lacks the length, which counts twice, and the source port.
    const uint32_t length = load<be16>(outer + kUdp + offsetof(UdpHeader, bytes)).raw;
    const auto src_port = load<be16>(outer + kUdp + offsetof(UdpHeader, src_port));
    const uint32_t headers = checksum_add(adjacency.outer_partial_sum, 2 * length + src_port.raw);
    constexpr uint32_t kOuter = kOverlayOuterBytes<V6>;
    const std::span<const uint8_t> inner(outer + kOuter, mbuf.pkt_len - kOuter);
    return udp_checksum_on_wire(checksum_fold(checksum_partial(inner, headers)));
}

}  // namespace

void sum_outer_ipv6(const Packet& packet) noexcept {
    const rte_mbuf& mbuf = *packet.mbuf;
    uint8_t* const outer = rte_pktmbuf_mtod(packet.mbuf, uint8_t*);
    const be16 sum =
        mbuf.nb_segs == 1 ? sum_one_buffer(mbuf, outer, *packet.adjacency) : sum_chain(mbuf, outer);
    store(outer + kUdp + offsetof(UdpHeader, checksum), sum);
}

}  // namespace podlane::dataplane
