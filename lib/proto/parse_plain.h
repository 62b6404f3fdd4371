// The parser's fast path, for what nearly all frames are: untagged, unicast, no IP options or
// extension headers, whole, TCP or UDP. All other frames, valid or not, are left to parse.h, which
// would return the same for the frames that are accepted here (tests compare the two).
#pragma once

#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>

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

/// Whether all conditions hold, without a branch for each.
[[nodiscard, gnu::always_inline]] constexpr bool all_of(auto... conditions) noexcept {
    return (unsigned{conditions} & ...) != 0;
}

/// By the upper byte of an IPv4 address: 0.0.0.0/8, 127.0.0.0/8 and 224.0.0.0 upwards have special
/// rules.
inline constexpr auto kOrdinaryIpv4 = [] {
    std::array<uint8_t, 256> out{};
    for (unsigned top = 1; top < 224; ++top) out[top] = top != 127;
    return out;
}();

/// True if the header and pseudo-header fields are valid and of the plain kind.
[[nodiscard, gnu::always_inline]] inline bool is_plain_ipv4(const uint8_t* ip) noexcept {
    const auto first = load<uint64_t>(ip);       // version, TOS, length, identification, fragment
    const auto second = load<uint64_t>(ip + 8);  // TTL, protocol, checksum, source
    const auto third = load<uint32_t>(ip + 16);  // destination
    // Version 4 with five words, and in the fragment field nothing but DF.
    constexpr uint64_t kMask = be64(0xff000000'0000bfff).raw;
    constexpr uint64_t kWanted = be64(0x45000000'00000000).raw;
    if ((first & kMask) != kWanted) [[unlikely]]
        return false;
    // Carries are added back at the low end. Folded to 16 bits, a valid header's sum is 0xffff: it
    // is a multiple of that, and not 0, because it contains the version.
    uint64_t sum = first + second;
    sum += sum < second;
    sum += third;
    sum += sum < third;
    if (sum % 0xffff != 0) [[unlikely]]
        return false;
    return (kOrdinaryIpv4[ip[offsetof(Ipv4Header, src)]] &
            kOrdinaryIpv4[ip[offsetof(Ipv4Header, dst)]]) != 0;
}

[[nodiscard, gnu::always_inline]] inline bool is_plain_ipv6(const uint8_t* ip) noexcept {
    // Version 6; groups, unspecified, loopback and mapped addresses have special rules.
    const auto ordinary = [](uint8_t top) { return top - 1u < 0xfe; };
    return all_of((ip[0] >> 4) == 6, ordinary(ip[offsetof(Ipv6Header, src)]),
                  ordinary(ip[offsetof(Ipv6Header, dst)]));
}

/// Headers as words, so that it is written in three stores: most of it is the same for all plain
/// frames. The setters are for fields that are still 0, and for payload_offset.
struct [[gnu::packed]] HeaderWords {
    uint32_t l3_bytes;
    uint64_t places;  ///< ether_type, vlan_tci, l3_offset, l4_offset
    uint64_t kinds;   ///< payload_offset, flags, ip_version, protocol, tcp_flags, icmp_type

    [[nodiscard]] static constexpr HeaderWords of(const Headers& headers) noexcept {
        return std::bit_cast<HeaderWords>(headers);
    }
    constexpr void add_l4(uint32_t header_bytes, uint8_t protocol, uint8_t tcp_flags) noexcept {
        kinds += header_bytes | uint64_t{protocol} << 40 | uint64_t{tcp_flags} << 48;
    }
    constexpr void add_flags(unsigned flags) noexcept { kinds |= uint64_t{flags} << 16; }
    void write(Headers& out) const noexcept { std::memcpy(&out, this, sizeof(out)); }
};
static_assert(sizeof(HeaderWords) == sizeof(Headers));
static_assert(offsetof(HeaderWords, places) == offsetof(Headers, ether_type));
static_assert(offsetof(HeaderWords, kinds) == offsetof(Headers, payload_offset));
static_assert(offsetof(Headers, flags) == offsetof(Headers, payload_offset) + 2 &&
              offsetof(Headers, protocol) == offsetof(Headers, payload_offset) + 5 &&
              offsetof(Headers, tcp_flags) == offsetof(Headers, payload_offset) + 6);
static_assert(std::endian::native == std::endian::little);

/// Parses a plain frame of family F; the caller has checked the EtherType. False: it is not plain,
/// and `out` is unchanged.
template <Family F>
[[nodiscard, gnu::always_inline]] inline bool parse_plain(const uint8_t* bytes, uint32_t head_bytes,
                                                          uint32_t frame_bytes,
                                                          Headers& out) noexcept {
    constexpr bool kIsV4 = std::same_as<F, V4>;
    constexpr uint32_t kL4 = kPlainL3 + F::kMinHeaderBytes;
    if (head_bytes < kL4 + sizeof(UdpHeader)) [[unlikely]]
        return false;
    const uint8_t* const ip = bytes + kPlainL3;
    uint32_t l4_bytes;  // wraps if the length is too small
    uint8_t protocol;
    unsigned flags;
    if constexpr (kIsV4) {
        if (!is_plain_ipv4(ip)) [[unlikely]]
            return false;
        l4_bytes = load<be16>(ip + offsetof(Ipv4Header, total_bytes)).host() - F::kMinHeaderBytes;
        protocol = ip[offsetof(Ipv4Header, protocol)];
        flags = (ip[offsetof(Ipv4Header, fragment)] & 0x40u) << 1;
        static_assert(Headers::kDontFragment == 0x40u << 1);
    } else {
        if (!is_plain_ipv6(ip)) [[unlikely]]
            return false;
        l4_bytes = load<be16>(ip + offsetof(Ipv6Header, payload_bytes)).host();
        protocol = ip[offsetof(Ipv6Header, next_header)];
        flags = Headers::kDontFragment;
    }
    // Cut off or wrong: not plain.
    if (l4_bytes > frame_bytes - kL4) [[unlikely]]
        return false;
    const uint8_t* const l4 = bytes + kL4;
    HeaderWords words = HeaderWords::of({.l3_bytes = 0,
                                         .ether_type = F::kEtherType,
                                         .vlan_tci = 0,
                                         .l3_offset = kPlainL3,
                                         .l4_offset = kL4,
                                         .payload_offset = kL4,
                                         .flags = Headers::kPorts | Headers::kWholeL4,
                                         .ip_version = F::kVersion,
                                         .protocol = 0,
                                         .tcp_flags = 0,
                                         .icmp_type = 0});
    words.l3_bytes = l4_bytes + F::kMinHeaderBytes;
    if (protocol == kProtocolUdp) {
        const uint32_t udp_bytes = load<be16>(l4 + offsetof(UdpHeader, bytes)).host();
        if (udp_bytes < sizeof(UdpHeader) || udp_bytes > l4_bytes) [[unlikely]]
            return false;
        words.add_l4(sizeof(UdpHeader), kProtocolUdp, 0);
    } else if (protocol == kProtocolTcp) {
        // The whole header must be in the first buffer.
        if (head_bytes < kL4 + sizeof(TcpHeader)) [[unlikely]]
            return false;
        const uint32_t header_bytes = load<TcpHeader>(l4).header_bytes();
        if (header_bytes < sizeof(TcpHeader) || header_bytes > l4_bytes ||
            header_bytes > head_bytes - kL4) [[unlikely]] {
            return false;
        }
        words.add_l4(header_bytes, kProtocolTcp, l4[offsetof(TcpHeader, flags)]);
    } else {
        return false;
    }
    words.add_flags(flags);
    words.write(out);
    return true;
}

/// The same for a frame of either family; false also for other EtherTypes and for group MACs.
[[nodiscard, gnu::always_inline]] inline bool parse_plain_frame(const uint8_t* bytes,
                                                                uint32_t head_bytes,
                                                                uint32_t frame_bytes,
                                                                Headers& out) noexcept {
    if (head_bytes < kPlainL3 + V4::kMinHeaderBytes + sizeof(UdpHeader) || (bytes[0] & 1u) != 0)
        [[unlikely]] {
        return false;
    }
    const auto ether_type = load<be16>(bytes + offsetof(EthernetHeader, ether_type));
    if (ether_type == be16(V4::kEtherType)) {
        return parse_plain<V4>(bytes, head_bytes, frame_bytes, out);
    }
    return ether_type == be16(V6::kEtherType) &&
           parse_plain<V6>(bytes, head_bytes, frame_bytes, out);
}

}  // namespace podlane::detail
