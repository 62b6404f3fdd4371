// Packets that answer other packets: ICMP errors, echo replies, TCP resets.
//
// For the slow path. Each writes an IP packet with all its checksums into the caller's memory and
// returns its length; the caller adds Ethernet. Any thread.
#pragma once

#include <cstdint>
#include <span>

#include "lib/base/family.h"
#include "lib/proto/parse.h"

namespace podlane {

/// The kinds of ICMP errors that both families have.
enum class IcmpError : uint8_t {
    kNetUnreachable,   ///< IPv6: no route to destination
    kHostUnreachable,  ///< IPv6: address unreachable
    kPortUnreachable,
    kAdminProhibited,
    kTooBig,  ///< IPv4: fragmentation needed and DF set; IPv6: packet too big
    kTimeExceeded,
};

/// The longest error of a family: RFC 1812 section 4.3.2.3, RFC 4443 section 3.1.
template <Family F>
inline constexpr size_t kMaxIcmpErrorBytes = std::same_as<F, V4> ? 576 : 1280;

/// False if no error may be sent about this packet: an ICMP error, a fragment other than the first,
/// a packet to a group by MAC or IP, or from an unspecified or group source. RFC 1122 section
/// 3.2.2, RFC 4443 section 2.4 (e). `frame` was parsed into `headers`. IPv6's exception for "packet
/// too big" about multicast is not made, since nothing here routes multicast. IPv6 redirects get no
/// error either.
[[nodiscard]] bool may_send_icmp_error(const uint8_t* frame, const Headers& headers) noexcept;

/// Builds the error from `from` about `packet` to its source, quoting as much of it as RFCs 1812
/// and 4443 and `out` allow. `packet` begins with its IP header and has no Ethernet padding; it may
/// be cut short. `mtu` is for kTooBig only, in bytes of the IP packet. Returns the bytes written, 0
/// if `out` has no room even for the quoted header. Call may_send_icmp_error() first.
template <Family F>
[[nodiscard]] size_t build_icmp_error(std::span<uint8_t> out, const typename F::Address& from,
                                      IcmpError error, uint32_t mtu,
                                      std::span<const uint8_t> packet) noexcept;

/// Turns an echo request into its reply in place: addresses swapped, a fresh TTL, checksums updated
/// so that a wrong request stays wrong. Options stay. `frame` was parsed into `headers`, which has
/// kEchoRequest; the caller writes the MAC addresses.
template <Family F>
void make_echo_reply(uint8_t* frame, const Headers& headers) noexcept;

/// The most bytes that build_tcp_reset() writes.
template <Family F>
inline constexpr size_t kTcpResetBytes = F::kMinHeaderBytes + sizeof(TcpHeader);

/// Builds the reset that answers a segment of no connection, from its destination to its source:
/// RFC 9293 section 3.10.7.1. `frame` was parsed into `headers`. Returns the bytes written, 0 if
/// none may be sent: not TCP, a fragment, itself a reset, to or from a group; or no room.
template <Family F>
[[nodiscard]] size_t build_tcp_reset(std::span<uint8_t> out, const uint8_t* frame,
                                     const Headers& headers) noexcept;

}  // namespace podlane
