// The compiled decision of the slow path for one direction of a connection, and its execution.
//
// The slow path makes a Rewrite once per direction (make_rewrite). Each later packet only has it
// applied (apply_rewrite): addresses, ports, TTL and checksums by cached delta, without a look-up.
// Workers only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "lib/base/bytes.h"
#include "lib/base/family.h"
#include "lib/flow/sctp_change.h"
#include "lib/proto/checksum.h"
#include "lib/proto/flow_key.h"
#include "lib/proto/icmp.h"
#include "lib/proto/ip_protocol.h"
#include "lib/proto/ipv4.h"
#include "lib/proto/ipv6.h"
#include "lib/proto/parse.h"
#include "lib/proto/sctp.h"
#include "lib/proto/tcp.h"
#include "lib/proto/udp.h"
#include "lib/proto/wire.h"

namespace podlane {

/// What a Rewrite changes; bits of Rewrite::flags.
enum RewriteFlags : uint8_t {
    kRewriteSrcAddress = 0x01,
    kRewriteDstAddress = 0x02,
    kRewriteSrcPort = 0x04,
    kRewriteDstPort = 0x08,
    kRewriteDecrementTtl = 0x10,  ///< routed, not bridged
};
inline constexpr uint8_t kRewriteAddresses = kRewriteSrcAddress | kRewriteDstAddress;
inline constexpr uint8_t kRewritePorts = kRewriteSrcPort | kRewriteDstPort;
inline constexpr uint8_t kRewriteTranslates = kRewriteAddresses | kRewritePorts;

/// New values for one direction of a flow. Immutable once its entry is published.
///
/// `l4` is the change of a complete TCP or UDP checksum, from addresses and ports. `header` is the
/// change of the IPv4 header checksum, from addresses and TTL; IPv6 has none. Addresses and ports
/// that do not change are there as well, so that a plain packet gets all of them by wide stores.
template <Family F>
struct Rewrite {
    typename F::Address src;
    typename F::Address dst;
    be16 src_port;
    be16 dst_port;
    ChecksumDelta l4;
    ChecksumDelta header;
    uint8_t flags;  ///< RewriteFlags; other bits mean nothing
};

/// How the sum over source and destination changes when they become `src` and `dst`: the change of
/// a pseudo-header, and so of a partial checksum. Zero for what does not change.
template <class Address>
[[nodiscard]] constexpr ChecksumDelta address_delta(const Address& was_src, const Address& was_dst,
                                                    const Address& src,
                                                    const Address& dst) noexcept {
    ChecksumDelta delta;
    if (!(was_src == src)) delta = delta + checksum_delta(was_src, src);
    if (!(was_dst == dst)) delta = delta + checksum_delta(was_dst, dst);
    return delta;
}

/// The rewrite that turns a packet with key `from` into one with key `to`. Flags for what differs
/// are set here; `extra` may add kRewriteDecrementTtl.
template <Family F>
[[nodiscard]] constexpr Rewrite<F> make_rewrite(const FlowKey<F>& from, const FlowKey<F>& to,
                                                uint8_t extra = 0) noexcept {
    Rewrite<F> out{};
    out.src = to.src;
    out.dst = to.dst;
    out.src_port = to.src_port;
    out.dst_port = to.dst_port;
    out.flags = extra;
    if (!(from.src == to.src)) out.flags |= kRewriteSrcAddress;
    if (!(from.dst == to.dst)) out.flags |= kRewriteDstAddress;
    out.header = address_delta(from.src, from.dst, to.src, to.dst);
    out.l4 = out.header;
    if (!(from.src_port == to.src_port)) {
        out.flags |= kRewriteSrcPort;
        out.l4 = out.l4 + checksum_delta(from.src_port, to.src_port);
    }
    if (!(from.dst_port == to.dst_port)) {
        out.flags |= kRewriteDstPort;
        out.l4 = out.l4 + checksum_delta(from.dst_port, to.dst_port);
    }
    // TTL is the upper byte of its 16-bit word.
    if ((extra & kRewriteDecrementTtl) != 0) {
        out.header = out.header + checksum_delta(be16(0x0100), be16(0));
    }
    return out;
}

/// What the L4 checksum field of a packet holds.
enum class CsumState : uint8_t {
    kComplete,  ///< the checksum; right or wrong, the rewrite keeps it so
    kPartial,   ///< the pseudo-header's sum, to be completed when the packet is sent
};

namespace detail {

template <Family F>
inline void rewrite_ports(uint8_t* l4, const Rewrite<F>& rewrite) noexcept {
    if ((rewrite.flags & kRewriteSrcPort) != 0) store(l4, rewrite.src_port);
    if ((rewrite.flags & kRewriteDstPort) != 0) store(l4 + 2, rewrite.dst_port);
}

template <Family F>
inline void rewrite_sctp(uint8_t* l4, const Headers& headers, const Rewrite<F>& rewrite,
                         CsumState csum) noexcept {
    if ((rewrite.flags & kRewritePorts) == 0) return;  // the CRC covers no pseudo-header
    const auto was = load<uint32_t>(l4);
    rewrite_ports(l4, rewrite);
    // A fragment's CRC covers bytes that are elsewhere.
    if (csum == CsumState::kPartial || headers.has(Headers::kFragment)) return;
    const uint32_t change = sctp_checksum_change(was ^ load<uint32_t>(l4), headers.l4_bytes());
    uint8_t* const field = l4 + offsetof(SctpHeader, checksum);
    store(field, load<uint32_t>(field) ^ change);
}

template <Family F>
inline void rewrite_icmp(uint8_t* l4, const Headers& headers, const Rewrite<F>& rewrite,
                         ChecksumDelta addresses, CsumState csum) noexcept {
    // ICMP over IPv4 has no pseudo-header.
    ChecksumDelta delta = std::same_as<F, V6> ? addresses : ChecksumDelta{};
    const bool request = headers.has(Headers::kEchoRequest);
    const uint8_t id_flag = request ? kRewriteSrcPort : kRewriteDstPort;
    if ((request || headers.has(Headers::kEchoReply)) && (rewrite.flags & id_flag) != 0) {
        uint8_t* const id = l4 + offsetof(IcmpHeader, id);
        const be16 now = request ? rewrite.src_port : rewrite.dst_port;
        if (csum == CsumState::kComplete) delta = delta + checksum_delta(load<be16>(id), now);
        store(id, now);
    }
    uint8_t* const field = l4 + offsetof(IcmpHeader, checksum);
    const auto sum = load<be16>(field);
    store(field, csum == CsumState::kPartial ? partial_checksum_apply(sum, delta)
                                             : checksum_apply(sum, delta));
}

/// For a whole TCP or UDP packet with a complete checksum. No branch depends on what is translated,
/// only one on whether anything is, since most packets between pods are only routed. `flags` and
/// `header` are the rewrite's, `rewrite()` is all of it.
template <Family F>
[[gnu::always_inline]] inline void rewrite_plain(uint8_t* frame, const Headers& headers,
                                                 uint8_t flags, ChecksumDelta header,
                                                 auto rewrite) noexcept {
    using IpHeader = std::conditional_t<std::same_as<F, V4>, Ipv4Header, Ipv6Header>;
    static_assert(kRewriteDecrementTtl == 0x10);
    const auto hop = static_cast<uint8_t>(flags >> 4 & 1);
    uint8_t* const l3 = frame + headers.l3_offset;
    if constexpr (std::same_as<F, V4>) {
        l3[offsetof(Ipv4Header, ttl)] = static_cast<uint8_t>(l3[offsetof(Ipv4Header, ttl)] - hop);
        uint8_t* const sum = l3 + offsetof(Ipv4Header, checksum);
        store(sum, checksum_apply(load<be16>(sum), header));
    } else {
        l3[offsetof(Ipv6Header, hop_limit)] =
            static_cast<uint8_t>(l3[offsetof(Ipv6Header, hop_limit)] - hop);
    }
    if ((flags & kRewriteTranslates) == 0) return;
    // Loaded before the first store, so that they can be copied in large pieces.
    const Rewrite<F>& to = rewrite();
    const auto src = to.src;
    const auto dst = to.dst;
    const uint32_t ports = to.src_port.raw | uint32_t{to.dst_port.raw} << 16;
    const ChecksumDelta change = to.l4;
    const bool is_tcp = headers.protocol == kProtocolTcp;
    uint8_t* const l4 = frame + headers.l4_offset;
    store(l3 + offsetof(IpHeader, src), src);
    store(l3 + offsetof(IpHeader, dst), dst);
    store(l4, ports);
    uint8_t* const field =
        l4 + (is_tcp ? offsetof(TcpHeader, checksum) : offsetof(UdpHeader, checksum));
    const auto sum = load<be16>(field);
    const be16 as_tcp = checksum_apply(sum, change);
    store(field, is_tcp ? as_tcp : udp_checksum_apply(sum, change));
}

/// Whether rewrite_plain() can be used.
[[nodiscard, gnu::always_inline]] inline bool is_plain(const Headers& headers,
                                                       CsumState csum) noexcept {
    return csum == CsumState::kComplete && headers.has(Headers::kWholeL4);
}

/// apply_rewrite() for packets that are not plain.
template <Family F>
[[gnu::noinline]] void apply_any_rewrite(uint8_t* frame, const Headers& headers,
                                         const Rewrite<F>& rewrite, CsumState csum) noexcept;

}  // namespace detail

/// Applies a rewrite to a parsed packet of family F: addresses, ports or echo identifier, TTL, and
/// every checksum that covers them. For a packet without an L4 header (a later fragment, an unknown
/// protocol), only the L3 part. If kRewriteDecrementTtl is set, the caller has checked that the TTL
/// is above 1. All headers lie in the first buffer, as the parser demands; nothing behind them is
/// touched. Not for packets quoted in ICMP errors, whose headers may be cut off.
template <Family F>
[[gnu::always_inline]] inline void apply_rewrite(uint8_t* frame, const Headers& headers,
                                                 const Rewrite<F>& rewrite,
                                                 CsumState csum) noexcept {
    if (detail::is_plain(headers, csum)) [[likely]] {
        detail::rewrite_plain<F>(frame, headers, rewrite.flags, rewrite.header,
                                 [&]() -> const Rewrite<F>& { return rewrite; });
        return;
    }
    detail::apply_any_rewrite(frame, headers, rewrite, csum);
}

template <Family F>
void detail::apply_any_rewrite(uint8_t* frame, const Headers& headers, const Rewrite<F>& rewrite,
                               CsumState csum) noexcept {
    using IpHeader = std::conditional_t<std::same_as<F, V4>, Ipv4Header, Ipv6Header>;
    uint8_t* const l3 = frame + headers.l3_offset;
    const bool is_tcp = headers.protocol == kProtocolTcp;
    const ChecksumDelta addresses = address_delta(
        load<typename F::Address>(l3 + offsetof(IpHeader, src)),
        load<typename F::Address>(l3 + offsetof(IpHeader, dst)), rewrite.src, rewrite.dst);
    if ((rewrite.flags & kRewriteSrcAddress) != 0) store(l3 + offsetof(IpHeader, src), rewrite.src);
    if ((rewrite.flags & kRewriteDstAddress) != 0) store(l3 + offsetof(IpHeader, dst), rewrite.dst);
    if constexpr (std::same_as<F, V4>) {
        if ((rewrite.flags & kRewriteDecrementTtl) != 0) l3[offsetof(Ipv4Header, ttl)]--;
        uint8_t* const field = l3 + offsetof(Ipv4Header, checksum);
        store(field, checksum_apply(load<be16>(field), rewrite.header));
    } else if ((rewrite.flags & kRewriteDecrementTtl) != 0) {
        l3[offsetof(Ipv6Header, hop_limit)]--;
    }
    if ((rewrite.flags & kRewriteTranslates) == 0) return;
    if (headers.has(Headers::kFragment) && !headers.has(Headers::kFirstFragment)) [[unlikely]]
        return;

    uint8_t* const l4 = frame + headers.l4_offset;
    if (headers.has(Headers::kPorts)) [[likely]] {
        if (headers.protocol == kProtocolSctp) {
            detail::rewrite_sctp(l4, headers, rewrite, csum);
            return;
        }
        detail::rewrite_ports(l4, rewrite);
        uint8_t* const field =
            l4 + (is_tcp ? offsetof(TcpHeader, checksum) : offsetof(UdpHeader, checksum));
        const auto sum = load<be16>(field);
        if (csum == CsumState::kPartial) {
            store(field, partial_checksum_apply(sum, addresses));
        } else {
            store(field,
                  is_tcp ? checksum_apply(sum, rewrite.l4) : udp_checksum_apply(sum, rewrite.l4));
        }
    } else if (headers.protocol == F::kIcmpProtocol) {
        detail::rewrite_icmp(l4, headers, rewrite, addresses, csum);
    }
}

}  // namespace podlane
