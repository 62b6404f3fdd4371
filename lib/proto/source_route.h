// Finds packets that specify their own route: IPv4's source route options (RFC 791 section 3.1),
// and IPv6's routing header of type 0, which RFC 5095 deprecates. The parse stage checks packets
// with options. Any thread.
#pragma once

#include <cstdint>
#include <span>

#include "lib/base/family.h"
#include "lib/proto/headers.h"
#include "lib/proto/ip_protocol.h"
#include "lib/proto/ipv4.h"
#include "lib/proto/ipv6.h"
#include "lib/proto/wire.h"

namespace podlane {

namespace detail {

inline bool has_source_route_option(std::span<const uint8_t> options) noexcept {
    constexpr uint8_t kEnd = 0, kNop = 1, kLoose = 131, kStrict = 137;
    for (size_t at = 0; at < options.size();) {
        const uint8_t type = options[at];
        if (type == kLoose || type == kStrict) return true;
        if (type == kEnd) return false;
        if (type == kNop) {
            ++at;
            continue;
        }
        if (at + 1 >= options.size() || options[at + 1] < 2) return false;
        at += options[at + 1];
    }
    return false;
}

/// `extensions`: the bytes between the IPv6 header, which names `next`, and L4.
inline bool has_routing_header_0(std::span<const uint8_t> extensions, uint8_t next) noexcept {
    constexpr size_t kTypeAt = 2;
    for (size_t at = 0; at + 8 <= extensions.size();) {
        if (next == kProtocolRouting && extensions[at + kTypeAt] == 0) return true;
        const size_t units = extensions[at + 1];
        size_t bytes = (units + 1) * 8;
        if (next == kProtocolAh) bytes = (units + 2) * 4;
        if (next == kProtocolFragment) bytes = 8;
        next = extensions[at];
        at += bytes;
    }
    return false;
}

}  // namespace detail

/// For a frame that parse_frame() has accepted, with kIpOptions in `headers`; `head` is its first
/// buffer.
[[nodiscard]] inline bool is_source_routed(std::span<const uint8_t> head,
                                           const Headers& headers) noexcept {
    if (headers.ip_version == 4) {
        const size_t begin = headers.l3_offset + sizeof(Ipv4Header);
        return begin < headers.l4_offset &&
               detail::has_source_route_option(head.subspan(begin, headers.l4_offset - begin));
    }
    if (headers.ip_version != 6) return false;
    const size_t begin = headers.l3_offset + sizeof(Ipv6Header);
    const uint8_t next = head[headers.l3_offset + offsetof(Ipv6Header, next_header)];
    return begin < headers.l4_offset &&
           detail::has_routing_header_0(head.subspan(begin, headers.l4_offset - begin), next);
}

}  // namespace podlane
