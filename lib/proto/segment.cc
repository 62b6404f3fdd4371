#include "lib/proto/segment.h"

#include <concepts>
#include <cstring>

#include "lib/proto/checksum.h"
#include "lib/proto/ip_protocol.h"
#include "lib/proto/ipv4.h"
#include "lib/proto/ipv6.h"
#include "lib/proto/parse.h"
#include "lib/proto/tcp.h"
#include "lib/proto/udp.h"
#include "lib/proto/wire.h"

namespace podlane {

namespace {

/// Writes the lengths and the other per-packet fields of the IP header.
template <Family F>
void write_ip(uint8_t* ip, uint32_t index, uint32_t l3_bytes, uint32_t header_bytes) noexcept {
    if constexpr (std::same_as<F, V4>) {
        store(ip + offsetof(Ipv4Header, total_bytes), be16(static_cast<uint16_t>(l3_bytes)));
        uint8_t* const id = ip + offsetof(Ipv4Header, id);
        store(id, be16(static_cast<uint16_t>(load<be16>(id).host() + index)));
        uint8_t* const sum = ip + offsetof(Ipv4Header, checksum);
        store(sum, be16(0));
        store(sum, ipv4_header_checksum({ip, header_bytes}));
    } else {
        store(ip + offsetof(Ipv6Header, payload_bytes),
              be16(static_cast<uint16_t>(l3_bytes - sizeof(Ipv6Header))));
    }
}

uint8_t write_tcp(uint8_t* tcp, uint32_t sent_bytes, bool first, bool last) noexcept {
    uint8_t* const sequence = tcp + offsetof(TcpHeader, sequence);
    store(sequence, be32(load<be32>(sequence).host() + sent_bytes));
    uint8_t& flags = tcp[offsetof(TcpHeader, flags)];
    if (!last) flags = static_cast<uint8_t>(flags & ~(kTcpFin | kTcpPsh));
    // Sent once only, or the peer would slow down for each piece.
    if (!first) flags = static_cast<uint8_t>(flags & ~kTcpCwr);
    return flags;
}

}  // namespace

template <Family F>
void write_segment_headers(std::span<const uint8_t> head, const Headers& headers,
                           const SegmentPlan& plan, uint32_t index, std::span<uint8_t> out,
                           Headers& piece) noexcept {
    std::memcpy(out.data(), head.data(), plan.header_bytes);
    piece = headers;
    piece.l3_bytes = plan.header_bytes - headers.l3_offset + plan.bytes(index);
    write_ip<F>(out.data() + headers.l3_offset, index, piece.l3_bytes,
                uint32_t{headers.l4_offset} - headers.l3_offset);
    uint8_t* const l4 = out.data() + headers.l4_offset;
    size_t field = offsetof(UdpHeader, checksum);
    if (headers.protocol == kProtocolTcp) {
        field = offsetof(TcpHeader, checksum);
        piece.tcp_flags = write_tcp(l4, plan.at(index), index == 0, index + 1 == plan.count());
    } else {
        store(l4 + offsetof(UdpHeader, bytes), be16(static_cast<uint16_t>(piece.l4_bytes())));
    }
    store(l4 + field,
          partial_checksum<F>(src_address<F>(out.data(), piece), dst_address<F>(out.data(), piece),
                              headers.protocol, piece.l4_bytes()));
}

template void write_segment_headers<V4>(std::span<const uint8_t>, const Headers&,
                                        const SegmentPlan&, uint32_t, std::span<uint8_t>,
                                        Headers&) noexcept;
template void write_segment_headers<V6>(std::span<const uint8_t>, const Headers&,
                                        const SegmentPlan&, uint32_t, std::span<uint8_t>,
                                        Headers&) noexcept;

}  // namespace podlane
