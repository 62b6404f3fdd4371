// IPv6 neighbour solicitations and advertisements: parses, checks and builds them.
//
// RFC 4861 sections 4.3, 4.4, 7.1 and 7.2; group addresses: RFC 4291 section 2.7.1, RFC 2464
// section 7. For the slow path, which answers, and the neighbour table, which asks. Any thread.
#pragma once

#include <cstdint>
#include <span>

#include "lib/base/drop.h"
#include "lib/proto/ethernet.h"
#include "lib/proto/nd.h"
#include "lib/proto/parse.h"

namespace podlane {

inline constexpr Ipv6Address kAllNodes{{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01}};

/// ff02::1:ffXX:XXXX, the group that every host with `address` joins.
[[nodiscard]] constexpr Ipv6Address solicited_node(const Ipv6Address& address) noexcept {
    return {{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01, 0xff, address.bytes[13],
             address.bytes[14], address.bytes[15]}};
}

/// The MAC address of an IPv6 group: 33:33 and the group's last four bytes.
[[nodiscard]] constexpr MacAddress multicast_mac(const Ipv6Address& group) noexcept {
    return {{0x33, 0x33, group.bytes[12], group.bytes[13], group.bytes[14], group.bytes[15]}};
}

/// A neighbour solicitation's or advertisement's content.
struct NdMessage {
    uint8_t type;     ///< kNdNeighbourSolicitation or kNdNeighbourAdvertisement
    bool has_mac;     ///< a link-layer address option is present
    uint32_t flags;   ///< advertisement: kNdRouter, kNdSolicited, kNdOverride; else 0
    MacAddress mac;   ///< source's (solicitation) or target's (advertisement) link address
    Ipv6Address src;  ///< of the packet; :: while an address is probed (RFC 4862 section 5.4)
    Ipv6Address dst;  ///< of the packet
    Ipv6Address target;

    friend constexpr bool operator==(const NdMessage&, const NdMessage&) noexcept = default;
};

/// Parses and checks (RFC 4861 section 7.1) the solicitation or advertisement that `headers`
/// describe; `head` is the frame from its first byte. Drop::kNdBad: it fails a check, is of another
/// type, or goes beyond `head`.
[[nodiscard]] Drop parse_nd(std::span<const uint8_t> head, const Headers& headers,
                            NdMessage& out) noexcept;

/// Who has `target`? Tell `src`; to the target's solicited-node group. With src ::, a duplicate
/// address probe, which carries no MAC address.
[[nodiscard]] NdMessage nd_solicitation(const MacAddress& src_mac, const Ipv6Address& src,
                                        const Ipv6Address& target) noexcept;

/// `solicitation.target` is at `mac`; RFC 4861 section 7.2.4. Goes to the sender of the
/// solicitation, or to all nodes if the sender has no address yet. `flags`: kNdRouter and
/// kNdOverride as they apply; kNdSolicited is set here.
[[nodiscard]] NdMessage nd_advertisement(const NdMessage& solicitation, const MacAddress& mac,
                                         uint32_t flags) noexcept;

/// `address` is at `mac`, now: RFC 4861 section 7.2.6, to all nodes.
[[nodiscard]] NdMessage nd_announcement(const MacAddress& mac, const Ipv6Address& address,
                                        uint32_t flags) noexcept;

/// The longest frame that build_nd_frame() writes.
inline constexpr size_t kNdFrameBytes =
    sizeof(EthernetHeader) + sizeof(Ipv6Header) + sizeof(NdNeighbour) + sizeof(NdLinkAddress);

/// Writes the whole Ethernet frame with `message`, hop limit 255 and checksum included. `dst_mac`
/// is used for a unicast destination only; a group's MAC follows from its address. Returns the
/// bytes written, 0 when `out` is too short.
[[nodiscard]] size_t build_nd_frame(std::span<uint8_t> out, const MacAddress& src_mac,
                                    const MacAddress& dst_mac, const NdMessage& message) noexcept;

}  // namespace podlane
