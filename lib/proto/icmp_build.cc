#include "lib/proto/icmp_build.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "lib/proto/nd.h"

namespace podlane {
namespace {

// The usual default, Linux's too.
constexpr uint8_t kFreshTtl = 64;
// Precedence "internetwork control", RFC 1812 section 4.3.2.5.
constexpr uint8_t kIcmpErrorTos = 0xc0;

struct TypeAndCode {
    uint8_t type;
    uint8_t code;
};

template <Family F>
TypeAndCode type_and_code(IcmpError error) noexcept {
    constexpr bool v4 = std::same_as<F, V4>;
    constexpr uint8_t unreachable = v4 ? kIcmpUnreachable : kIcmpv6Unreachable;
    switch (error) {
        case IcmpError::kNetUnreachable:
            return {unreachable, v4 ? kIcmpNetUnreachable : kIcmpv6NoRoute};
        case IcmpError::kHostUnreachable:
            return {unreachable, v4 ? kIcmpHostUnreachable : kIcmpv6AddressUnreachable};
        case IcmpError::kPortUnreachable:
            return {unreachable, v4 ? kIcmpPortUnreachable : kIcmpv6PortUnreachable};
        case IcmpError::kAdminProhibited:
            return {unreachable, v4 ? kIcmpAdminProhibited : kIcmpv6AdminProhibited};
        case IcmpError::kTooBig:
            if (v4) return {kIcmpUnreachable, kIcmpFragmentationNeeded};
            return {kIcmpv6PacketTooBig, 0};
        case IcmpError::kTimeExceeded:
            break;
    }
    return {v4 ? kIcmpTimeExceeded : kIcmpv6TimeExceeded, 0};
}

// Writes the IP header of a packet that this node originates.
template <Family F>
void put_ip(std::span<uint8_t> out, const typename F::Address& src, const typename F::Address& dst,
            uint8_t protocol, uint8_t tos, size_t l4_bytes) noexcept {
    if constexpr (std::same_as<F, V4>) {
        // With DF set the id may be anything (RFC 6864 section 4.1).
        Ipv4Header ip{.version_ihl = 0x45,
                      .tos = tos,
                      .total_bytes = be16(static_cast<uint16_t>(sizeof(Ipv4Header) + l4_bytes)),
                      .id = be16(0),
                      .fragment = be16(kIpv4DontFragment),
                      .ttl = kFreshTtl,
                      .protocol = protocol,
                      .checksum = be16(0),
                      .src = src,
                      .dst = dst};
        put_header(out, 0, ip);
        ip.checksum = ipv4_header_checksum(out.first(sizeof ip));
        put_header(out, 0, ip);
    } else {
        put_header(out, 0,
                   Ipv6Header{.version_class_label = be32(0x60000000u | (uint32_t{tos} << 20)),
                              .payload_bytes = be16(static_cast<uint16_t>(l4_bytes)),
                              .next_header = protocol,
                              .hop_limit = kFreshTtl,
                              .src = src,
                              .dst = dst});
    }
}

template <Family F>
bool is_group(const typename F::Address& address) noexcept {
    if constexpr (std::same_as<F, V4>) {
        return address.is_multicast() || address == kIpv4Broadcast;
    } else {
        return address.is_multicast();
    }
}

template <Family F>
bool is_single_host(const typename F::Address& address) noexcept {
    return !address.is_zero() && !address.is_loopback() && !is_group<F>(address);
}

template <Family F>
bool between_single_hosts(const uint8_t* frame, const Headers& headers) noexcept {
    return !headers.has(Headers::kMulticastMac) &&
           is_single_host<F>(src_address<F>(frame, headers)) &&
           !is_group<F>(dst_address<F>(frame, headers));
}

}  // namespace

bool may_send_icmp_error(const uint8_t* frame, const Headers& headers) noexcept {
    if (headers.has(Headers::kIcmpError)) return false;
    if (headers.has(Headers::kFragment) && !headers.has(Headers::kFirstFragment)) return false;
    if (headers.ip_version == V4::kVersion) return between_single_hosts<V4>(frame, headers);
    if (headers.ip_version != V6::kVersion) return false;
    if (headers.protocol == kProtocolIcmpv6 && headers.icmp_type == kNdRedirect) return false;
    return between_single_hosts<V6>(frame, headers);
}

template <Family F>
size_t build_icmp_error(std::span<uint8_t> out, const typename F::Address& from, IcmpError error,
                        uint32_t mtu, std::span<const uint8_t> packet) noexcept {
    using Header = std::conditional_t<std::same_as<F, V4>, Ipv4Header, Ipv6Header>;
    constexpr size_t quote_at = sizeof(Header) + sizeof(IcmpHeader);
    const size_t room = std::min(out.size(), kMaxIcmpErrorBytes<F>);
    if (packet.size() < sizeof(Header) || room < quote_at + sizeof(Header)) return 0;
    const auto quote = packet.first(std::min(packet.size(), room - quote_at));
    const auto sender = header_at<Header>(packet, 0).src;

    const size_t l4_bytes = sizeof(IcmpHeader) + quote.size();
    put_ip<F>(out, from, sender, F::kIcmpProtocol, std::same_as<F, V4> ? kIcmpErrorTos : uint8_t{0},
              l4_bytes);
    const auto [type, code] = type_and_code<F>(error);
    IcmpHeader icmp{type, code, be16(0), be16(0), be16(0)};
    if (error == IcmpError::kTooBig) {
        // 16 bits of MTU in IPv4 (RFC 1191 section 4), 32 in IPv6 (RFC 4443 section 3.2).
        const uint32_t told = std::same_as<F, V4> ? std::min(mtu, uint32_t{0xffff}) : mtu;
        icmp.id = be16(static_cast<uint16_t>(told >> 16));
        icmp.sequence = be16(static_cast<uint16_t>(told));
    }
    put_header(out, sizeof(Header), icmp);
    std::memcpy(out.data() + quote_at, quote.data(), quote.size());
    icmp.checksum =
        l4_checksum<F>(from, sender, F::kIcmpProtocol, out.subspan(sizeof(Header), l4_bytes));
    put_header(out, sizeof(Header), icmp);
    return sizeof(Header) + l4_bytes;
}

template <Family F>
void make_echo_reply(uint8_t* frame, const Headers& headers) noexcept {
    using Header = std::conditional_t<std::same_as<F, V4>, Ipv4Header, Ipv6Header>;
    // Swapping the addresses does not change the sums.
    auto ip = header_at<Header>(frame, headers.l3_offset);
    std::swap(ip.src, ip.dst);
    if constexpr (std::same_as<F, V4>) {
        const auto word = [&ip] {
            return be16(static_cast<uint16_t>((ip.ttl << 8) | ip.protocol));
        };
        const be16 was = word();
        ip.ttl = kFreshTtl;
        ip.checksum = checksum_update(ip.checksum, was, word());
    } else {
        ip.hop_limit = kFreshTtl;
    }
    store(frame + headers.l3_offset, ip);

    auto icmp = header_at<IcmpHeader>(frame, headers.l4_offset);
    const uint8_t reply = std::same_as<F, V4> ? kIcmpEchoReply : kIcmpv6EchoReply;
    icmp.checksum =
        checksum_update(icmp.checksum, be16(static_cast<uint16_t>((icmp.type << 8) | icmp.code)),
                        be16(static_cast<uint16_t>((reply << 8) | icmp.code)));
    icmp.type = reply;
    store(frame + headers.l4_offset, icmp);
}

template <Family F>
size_t build_tcp_reset(std::span<uint8_t> out, const uint8_t* frame,
                       const Headers& headers) noexcept {
    if (out.size() < kTcpResetBytes<F> || headers.protocol != kProtocolTcp) return 0;
    if (headers.has(Headers::kFragment) || !headers.has(Headers::kPorts)) return 0;
    if ((headers.tcp_flags & kTcpRst) != 0 || !between_single_hosts<F>(frame, headers)) return 0;

    const auto segment = header_at<TcpHeader>(frame, headers.l4_offset);
    TcpHeader reset{.src_port = segment.dst_port,
                    .dst_port = segment.src_port,
                    .sequence = be32(0),
                    .acknowledgment = be32(0),
                    .data_offset = (sizeof(TcpHeader) / 4) << 4,
                    .flags = kTcpRst,
                    .window = be16(0),
                    .checksum = be16(0),
                    .urgent = be16(0)};
    if ((headers.tcp_flags & kTcpAck) != 0) {
        reset.sequence = segment.acknowledgment;
    } else {
        // SYN and FIN take a sequence number each (RFC 9293 section 3.4).
        const uint32_t segment_bytes = headers.l3_end() - headers.payload_offset +
                                       ((headers.tcp_flags & kTcpSyn) != 0 ? 1 : 0) +
                                       ((headers.tcp_flags & kTcpFin) != 0 ? 1 : 0);
        reset.flags = kTcpRst | kTcpAck;
        reset.acknowledgment = be32(segment.sequence.host() + segment_bytes);
    }
    const auto src = dst_address<F>(frame, headers);
    const auto dst = src_address<F>(frame, headers);
    constexpr size_t l4 = F::kMinHeaderBytes;
    put_ip<F>(out, src, dst, kProtocolTcp, 0, sizeof reset);
    put_header(out, l4, reset);
    reset.checksum = l4_checksum<F>(src, dst, kProtocolTcp, out.subspan(l4, sizeof reset));
    put_header(out, l4, reset);
    return kTcpResetBytes<F>;
}

template size_t build_icmp_error<V4>(std::span<uint8_t>, const Ipv4Address&, IcmpError, uint32_t,
                                     std::span<const uint8_t>) noexcept;
template size_t build_icmp_error<V6>(std::span<uint8_t>, const Ipv6Address&, IcmpError, uint32_t,
                                     std::span<const uint8_t>) noexcept;
template void make_echo_reply<V4>(uint8_t*, const Headers&) noexcept;
template void make_echo_reply<V6>(uint8_t*, const Headers&) noexcept;
template size_t build_tcp_reset<V4>(std::span<uint8_t>, const uint8_t*, const Headers&) noexcept;
template size_t build_tcp_reset<V6>(std::span<uint8_t>, const uint8_t*, const Headers&) noexcept;

}  // namespace podlane
