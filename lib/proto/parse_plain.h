// The parser's short way for what nearly all frames are: untagged, unicast, no IP options or
// extension headers, whole, TCP or UDP. Anything else, right or wrong, it leaves to parse.h, whose
// answer for the frames that are taken here would be the same (tests compare the two).
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>

#include "lib/base/family.h"
#include "lib/proto/ethernet.h"
#include "lib/proto/headers.h"
#include "lib/proto/ip_protocol.h"
#include "lib/proto/ipv4.h"
#include "lib/proto/ipv6.h"
#include "lib/proto/tcp.h"
#include "lib/proto/udp.h"
#include "lib/proto/wire.h"

namespace podlane::detail {

inline constexpr uint32_t kPlainL3 = sizeof(EthernetHeader);

/// Whether all hold, without a branch for each.
[[nodiscard, gnu::always_inline]] constexpr bool all_of(auto... conditions) noexcept {
    return (unsigned{conditions} & ...) != 0;
}

/// True when the header and pseudo-header fields can be believed and are of the plain kind.
[[nodiscard, gnu::always_inline]] inline bool is_plain_ipv4(const uint8_t* ip) noexcept {
    const auto first = load<uint64_t>(ip);       // version, TOS, length, identification, fragment
    const auto second = load<uint64_t>(ip + 8);  // TTL, protocol, checksum, source
    const auto third = load<uint32_t>(ip + 16);  // destination
    // Version 4 with five words, and of the fragment field nothing but DF.
    constexpr uint64_t kMask = be64(0xff000000'0000bfff).raw;
    constexpr uint64_t kWanted = be64(0x45000000'00000000).raw;
    if ((first & kMask) != kWanted) return false;
    uint64_t sum =
        (first & 0xffffffff) + (first >> 32) + (second & 0xffffffff) + (second >> 32) + third;
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    // 0.0.0.0/8, 127.0.0.0/8 and all from 224.0.0.0 on have rules of their own.
    const auto ordinary = [](uint32_t top) { return top - 1 < 223 && top != 127; };
    return all_of(sum == 0xffff, ordinary(ip[offsetof(Ipv4Header, src)]),
                  ordinary(ip[offsetof(Ipv4Header, dst)]));
}

[[nodiscard, gnu::always_inline]] inline bool is_plain_ipv6(const uint8_t* ip) noexcept {
    // Version 6; groups, unspecified, loopback and mapped addresses have rules of their own.
    const auto ordinary = [](uint8_t top) { return top - 1u < 0xfe; };
    return all_of((ip[0] >> 4) == 6, ordinary(ip[offsetof(Ipv6Header, src)]),
                  ordinary(ip[offsetof(Ipv6Header, dst)]));
}

/// Parses a plain frame of family F, whose EtherType the caller has seen. False: it is not plain,
/// and `out` is as it was.
template <Family F>
[[nodiscard, gnu::always_inline]] inline bool parse_plain(const uint8_t* bytes, uint32_t head_bytes,
                                                          uint32_t frame_bytes,
                                                          Headers& out) noexcept {
    constexpr bool kIsV4 = std::same_as<F, V4>;
    constexpr uint32_t kL4 = kPlainL3 + F::kMinHeaderBytes;
    if (head_bytes < kL4 + sizeof(UdpHeader)) [[unlikely]]
        return false;
    const uint8_t* const ip = bytes + kPlainL3;
    uint32_t total;
    uint8_t protocol;
    unsigned flags = Headers::kPorts;
    if constexpr (kIsV4) {
        if (!is_plain_ipv4(ip)) [[unlikely]]
            return false;
        total = load<be16>(ip + offsetof(Ipv4Header, total_bytes)).host();
        protocol = ip[offsetof(Ipv4Header, protocol)];
        flags |= (ip[offsetof(Ipv4Header, fragment)] & 0x40u) << 1;
        static_assert(Headers::kDontFragment == 0x40u << 1);
    } else {
        if (!is_plain_ipv6(ip)) [[unlikely]]
            return false;
        total = load<be16>(ip + offsetof(Ipv6Header, payload_bytes)).host() + F::kMinHeaderBytes;
        protocol = ip[offsetof(Ipv6Header, next_header)];
        flags |= Headers::kDontFragment;
    }
    const uint32_t l4_bytes = total - F::kMinHeaderBytes;
    // Cut off or lying, and with all of L4's header behind the first buffer: not for here.
    if (total > frame_bytes - kPlainL3 || total < F::kMinHeaderBytes) [[unlikely]]
        return false;
    const uint32_t room = head_bytes - kL4 < l4_bytes ? head_bytes - kL4 : l4_bytes;
    const uint8_t* const l4 = bytes + kL4;
    uint32_t header_bytes = sizeof(UdpHeader);
    uint8_t tcp_flags = 0;
    if (protocol == kProtocolUdp) {
        const uint32_t udp_bytes = load<be16>(l4 + offsetof(UdpHeader, bytes)).host();
        if (room < sizeof(UdpHeader) || udp_bytes < sizeof(UdpHeader) || udp_bytes > l4_bytes)
            [[unlikely]] {
            return false;
        }
    } else if (protocol == kProtocolTcp) {
        if (room < sizeof(TcpHeader)) [[unlikely]]
            return false;
        header_bytes = load<TcpHeader>(l4).header_bytes();
        if (header_bytes < sizeof(TcpHeader) || header_bytes > room) [[unlikely]]
            return false;
        tcp_flags = l4[offsetof(TcpHeader, flags)];
    } else {
        return false;
    }
    out = Headers{.l3_bytes = total,
                  .ether_type = F::kEtherType,
                  .vlan_tci = 0,
                  .l3_offset = kPlainL3,
                  .l4_offset = static_cast<uint16_t>(kL4),
                  .payload_offset = static_cast<uint16_t>(kL4 + header_bytes),
                  .flags = static_cast<uint16_t>(flags),
                  .ip_version = F::kVersion,
                  .protocol = protocol,
                  .tcp_flags = tcp_flags,
                  .icmp_type = 0};
    return true;
}

/// The same for a frame of either family: false also for other EtherTypes and groups' MACs.
[[nodiscard, gnu::always_inline]] inline bool parse_plain_frame(const uint8_t* bytes,
                                                                uint32_t head_bytes,
                                                                uint32_t frame_bytes,
                                                                Headers& out) noexcept {
    if (head_bytes < sizeof(EthernetHeader) || (bytes[0] & 1u) != 0) [[unlikely]]
        return false;
    const auto ether_type = load<be16>(bytes + offsetof(EthernetHeader, ether_type));
    if (ether_type == be16(V4::kEtherType)) {
        return parse_plain<V4>(bytes, head_bytes, frame_bytes, out);
    }
    return ether_type == be16(V6::kEtherType) &&
           parse_plain<V6>(bytes, head_bytes, frame_bytes, out);
}

}  // namespace podlane::detail
