// The parser of received frames: one bounds-checked pass to L4.
//
// Called once a packet by the parse stage, after decapsulation for the inner frame, and by tools
// and fuzzers; every other stage uses the offsets found here. Every field that decides where a
// header begins is checked against the bytes that are there. No allocation, no state; any thread.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include "lib/base/drop.h"
#include "lib/base/family.h"
#include "lib/proto/checksum.h"
#include "lib/proto/ethernet.h"
#include "lib/proto/flow_key.h"
#include "lib/proto/headers.h"
#include "lib/proto/icmp.h"
#include "lib/proto/ip_protocol.h"
#include "lib/proto/ipv4.h"
#include "lib/proto/ipv6.h"
#include "lib/proto/parse_plain.h"
#include "lib/proto/sctp.h"
#include "lib/proto/tcp.h"
#include "lib/proto/udp.h"
#include "lib/proto/wire.h"

namespace podlane {

/// The most IPv6 extension headers that are followed; a packet with more counts as hostile.
inline constexpr unsigned kMaxIpv6Extensions = 8;

namespace detail {

inline void add_flag(Headers& out, unsigned flags) noexcept {
    out.flags = static_cast<uint16_t>(out.flags | flags);
}

/// The flag if `condition` holds, without a branch.
[[nodiscard]] constexpr unsigned when(bool condition, Headers::Flag flag) noexcept {
    return condition ? static_cast<unsigned>(flag) : 0u;
}

/// RFC 1858 section 4: a first fragment that does not hold the whole L4 header hides what it is.
[[nodiscard]] constexpr Drop truncated(const Headers& headers) noexcept {
    return headers.has(Headers::kFragment) ? Drop::kFragmentTiny : Drop::kL4Truncated;
}

/// The L4 header at out.l4_offset. `end` is where readable bytes of the packet end, at most
/// out.l3_end(). With `kQuoted`, headers may be cut after their first eight bytes, and length
/// fields are not trusted.
template <Family F, bool kQuoted>
[[nodiscard]] inline Drop parse_l4(const uint8_t* bytes, uint32_t end, Headers& out) noexcept {
    const uint32_t l4 = out.l4_offset;
    const uint32_t room = end - l4;
    const auto after = [&out, l4](uint32_t header_bytes) {
        out.payload_offset = static_cast<uint16_t>(l4 + header_bytes);
    };
    const unsigned whole = when(!out.has(Headers::kFragment), Headers::kWholeL4);
    if (out.protocol == kProtocolTcp) {
        if constexpr (kQuoted) {
            if (room < 8) return truncated(out);
            if (room > offsetof(TcpHeader, flags)) {
                out.tcp_flags = bytes[l4 + offsetof(TcpHeader, flags)];
            }
            after(std::min<uint32_t>(room, sizeof(TcpHeader)));
        } else {
            if (room < sizeof(TcpHeader)) [[unlikely]]
                return truncated(out);
            const auto tcp = header_at<TcpHeader>(bytes, l4);
            const uint32_t header_bytes = tcp.header_bytes();
            if (header_bytes < sizeof(TcpHeader) || header_bytes > room) [[unlikely]] {
                const bool cut = header_bytes <= out.l4_bytes() || out.has(Headers::kFragment);
                return cut && header_bytes > room ? truncated(out) : Drop::kL4BadLength;
            }
            out.tcp_flags = tcp.flags;
            after(header_bytes);
        }
        add_flag(out, Headers::kPorts | whole);
    } else if (out.protocol == kProtocolUdp) {
        if (room < sizeof(UdpHeader)) [[unlikely]]
            return truncated(out);
        if constexpr (!kQuoted) {
            // A first fragment's UDP length is that of the whole datagram.
            const uint32_t udp_bytes = header_at<UdpHeader>(bytes, l4).bytes.host();
            const bool beyond = udp_bytes > out.l4_bytes() && !out.has(Headers::kFragment);
            if (udp_bytes < sizeof(UdpHeader) || beyond) [[unlikely]]
                return Drop::kL4BadLength;
        }
        after(sizeof(UdpHeader));
        add_flag(out, Headers::kPorts | whole);
    } else if (out.protocol == F::kIcmpProtocol) {
        if (room < sizeof(IcmpHeader)) [[unlikely]]
            return truncated(out);
        out.icmp_type = bytes[l4];
        add_flag(out, when(is_echo_request<F>(out.icmp_type), Headers::kEchoRequest) |
                          when(is_echo_reply<F>(out.icmp_type), Headers::kEchoReply) |
                          when(is_icmp_error<F>(out.icmp_type), Headers::kIcmpError));
        after(sizeof(IcmpHeader));
    } else if (out.protocol == kProtocolSctp) {
        const uint32_t needed = kQuoted ? 8 : sizeof(SctpHeader);
        if (room < needed) return truncated(out);
        after(std::min<uint32_t>(room, sizeof(SctpHeader)));
        add_flag(out, Headers::kPorts);
    }
    return Drop::kNone;
}

/// RFC 1812 section 5.3.7 and RFC 1122 section 3.2.1.3. 240.0.0.0/4 is reserved, but some clusters
/// give it to pods, and Linux forwards it. An unspecified source is a host without an address yet
/// (DHCP), which sends to groups only.
template <bool kToLoopback = false>
[[nodiscard]] inline bool bad_addresses(const Ipv4Header& ip, Headers& out) noexcept {
    const uint32_t src = ip.src.value.host();
    const uint32_t dst = ip.dst.value.host();
    const bool group = (dst >> 28) == 0xe || dst == 0xffffffff;
    if (src == 0) [[unlikely]]
        add_flag(out, Headers::kUnspecifiedSource);
    return ((src >> 28) == 0xe) | (src == 0xffffffff) | ((src >> 24) == 127) |
           ((src != 0) & ((src >> 24) == 0)) | (((dst >> 24) == 127) != kToLoopback) |
           ((dst >> 24) == 0) | ((src == 0) & !group);
}

/// RFC 4291 sections 2.5.2, 2.5.3, 2.5.5 (an embedded IPv4 address is on no wire) and 2.7.
[[nodiscard]] inline bool bad_addresses(const Ipv6Header& ip, Headers& out) noexcept {
    struct Halves {
        be64 high, low;
    };
    const auto src = std::bit_cast<Halves>(ip.src);
    const auto dst = std::bit_cast<Halves>(ip.dst);
    if ((src.high.raw == 0) | (dst.high.raw == 0)) [[unlikely]] {
        if (dst.high.raw == 0) return true;
        if (src.high.raw == 0 && src.low.raw == 0) {
            add_flag(out, Headers::kUnspecifiedSource);
            return !ip.dst.is_multicast();
        }
        if (src.high.raw == 0) return true;
    }
    return ip.src.is_multicast();
}

/// The IPv4 header at out.l3_offset and what follows. `head_bytes` are readable, `frame_bytes` are
/// in the whole frame.
template <bool kQuoted, bool kToLoopback = false>
[[nodiscard]] inline Drop parse_ipv4(const uint8_t* bytes, uint32_t head_bytes,
                                     uint32_t frame_bytes, Headers& out) noexcept {
    const uint32_t l3 = out.l3_offset;
    if (head_bytes - l3 < sizeof(Ipv4Header)) [[unlikely]]
        return Drop::kIpTruncated;
    const auto ip = header_at<Ipv4Header>(bytes, l3);
    uint32_t header_bytes = sizeof(Ipv4Header);
    const uint32_t total = ip.total_bytes.host();
    if (ip.version_ihl != 0x45) [[unlikely]] {
        if (ip.version() != 4) return Drop::kIpBadVersion;
        header_bytes = ip.header_bytes();
        if (header_bytes < sizeof(Ipv4Header)) return Drop::kIpBadHeaderLength;
        if (header_bytes > head_bytes - l3) return Drop::kIpTruncated;
        if (header_bytes > total) return Drop::kIpBadHeaderLength;
        add_flag(out, Headers::kIpOptions);
    }
    if constexpr (!kQuoted) {
        // A larger frame is padded; a smaller one was cut off on the way.
        if (total < header_bytes || total > frame_bytes - l3) [[unlikely]] {
            return Drop::kIpBadTotalLength;
        }
        if (header_bytes == sizeof(Ipv4Header)) [[likely]] {
            uint64_t sum = uint64_t{load<uint32_t>(bytes + l3)} + load<uint32_t>(bytes + l3 + 4) +
                           load<uint32_t>(bytes + l3 + 8) + load<uint32_t>(bytes + l3 + 12) +
                           load<uint32_t>(bytes + l3 + 16);
            sum = (sum & 0xffffffff) + (sum >> 32);
            sum = (sum & 0xffff) + (sum >> 16);
            sum = (sum & 0xffff) + (sum >> 16);
            if (sum != 0xffff) [[unlikely]]
                return Drop::kIpBadChecksum;
        } else if (!ipv4_header_checksum_ok({bytes + l3, header_bytes})) {
            return Drop::kIpBadChecksum;
        }
        if (bad_addresses<kToLoopback>(ip, out)) [[unlikely]]
            return Drop::kIpBadAddress;
    }
    out.ip_version = 4;
    out.protocol = ip.protocol;
    out.l3_bytes = total;
    out.l4_offset = static_cast<uint16_t>(l3 + header_bytes);
    out.payload_offset = out.l4_offset;
    const uint32_t fragment = ip.fragment.host();
    // DF is bit 14 of the field and bit 7 of the flags.
    static_assert(kIpv4DontFragment >> 7 == Headers::kDontFragment);
    add_flag(out, (fragment & kIpv4DontFragment) >> 7);
    if ((fragment & (kIpv4MoreFragments | kIpv4OffsetMask)) != 0) [[unlikely]] {
        const bool first = (fragment & kIpv4OffsetMask) == 0;
        add_flag(out, Headers::kFragment | when(first, Headers::kFirstFragment) |
                          when((fragment & kIpv4MoreFragments) != 0, Headers::kMoreFragments));
        if (!first) return Drop::kNone;
    }
    const uint32_t end = kQuoted ? head_bytes : std::min(head_bytes, l3 + total);
    return parse_l4<V4, kQuoted>(bytes, end, out);
}

/// Follows IPv6 extension headers from out.l4_offset, which it moves; RFC 8200 section 4.1. Ends at
/// an upper layer or at a fragment header. Readable bytes end at `end`. `in_fragment`: after a
/// fragment header, where no second one is allowed.
[[nodiscard]] inline Drop skip_ipv6_extensions(const uint8_t* bytes, uint32_t end, Headers& out,
                                               bool in_fragment = false) noexcept {
    uint32_t at = out.l4_offset;
    for (unsigned count = 0;; ++count) {
        const uint8_t next = out.protocol;
        // Hop-by-hop options must be first; elsewhere they are not an extension header (section
        // 4.3).
        const bool plain = next == kProtocolRouting || next == kProtocolDestinationOptions ||
                           (next == kProtocolHopByHop && count == 0);
        if (!plain && next != kProtocolAh && next != kProtocolFragment) return Drop::kNone;
        if (count == kMaxIpv6Extensions) return Drop::kIpTooManyExtensions;
        if (next == kProtocolFragment && in_fragment) return Drop::kFragmentBad;
        if (end - at < 8) return Drop::kIpTruncated;
        const auto extension = header_at<Ipv6Extension>(bytes, at);
        uint32_t extension_bytes = 8;
        if (next == kProtocolAh) {
            extension_bytes = (extension.length + 2u) * 4;
        } else if (next != kProtocolFragment) {
            extension_bytes = (extension.length + 1u) * 8;
        }
        if (end - at < extension_bytes) return Drop::kIpTruncated;
        out.protocol = extension.next_header;
        add_flag(out, Headers::kIpOptions);
        if (next == kProtocolFragment) {
            const auto fragment = header_at<Ipv6Fragment>(bytes, at);
            const bool first = fragment.offset_bytes() == 0;
            // Offset 0 without M is a whole packet (RFC 6946). For real fragments the walk ends
            // here, for the first one too, so that the repeated headers of every fragment are
            // before l4_offset.
            if (!first || fragment.more()) {
                add_flag(out, Headers::kFragment | when(first, Headers::kFirstFragment) |
                                  when(fragment.more(), Headers::kMoreFragments));
                out.l4_offset = static_cast<uint16_t>(at + extension_bytes);
                return Drop::kNone;
            }
        }
        at += extension_bytes;
        out.l4_offset = static_cast<uint16_t>(at);
    }
}

/// The IPv6 counterpart of parse_ipv4().
template <bool kQuoted>
[[nodiscard]] inline Drop parse_ipv6(const uint8_t* bytes, uint32_t head_bytes,
                                     uint32_t frame_bytes, Headers& out) noexcept {
    const uint32_t l3 = out.l3_offset;
    if (head_bytes - l3 < sizeof(Ipv6Header)) [[unlikely]]
        return Drop::kIpTruncated;
    const auto ip = header_at<Ipv6Header>(bytes, l3);
    if (ip.version() != 6) [[unlikely]]
        return Drop::kIpBadVersion;
    const uint32_t payload = ip.payload_bytes.host();
    const uint32_t total = payload + static_cast<uint32_t>(sizeof(Ipv6Header));
    if constexpr (!kQuoted) {
        // Payload length 0 is a jumbogram (RFC 2675), which no port here can carry, or an empty
        // packet.
        if (payload == 0 || total > frame_bytes - l3) [[unlikely]]
            return Drop::kIpBadTotalLength;
        if (bad_addresses(ip, out)) [[unlikely]]
            return Drop::kIpBadAddress;
    }
    out.ip_version = 6;
    out.protocol = ip.next_header;
    out.l3_bytes = total;
    out.l4_offset = static_cast<uint16_t>(l3 + sizeof(Ipv6Header));
    add_flag(out, Headers::kDontFragment);
    const uint32_t end = kQuoted ? head_bytes : std::min(head_bytes, l3 + total);
    if (out.protocol != kProtocolTcp && out.protocol != kProtocolUdp) {
        const Drop drop = skip_ipv6_extensions(bytes, end, out);
        if (drop != Drop::kNone) [[unlikely]]
            return drop;
    }
    out.payload_offset = out.l4_offset;
    if (out.has(Headers::kFragment) && !out.has(Headers::kFirstFragment)) return Drop::kNone;
    return parse_l4<V6, kQuoted>(bytes, end, out);
}

/// parse_frame() without its fast path: any frame, of whatever kind.
[[nodiscard]] inline Drop parse_any_frame(const uint8_t* bytes, uint32_t head_bytes,
                                          uint32_t frame_bytes, Headers& out) noexcept {
    out = Headers{};
    if (head_bytes < sizeof(EthernetHeader)) [[unlikely]]
        return Drop::kFrameTooShort;
    constexpr uint64_t kAllOnes = be64(0xffffffffffff0000).raw;
    const uint64_t dst_mac = load<uint64_t>(bytes) & kAllOnes;
    add_flag(out, when((bytes[0] & 1u) != 0, Headers::kMulticastMac) |
                      when(dst_mac == kAllOnes, Headers::kBroadcast));
    uint16_t ether_type = load<be16>(bytes + offsetof(EthernetHeader, ether_type)).host();
    uint32_t l3 = sizeof(EthernetHeader);
    for (int tags = 0; tags < 2; ++tags) {
        if (ether_type != kEtherTypeVlan && ether_type != kEtherTypeQinq) [[likely]]
            break;
        if (head_bytes - l3 < sizeof(VlanTag)) return Drop::kFrameTooShort;
        const auto tag = header_at<VlanTag>(bytes, l3);
        if (tags == 0) out.vlan_tci = tag.tci.host();
        add_flag(out, Headers::kVlan);
        ether_type = tag.ether_type.host();
        l3 += sizeof(VlanTag);
    }
    out.ether_type = ether_type;
    out.l3_offset = static_cast<uint16_t>(l3);
    if (ether_type == V4::kEtherType) [[likely]] {
        return parse_ipv4<false>(bytes, head_bytes, frame_bytes, out);
    }
    if (ether_type == V6::kEtherType) {
        return parse_ipv6<false>(bytes, head_bytes, frame_bytes, out);
    }
    return Drop::kNone;
}

}  // namespace detail

/// Parses the IP packet that begins at `l3_offset` (at most 1024) of a frame, with the checks of
/// parse_frame(). The version is taken from its first byte.
[[nodiscard]] inline Drop parse_ip_packet(std::span<const uint8_t> head, uint32_t l3_offset,
                                          uint32_t frame_bytes, Headers& out) noexcept {
    assert(head.size() <= frame_bytes && l3_offset <= 1024);
    out = Headers{};
    const auto head_bytes = static_cast<uint32_t>(head.size());
    if (l3_offset >= head_bytes) return Drop::kIpTruncated;
    out.l3_offset = static_cast<uint16_t>(l3_offset);
    const bool is_v6 = head[l3_offset] >> 4 == V6::kVersion;
    out.ether_type = is_v6 ? V6::kEtherType : V4::kEtherType;
    return is_v6 ? detail::parse_ipv6<false>(head.data(), head_bytes, frame_bytes, out)
                 : detail::parse_ipv4<false>(head.data(), head_bytes, frame_bytes, out);
}

/// Parses an untagged IPv4 frame to 127.0.0.0/8, which parse_frame() refuses: from the node's own
/// kernel it may be for a host port there. Refuses all other frames, and those without ports.
[[nodiscard]] inline Drop parse_to_loopback(std::span<const uint8_t> head, uint32_t frame_bytes,
                                            Headers& out) noexcept {
    assert(head.size() <= frame_bytes);
    out = Headers{};
    const auto head_bytes = static_cast<uint32_t>(head.size());
    if (head_bytes < sizeof(EthernetHeader)) return Drop::kFrameTooShort;
    const auto ether_type = load<be16>(head.data() + offsetof(EthernetHeader, ether_type)).host();
    if (ether_type != V4::kEtherType || (head[0] & 1u) != 0) return Drop::kIpBadAddress;
    out.l3_offset = sizeof(EthernetHeader);
    out.ether_type = V4::kEtherType;
    const Drop bad = detail::parse_ipv4<false, true>(head.data(), head_bytes, frame_bytes, out);
    if (bad != Drop::kNone) return bad;
    const bool has_ports = out.has(Headers::kPorts) && !out.has(Headers::kFragment);
    return has_ports ? Drop::kNone : Drop::kIpBadAddress;
}

/// Parses the packet that an ICMP error of family F quotes at `l3_offset`. It may be cut off after
/// eight bytes of its L4 header, and was changed on its way: lengths, checksum and addresses are
/// not checked, and out.l3_bytes is what the quoted header claims, usually more than is there.
/// Offsets in `out` count from the start of `head`, so flow_key() and stores work on it. A fragment
/// other than the first needs no L4 bytes. `l3_offset` is at most 32768.
template <Family F>
[[nodiscard]] inline Drop parse_quoted_packet(std::span<const uint8_t> head, uint32_t l3_offset,
                                              Headers& out) noexcept {
    assert(l3_offset <= 32768);
    out = Headers{};
    const auto head_bytes = static_cast<uint32_t>(head.size());
    if (l3_offset > head_bytes) return Drop::kIpTruncated;
    out.l3_offset = static_cast<uint16_t>(l3_offset);
    out.ether_type = F::kEtherType;
    if constexpr (std::same_as<F, V4>) {
        return detail::parse_ipv4<true>(head.data(), head_bytes, head_bytes, out);
    } else {
        return detail::parse_ipv6<true>(head.data(), head_bytes, head_bytes, out);
    }
}

/// Parses and checks a received frame: RFC 1812 section 5.2.2 for IPv4, RFC 8200 for IPv6. `head`
/// is the frame's first buffer and holds all headers of a frame that passes; `frame_bytes` is the
/// length of the whole chain of buffers and not less than `head`. Drop::kNone means that `out` is
/// right. For a frame that is neither IPv4 nor IPv6, `out` has only the Ethernet part. On any other
/// result, `out` is filled as far as the parser got.
[[nodiscard, gnu::always_inline]] inline Drop parse_frame(std::span<const uint8_t> head,
                                                          uint32_t frame_bytes,
                                                          Headers& out) noexcept {
    assert(head.size() <= frame_bytes);
    const uint8_t* const bytes = head.data();
    const auto head_bytes = static_cast<uint32_t>(head.size());
    if (detail::parse_plain_frame(bytes, head_bytes, frame_bytes, out)) [[likely]]
        return Drop::kNone;
    return detail::parse_any_frame(bytes, head_bytes, frame_bytes, out);
}

/// parse_frame()'s fast path alone. True: the frame is untagged, unicast, whole, IP without options
/// or extension headers, TCP or UDP, and `out` is right. False: the frame is for parse_frame().
[[nodiscard, gnu::always_inline]] inline bool parse_plain_frame(std::span<const uint8_t> head,
                                                                uint32_t frame_bytes,
                                                                Headers& out) noexcept {
    return detail::parse_plain_frame(head.data(), static_cast<uint32_t>(head.size()), frame_bytes,
                                     out);
}

namespace detail {

/// The offset of a header's source address; the destination follows it.
template <Family F>
inline constexpr size_t kSrcOffset = std::same_as<F, V4> ? offsetof(Ipv4Header, src)
                                                         : offsetof(Ipv6Header, src);

}  // namespace detail

/// The addresses of a parsed packet, in wire order.
template <Family F>
[[nodiscard]] inline typename F::Address src_address(const uint8_t* frame,
                                                     const Headers& headers) noexcept {
    return load<typename F::Address>(frame + headers.l3_offset + detail::kSrcOffset<F>);
}
template <Family F>
[[nodiscard]] inline typename F::Address dst_address(const uint8_t* frame,
                                                     const Headers& headers) noexcept {
    return load<typename F::Address>(frame + headers.l3_offset + detail::kSrcOffset<F> +
                                     sizeof(typename F::Address));
}

/// The key of a packet's flow; for a first fragment, that of the whole packet. A later fragment
/// does not know its ports. See lib/proto/flow_key.h for the port fields. The frame's family must
/// be F.
template <Family F>
[[nodiscard]] inline FlowKey<F> flow_key(const uint8_t* frame, const Headers& headers) noexcept {
    // By words, so that hashing the key does not wait for stores of other widths.
    std::array<uint64_t, sizeof(FlowKey<F>) / 8> words;
    static_assert(std::endian::native == std::endian::little);
    static_assert(sizeof(typename F::Address) * 2 == sizeof(words) - 8);
    const uint8_t* const addresses = frame + headers.l3_offset + detail::kSrcOffset<F>;
    for (size_t i = 0; i + 1 < words.size(); ++i) words[i] = load<uint64_t>(addresses + 8 * i);
    uint64_t& rest = words.back();
    rest = 0;
    const uint8_t* l4 = frame + headers.l4_offset;
    if (headers.has(Headers::kPorts)) [[likely]] {
        rest = load<uint32_t>(l4);
    } else if (headers.has(Headers::kEchoRequest)) {
        rest = load<uint16_t>(l4 + offsetof(IcmpHeader, id));
    } else if (headers.has(Headers::kEchoReply)) {
        rest = uint64_t{load<uint16_t>(l4 + offsetof(IcmpHeader, id))} << 16;
    }
    rest |= uint64_t{headers.protocol} << 32;
    static_assert(static_cast<uint8_t>(FlowKind::kWhole) == 0);
    FlowKey<F> key;
    std::memcpy(&key, words.data(), sizeof(key));
    return key;
}

/// The key that a fragment shares with all others of its packet, and with no other packet's: it has
/// the identification in place of ports. IPv4: RFC 791 section 3.2. IPv6: RFC 8200 section 4.5, by
/// which fragments of one packet may name different next headers.
template <Family F>
[[nodiscard]] inline FlowKey<F> fragment_key(const uint8_t* frame,
                                             const Headers& headers) noexcept {
    assert(headers.has(Headers::kFragment));
    FlowKey<F> key{};
    key.src = src_address<F>(frame, headers);
    key.dst = dst_address<F>(frame, headers);
    key.kind = static_cast<uint8_t>(FlowKind::kFragment);
    if constexpr (std::same_as<F, V4>) {
        key.protocol = headers.protocol;
        key.src_port = load<be16>(frame + headers.l3_offset + offsetof(Ipv4Header, id));
    } else {
        const uint8_t* id =
            frame + headers.l4_offset - sizeof(Ipv6Fragment) + offsetof(Ipv6Fragment, id);
        key.src_port = load<be16>(id);
        key.dst_port = load<be16>(id + 2);
    }
    return key;
}

/// Parses a first fragment on to L4 if IPv6 extension headers follow the fragment header: RFC 7112
/// requires all of them to be in it. parse_frame() has accepted the frame. Take its fragment_key()
/// and fragment_part() before, because this moves offsets.
[[nodiscard]] inline Drop parse_behind_fragment_header(std::span<const uint8_t> head,
                                                       Headers& out) noexcept {
    assert(out.has(Headers::kFirstFragment));
    if (out.ip_version != V6::kVersion || out.has(Headers::kPorts)) return Drop::kNone;
    const uint32_t end = std::min(static_cast<uint32_t>(head.size()), out.l3_end());
    const uint16_t before = out.l4_offset;
    Drop drop = detail::skip_ipv6_extensions(head.data(), end, out, true);
    if (drop == Drop::kNone && out.l4_offset != before) {
        out.payload_offset = out.l4_offset;
        drop = detail::parse_l4<V6, false>(head.data(), end, out);
    }
    return drop == Drop::kIpTruncated ? Drop::kFragmentTiny : drop;
}

}  // namespace podlane
