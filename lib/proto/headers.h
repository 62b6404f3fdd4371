// What the parser tells the stages about a packet: where its headers are, and of which kind.
#pragma once

#include <cstdint>
#include <type_traits>

namespace podlane {

/// What the parser found. Offsets count from the frame's first byte.
struct Headers {
    enum Flag : uint16_t {
        kVlan = 1 << 0,           ///< one or two VLAN tags stand before the EtherType
        kMulticastMac = 1 << 1,   ///< the destination MAC has the group bit; also in broadcasts
        kBroadcast = 1 << 2,      ///< the destination MAC is ff:ff:ff:ff:ff:ff
        kIpOptions = 1 << 3,      ///< IPv4 options or IPv6 extension headers are present
        kFragment = 1 << 4,       ///< any fragment, the first included
        kFirstFragment = 1 << 5,  ///< the fragment with the L4 header
        kMoreFragments = 1 << 6,  ///< not the last fragment
        kDontFragment = 1 << 7,   ///< IPv4's DF; always set for IPv6
        kPorts = 1 << 8,          ///< TCP, UDP or SCTP header at l4_offset
        kEchoRequest = 1 << 9,    ///< ICMP echo request of either family
        kEchoReply = 1 << 10,     ///< ICMP echo reply of either family
        kIcmpError = 1 << 11,     ///< an ICMP message that quotes a packet
        kUnspecifiedSource = 1 << 12,  ///< the IP source is 0.0.0.0 or ::
        kWholeL4 = 1 << 13,            ///< TCP or UDP, and no fragment: one checksum covers it
    };

    uint32_t l3_bytes;        ///< IP header and payload, without Ethernet padding; 0 when not IP
    uint16_t ether_type;      ///< host order, the innermost tag's
    uint16_t vlan_tci;        ///< host order, the outermost tag's; 0 without a tag
    uint16_t l3_offset;       ///< what follows the Ethernet header and tags
    uint16_t l4_offset;       ///< what follows the IP header with its options; 0 when not IP
    uint16_t payload_offset;  ///< after the L4 header; l4_offset when there is no known L4 header
    uint16_t flags;           ///< Flag bits
    uint8_t ip_version;       ///< 4, 6, or 0 when not IP
    uint8_t protocol;         ///< upper layer; for an IPv6 fragment, from its fragment header
    uint8_t tcp_flags;        ///< 0 when not TCP
    uint8_t icmp_type;        ///< ICMP and ICMPv6 only

    [[nodiscard]] constexpr bool has(Flag flag) const noexcept { return (flags & flag) != 0; }
    /// The offset of the first byte behind the IP packet.
    [[nodiscard]] constexpr uint32_t l3_end() const noexcept { return l3_offset + l3_bytes; }
    /// L4 header and payload, in bytes.
    [[nodiscard]] constexpr uint32_t l4_bytes() const noexcept {
        return l3_bytes - static_cast<uint32_t>(l4_offset - l3_offset);
    }
};
static_assert(sizeof(Headers) == 20 && std::is_trivially_copyable_v<Headers>);

}  // namespace podlane
