#include "dataplane/stages/encap.h"

namespace podlane::dataplane::detail {

void finish_outer_ipv6(const rte_mbuf& mbuf, uint8_t* outer, uint16_t udp_bytes) noexcept {
    uint8_t* ip = outer + sizeof(EthernetHeader);
    store(ip + offsetof(Ipv6Header, payload_bytes), be16(udp_bytes));
    const auto header = load<Ipv6Header>(ip);
    uint8_t* udp = ip + sizeof(Ipv6Header);
    store(udp + offsetof(UdpHeader, checksum), be16(0));
    const uint32_t udp_at = static_cast<uint32_t>(udp - outer);
    store(udp + offsetof(UdpHeader, checksum),
          checksum_over_chain<V6>(mbuf, udp_at, header.src, header.dst, kProtocolUdp));
}

}  // namespace podlane::dataplane::detail
