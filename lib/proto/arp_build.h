// ARP messages: parses and checks them, and builds whole Ethernet frames with them.
//
// RFC 826; announcements (gratuitous ARP): RFC 5227 section 2.3. For the slow path, which answers,
// and the neighbour table, which asks. Any thread.
#pragma once

#include <cstdint>
#include <span>

#include "lib/base/drop.h"
#include "lib/proto/arp.h"
#include "lib/proto/ethernet.h"

namespace podlane {

/// An ARP packet's content.
struct ArpMessage {
    uint16_t operation;  ///< kArpRequest or kArpReply
    MacAddress sender_mac;
    Ipv4Address sender;  ///< 0.0.0.0 in a probe (RFC 5227 section 2.1.1)
    MacAddress target_mac;
    Ipv4Address target;

    friend constexpr bool operator==(const ArpMessage&, const ArpMessage&) noexcept = default;

    /// The sender announces itself, and expects no reply.
    [[nodiscard]] constexpr bool is_gratuitous() const noexcept { return sender == target; }
};

/// Parses the ARP packet at `offset` (Headers::l3_offset) of a frame. Drop::kArpBad: cut short, not
/// IPv4 over Ethernet, an unknown operation, or a sender that is a group (MAC or IP).
[[nodiscard]] Drop parse_arp(std::span<const uint8_t> frame, size_t offset,
                             ArpMessage& out) noexcept;

/// Who has `target`? Tell `sender`.
[[nodiscard]] constexpr ArpMessage arp_request(const MacAddress& sender_mac, Ipv4Address sender,
                                               Ipv4Address target) noexcept {
    return {kArpRequest, sender_mac, sender, MacAddress{}, target};
}

/// `request.target` is at `mac`.
[[nodiscard]] constexpr ArpMessage arp_reply(const ArpMessage& request,
                                             const MacAddress& mac) noexcept {
    return {kArpReply, mac, request.target, request.sender_mac, request.sender};
}

/// `address` is at `mac`, now: an announcement in the form of a request.
[[nodiscard]] constexpr ArpMessage arp_announcement(const MacAddress& mac,
                                                    Ipv4Address address) noexcept {
    return {kArpRequest, mac, address, MacAddress{}, address};
}

/// Ethernet header and ARP packet; the port pads to 60 bytes.
inline constexpr size_t kArpFrameBytes = sizeof(EthernetHeader) + sizeof(ArpPacket);

/// Writes the frame with `message`: to the target's MAC, or to all if that is zero. Returns
/// kArpFrameBytes, or 0 if `out` is shorter.
[[nodiscard]] size_t build_arp_frame(std::span<uint8_t> out, const ArpMessage& message) noexcept;

/// The same to a given MAC: a request that only checks whether a neighbour is still there (RFC 1122
/// section 2.3.2.1).
[[nodiscard]] size_t build_arp_frame(std::span<uint8_t> out, const ArpMessage& message,
                                     const MacAddress& dst_mac) noexcept;

}  // namespace podlane
