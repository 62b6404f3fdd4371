// IPv6 header and extension headers: RFC 8200 sections 3 and 4; authentication header: RFC 4302.
#pragma once

#include <type_traits>

#include "lib/base/bytes.h"
#include "lib/base/family.h"

namespace podlane {

struct Ipv6Header {
    be32 version_class_label;  // version (4 bits), traffic class (8), flow label (20)
    be16 payload_bytes;        // all that follows this header, extension headers included
    uint8_t next_header;
    uint8_t hop_limit;
    Ipv6Address src;
    Ipv6Address dst;

    [[nodiscard]] constexpr unsigned version() const noexcept {
        return version_class_label.host() >> 28;
    }
    [[nodiscard]] constexpr uint8_t traffic_class() const noexcept {
        return static_cast<uint8_t>(version_class_label.host() >> 20);
    }
};
static_assert(sizeof(Ipv6Header) == V6::kMinHeaderBytes);
static_assert(std::has_unique_object_representations_v<Ipv6Header>);

/// The first two bytes of hop-by-hop, routing and destination options headers, with the length in
/// words of eight bytes beyond the first; in the authentication header, in words of four beyond
/// two.
struct Ipv6Extension {
    uint8_t next_header;
    uint8_t length;
};
static_assert(sizeof(Ipv6Extension) == 2);

/// RFC 8200 section 4.5.
struct Ipv6Fragment {
    uint8_t next_header;
    uint8_t reserved;
    be16 offset_flags;  // offset in the upper thirteen bits (times 8 bytes), M in the lowest
    be32 id;

    [[nodiscard]] constexpr unsigned offset_bytes() const noexcept {
        return offset_flags.host() & 0xfff8u;
    }
    [[nodiscard]] constexpr bool more() const noexcept { return (offset_flags.host() & 1) != 0; }
};
static_assert(sizeof(Ipv6Fragment) == 8 && std::has_unique_object_representations_v<Ipv6Fragment>);

}  // namespace podlane
