// Explicit congestion notification and the tunnel: RFC 6040 section 4, as in Linux's vxlan
// (include/net/inet_ecn.h), so that nodes of both kinds treat each other's packets alike.
//
// For packets with a zero field, nearly all, the callers (stages encap, parse, decap) pay one test.
// Any thread.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>

#include "lib/base/family.h"
#include "lib/proto/checksum.h"
#include "lib/proto/ipv4.h"
#include "lib/proto/ipv6.h"
#include "lib/proto/wire.h"

namespace podlane {

/// The field's values: RFC 3168 section 5.
inline constexpr uint8_t kEcnNotCapable = 0;
inline constexpr uint8_t kEcnCapable1 = 1;
inline constexpr uint8_t kEcnCapable0 = 2;
inline constexpr uint8_t kEcnCongested = 3;

/// The ECN field of the IP header at `ip`.
template <Family F>
[[nodiscard]] inline uint8_t ecn_of(const uint8_t* ip) noexcept {
    // Both families have it in the second byte: the lower bits of TOS, or above the flow label's.
    return ip[1] >> (std::same_as<F, V4> ? 0 : 4) & 3;
}

/// The same for either family, by the header's version.
[[nodiscard]] inline uint8_t ecn_of(const uint8_t* ip) noexcept {
    return ip[0] >> 4 == V4::kVersion ? ecn_of<V4>(ip) : ecn_of<V6>(ip);
}

/// False: the field is zero, whatever the family. One test.
[[nodiscard]] inline bool maybe_has_ecn(const uint8_t* ip) noexcept {
    return (ip[1] & 0x33) != 0;
}

/// Changes the field, and an IPv4 header's checksum with it.
template <Family F>
inline void set_ecn(uint8_t* ip, uint8_t value) noexcept {
    if constexpr (std::same_as<F, V4>) {
        const auto was = load<be16>(ip);
        ip[1] = static_cast<uint8_t>((ip[1] & ~3u) | value);
        uint8_t* const sum = ip + offsetof(Ipv4Header, checksum);
        store(sum, checksum_update(load<be16>(sum), was, load<be16>(ip)));
    } else {
        ip[1] = static_cast<uint8_t>((ip[1] & ~0x30u) | unsigned{value} << 4);
    }
}

/// The outer field for an inner one of `inner`. Congestion is not copied, so that the tunnel's own
/// can be seen (RFC 3168 section 9.1.1). It is not lost: the inner header has it.
[[nodiscard]] constexpr uint8_t outer_ecn(uint8_t inner) noexcept {
    return inner == kEcnCongested ? kEcnCapable0 : inner;
}

/// In place of a field's value: the packet must be dropped.
inline constexpr uint8_t kEcnDrop = 4;

/// The inner field after the outer header is removed: RFC 6040 section 4.2, figure 4.
[[nodiscard]] constexpr uint8_t inner_ecn(uint8_t outer, uint8_t inner) noexcept {
    constexpr std::array<std::array<uint8_t, 4>, 4> kByInner{{
        // outer: not capable, ECT(1), ECT(0), congested
        {kEcnNotCapable, kEcnNotCapable, kEcnNotCapable, kEcnDrop},
        {kEcnCapable1, kEcnCapable1, kEcnCapable1, kEcnCongested},
        {kEcnCapable0, kEcnCapable1, kEcnCapable0, kEcnCongested},
        {kEcnCongested, kEcnCongested, kEcnCongested, kEcnCongested},
    }};
    return kByInner[inner & 3][outer & 3];
}

/// Carries the outer header's field `outer` over into the inner IP header at `ip`. False: the
/// sender does not support congestion marks, so its packet must be dropped instead.
[[nodiscard]] inline bool take_over_ecn(uint8_t* ip, uint8_t outer) noexcept {
    const uint8_t was = ecn_of(ip);
    const uint8_t now = inner_ecn(outer, was);
    if (now == kEcnDrop) return false;
    if (now == was) return true;
    if (ip[0] >> 4 == V4::kVersion) {
        set_ecn<V4>(ip, now);
    } else {
        set_ecn<V6>(ip, now);
    }
    return true;
}

}  // namespace podlane
