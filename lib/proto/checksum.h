// The Internet checksum (RFC 1071), its incremental update (RFC 1624) and SCTP's CRC32c.
//
// Used by the packet path (deltas), by packet builders (whole sums) and by ports that deliver or
// need partial checksums. Sums are of 16-bit words as they are in memory: ones'-complement addition
// does not depend on byte order (RFC 1071 section 2 B). Any thread.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <span>

#include "lib/base/bytes.h"
#include "lib/base/family.h"
#include "lib/proto/ip_protocol.h"

namespace podlane {

/// Folds a 32-bit ones'-complement sum to 16 bits without complementing it.
[[nodiscard]] constexpr uint16_t checksum_fold_sum(uint32_t sum) noexcept {
    sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<uint16_t>((sum & 0xffff) + (sum >> 16));
}

/// The same for a sum of two words, which has one carry at most.
[[nodiscard]] constexpr uint16_t checksum_fold_pair(uint32_t sum) noexcept {
    return static_cast<uint16_t>(sum + (sum >> 16));
}

/// Adds `bytes` to `sum`. A run of odd length counts as if one zero byte followed, so only the last
/// of several runs may be odd; l4_checksum() over segments has no such limit.
[[nodiscard]] uint32_t checksum_partial(std::span<const uint8_t> bytes, uint32_t sum = 0) noexcept;

/// Ones'-complement addition of two sums.
[[nodiscard]] constexpr uint32_t checksum_add(uint32_t a, uint32_t b) noexcept {
    const uint32_t sum = a + b;
    return sum + (sum < a ? 1 : 0);
}

/// The checksum field for a sum: folded and complemented.
[[nodiscard]] constexpr be16 checksum_fold(uint32_t sum) noexcept {
    return be16::from_raw(static_cast<uint16_t>(~checksum_fold_sum(sum)));
}

/// Updates a checksum after a 16-bit field changed from `was` to `now`. RFC 1624 eqn. 3; safe where
/// RFC 1141's form yields 0xffff for 0x0000. No branches.
/// A UDP checksum of 0 means "absent": the caller must not call this then (RFC 768).
[[nodiscard]] constexpr be16 checksum_update(be16 sum, be16 was, be16 now) noexcept {
    const uint32_t total =
        static_cast<uint16_t>(~sum.raw) + uint32_t{static_cast<uint16_t>(~was.raw)} + now.raw;
    return checksum_fold(total);
}

/// What a change of fields adds to a checksum: the folded sum of ~was + now over all of them. It
/// does not depend on the packet, so a flow's rewrite holds it and each packet only applies it.
struct ChecksumDelta {
    uint16_t raw = 0;

