// ICMP headers: RFC 792 (IPv4), RFC 1191 section 4 (next-hop MTU), RFC 4443 (IPv6).
#pragma once

#include <type_traits>

#include "lib/base/bytes.h"
#include "lib/base/family.h"

namespace podlane {

inline constexpr uint8_t kIcmpEchoReply = 0;
inline constexpr uint8_t kIcmpUnreachable = 3;
inline constexpr uint8_t kIcmpSourceQuench = 4;
inline constexpr uint8_t kIcmpRedirect = 5;
inline constexpr uint8_t kIcmpEchoRequest = 8;
inline constexpr uint8_t kIcmpRouterAdvertisement = 9;  // RFC 1256
inline constexpr uint8_t kIcmpTimeExceeded = 11;
inline constexpr uint8_t kIcmpParameterProblem = 12;

// Codes of kIcmpUnreachable: RFC 792, RFC 1812 section 5.2.7.1.
inline constexpr uint8_t kIcmpNetUnreachable = 0;
inline constexpr uint8_t kIcmpHostUnreachable = 1;
inline constexpr uint8_t kIcmpPortUnreachable = 3;
inline constexpr uint8_t kIcmpFragmentationNeeded = 4;
inline constexpr uint8_t kIcmpAdminProhibited = 13;

inline constexpr uint8_t kIcmpv6Unreachable = 1;
inline constexpr uint8_t kIcmpv6PacketTooBig = 2;
inline constexpr uint8_t kIcmpv6TimeExceeded = 3;
inline constexpr uint8_t kIcmpv6ParameterProblem = 4;
inline constexpr uint8_t kIcmpv6EchoRequest = 128;
inline constexpr uint8_t kIcmpv6EchoReply = 129;

// Codes of kIcmpv6Unreachable: RFC 4443 section 3.1.
inline constexpr uint8_t kIcmpv6NoRoute = 0;
inline constexpr uint8_t kIcmpv6AdminProhibited = 1;
inline constexpr uint8_t kIcmpv6AddressUnreachable = 3;
inline constexpr uint8_t kIcmpv6PortUnreachable = 4;

/// The first eight bytes of the messages above, in both families.
struct IcmpHeader {
    uint8_t type;
    uint8_t code;
    be16 checksum;  // IPv4: of the message alone; IPv6: with the pseudo-header
    be16 id;        // echo; unused or an MTU's upper half in errors
    be16 sequence;  // echo; the MTU of an IPv4 kIcmpFragmentationNeeded
};
static_assert(sizeof(IcmpHeader) == 8 && std::has_unique_object_representations_v<IcmpHeader>);

/// True for messages that quote the packet which caused them. No error is sent in reply to one. RFC
/// 1122 section 3.2.2 (redirects count as errors in IPv4); RFC 4443 section 2.1.
template <Family F>
[[nodiscard]] constexpr bool is_icmp_error(uint8_t type) noexcept {
    if constexpr (std::same_as<F, V4>) {
        return type == kIcmpUnreachable || type == kIcmpSourceQuench || type == kIcmpRedirect ||
               type == kIcmpTimeExceeded || type == kIcmpParameterProblem;
    } else {
        return type < 128;
    }
}

template <Family F>
[[nodiscard]] constexpr bool is_echo_request(uint8_t type) noexcept {
    return type == (std::same_as<F, V4> ? kIcmpEchoRequest : kIcmpv6EchoRequest);
}

template <Family F>
[[nodiscard]] constexpr bool is_echo_reply(uint8_t type) noexcept {
    return type == (std::same_as<F, V4> ? kIcmpEchoReply : kIcmpv6EchoReply);
}

}  // namespace podlane
