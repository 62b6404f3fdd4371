// IPv4 header: RFC 791 section 3.1; DS field: RFC 2474; ECN: RFC 3168.
#pragma once

#include <type_traits>

#include "lib/base/bytes.h"
#include "lib/base/family.h"

namespace podlane {

inline constexpr uint16_t kIpv4DontFragment = 0x4000;
inline constexpr uint16_t kIpv4MoreFragments = 0x2000;
inline constexpr uint16_t kIpv4OffsetMask = 0x1fff;  // in units of 8 bytes
inline constexpr Ipv4Address kIpv4Broadcast{be32(0xffffffff)};

struct Ipv4Header {
    uint8_t version_ihl;  // version in the upper four bits, header length in words in the lower
    uint8_t tos;          // DSCP in the upper six bits, ECN in the lower two
    be16 total_bytes;     // header and payload
    be16 id;
    be16 fragment;  // flags in the upper three bits, offset in the lower thirteen
    uint8_t ttl;
    uint8_t protocol;
    be16 checksum;  // of the header with its options
    Ipv4Address src;
    Ipv4Address dst;

    [[nodiscard]] constexpr unsigned version() const noexcept { return version_ihl >> 4; }
    [[nodiscard]] constexpr unsigned header_bytes() const noexcept {
        return (version_ihl & 0xfu) * 4;
    }
    /// The offset in bytes of this fragment's payload in the datagram's.
    [[nodiscard]] constexpr unsigned fragment_offset_bytes() const noexcept {
        return (fragment.host() & kIpv4OffsetMask) * 8u;
    }
};
static_assert(sizeof(Ipv4Header) == V4::kMinHeaderBytes);
static_assert(std::has_unique_object_representations_v<Ipv4Header>);

inline constexpr unsigned kIpv4MaxHeaderBytes = 60;

// Option types, RFC 791 section 3.1: the one-byte ones, and the bit that means "copy to each
// fragment".
inline constexpr uint8_t kIpv4OptionEnd = 0;
inline constexpr uint8_t kIpv4OptionNop = 1;
inline constexpr uint8_t kIpv4OptionCopied = 0x80;

}  // namespace podlane