    friend constexpr bool operator==(ChecksumDelta, ChecksumDelta) noexcept = default;
    /// Both changes together.
    friend constexpr ChecksumDelta operator+(ChecksumDelta a, ChecksumDelta b) noexcept {
        return {checksum_fold_pair(uint32_t{a.raw} + b.raw)};
    }
    /// The opposite change.
    [[nodiscard]] constexpr ChecksumDelta reversed() const noexcept {
        return {static_cast<uint16_t>(~raw)};
    }
};

/// The delta of a 16-bit field (a port, an ICMP id) at an even offset of what is summed.
[[nodiscard]] constexpr ChecksumDelta checksum_delta(be16 was, be16 now) noexcept {
    return {checksum_fold_pair(uint32_t{static_cast<uint16_t>(~was.raw)} + now.raw)};
}

[[nodiscard]] constexpr ChecksumDelta checksum_delta(be32 was, be32 now) noexcept {
    const uint32_t gone = ~was.raw;
    return {
        checksum_fold_sum((gone & 0xffff) + (gone >> 16) + (now.raw & 0xffff) + (now.raw >> 16))};
}

[[nodiscard]] constexpr ChecksumDelta checksum_delta(const Ipv4Address& was,
                                                     const Ipv4Address& now) noexcept {
    return checksum_delta(was.value, now.value);
}

[[nodiscard]] constexpr ChecksumDelta checksum_delta(const Ipv6Address& was,
                                                     const Ipv6Address& now) noexcept {
    using Words = std::array<be32, 4>;
    const auto gone = std::bit_cast<Words>(was);
    const auto come = std::bit_cast<Words>(now);
    ChecksumDelta delta;
    for (size_t i = 0; i < gone.size(); ++i) delta = delta + checksum_delta(gone[i], come[i]);
    return delta;
}

/// A complete checksum after the change. Not for UDP, see udp_checksum_apply(). No branches: the
/// complement of a ones'-complement sum is a difference with its borrow put back in.
[[nodiscard]] constexpr be16 checksum_apply(be16 sum, ChecksumDelta delta) noexcept {
    uint16_t left = 0;
    const bool borrow = __builtin_sub_overflow(sum.raw, delta.raw, &left);
    return be16::from_raw(static_cast<uint16_t>(left - borrow));
}

/// The same for UDP's field: an absent checksum (0) stays absent, and a computed 0 becomes 0xffff
/// (RFC 768).
[[nodiscard]] constexpr be16 udp_checksum_apply(be16 sum, ChecksumDelta delta) noexcept {
    const uint16_t updated = checksum_apply(sum, delta).raw;
    const auto present = static_cast<uint16_t>(updated == 0 ? 0xffff : updated);
    return be16::from_raw(sum.raw == 0 ? uint16_t{0} : present);
}

/// A partial checksum after a change of addresses. If a packet's checksum is left to a device, the
/// field holds the folded, uncomplemented pseudo-header sum (Linux: CHECKSUM_PARTIAL), so the
/// change is added as it is. Pass the delta of the addresses alone: ports are summed later, when
/// the checksum is completed.
[[nodiscard]] constexpr be16 partial_checksum_apply(be16 sum, ChecksumDelta delta) noexcept {
    return be16::from_raw(checksum_fold_pair(uint32_t{sum.raw} + delta.raw));
}

/// UDP's field for a computed checksum: 0 is sent as 0xffff, since 0 means "absent" (RFC 768).
[[nodiscard]] constexpr be16 udp_checksum_on_wire(be16 sum) noexcept {
    return sum.raw == 0 ? be16::from_raw(0xffff) : sum;
}

/// The sum of the pseudo-header: RFC 9293 section 3.1 and RFC 768 for IPv4, RFC 8200 section 8.1
/// for IPv6. `l4_bytes` is the length of the L4 header and its payload.
template <Family F>
[[nodiscard]] constexpr uint32_t pseudo_header_sum(const typename F::Address& src,
                                                   const typename F::Address& dst, uint8_t protocol,
                                                   uint32_t l4_bytes) noexcept {
    using Words = std::array<uint32_t, sizeof(typename F::Address) / 4>;
    uint32_t sum = checksum_add(be32(protocol).raw, be32(l4_bytes).raw);
    for (const uint32_t word : std::bit_cast<Words>(src)) sum = checksum_add(sum, word);
    for (const uint32_t word : std::bit_cast<Words>(dst)) sum = checksum_add(sum, word);
    return sum;
}

/// The field for a checksum that is left to a device: folded and not complemented.
template <Family F>
[[nodiscard]] constexpr be16 partial_checksum(const typename F::Address& src,
                                              const typename F::Address& dst, uint8_t protocol,
                                              uint32_t l4_bytes) noexcept {
    return be16::from_raw(checksum_fold_sum(pseudo_header_sum<F>(src, dst, protocol, l4_bytes)));
}

/// Completes a partial checksum in software. `l4` runs from the L4 header to the packet's end, its
/// field still holding the partial sum. The caller applies udp_checksum_on_wire() for UDP.
[[nodiscard]] be16 complete_partial_checksum(std::span<const uint8_t> l4) noexcept;
/// The same over several buffers, any of which may have an odd length.
[[nodiscard]] be16 complete_partial_checksum(
    std::span<const std::span<const uint8_t>> l4_segments) noexcept;

/// The checksum field of TCP, UDP, ICMP or ICMPv6, computed whole. The field inside `l4` must be
/// zero. ICMP over IPv4 has no pseudo-header; UDP's 0 is returned as 0xffff.
template <Family F>
[[nodiscard]] be16 l4_checksum(const typename F::Address& src, const typename F::Address& dst,
                               uint8_t protocol, std::span<const uint8_t> l4) noexcept;
/// The same over several buffers, any of which may have an odd length.
template <Family F>
[[nodiscard]] be16 l4_checksum(const typename F::Address& src, const typename F::Address& dst,
                               uint8_t protocol,
                               std::span<const std::span<const uint8_t>> l4_segments) noexcept;

/// True if the checksum field inside `l4` is right. The caller must handle an absent UDP checksum.
template <Family F>
[[nodiscard]] bool l4_checksum_ok(const typename F::Address& src, const typename F::Address& dst,
                                  uint8_t protocol, std::span<const uint8_t> l4) noexcept;

/// The IPv4 header's field. `header` is the header with its options; its field must be zero.
[[nodiscard]] be16 ipv4_header_checksum(std::span<const uint8_t> header) noexcept;

/// True when the field in `header` (with its options) is right.
[[nodiscard]] bool ipv4_header_checksum_ok(std::span<const uint8_t> header) noexcept;

/// CRC32c (RFC 9260 appendix A) of `bytes`, continued from the value `crc` of the bytes before; no
/// inversion at either end: begin with ~0, complement the result.
[[nodiscard]] uint32_t crc32c(std::span<const uint8_t> bytes, uint32_t crc = ~uint32_t{0}) noexcept;

/// SCTP's checksum field for a packet that begins with the common header; the field's own bytes
/// count as zero, whatever they hold.
[[nodiscard]] be32 sctp_checksum(std::span<const uint8_t> packet) noexcept;
/// The same over several buffers; the first holds the common header.
[[nodiscard]] be32 sctp_checksum(std::span<const std::span<const uint8_t>> segments) noexcept;

}  // namespace podlane
