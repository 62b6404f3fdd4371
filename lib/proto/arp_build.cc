#include "lib/proto/arp_build.h"

#include "lib/proto/ipv4.h"
#include "lib/proto/wire.h"

namespace podlane {
namespace {

using AddressBytes = std::array<uint8_t, 4>;

}  // namespace

Drop parse_arp(std::span<const uint8_t> frame, size_t offset, ArpMessage& out) noexcept {
    if (!fits<ArpPacket>(frame, offset)) return Drop::kArpBad;
    const auto arp = header_at<ArpPacket>(frame, offset);
    const uint16_t operation = arp.operation.host();
    const bool ipv4_over_ethernet = arp.hardware_type.host() == kArpHardwareEthernet &&
                                    arp.protocol_type.host() == kEtherTypeIpv4 &&
                                    arp.hardware_bytes == sizeof(MacAddress) &&
                                    arp.protocol_bytes == sizeof(Ipv4Address);
    if (!ipv4_over_ethernet || (operation != kArpRequest && operation != kArpReply)) {
        return Drop::kArpBad;
    }
    // To accept a group's address would send a host's traffic to every host (RFC 1812 section
    // 3.3.2).
    if (arp.sender_mac.is_multicast() || arp.sender_mac.is_zero()) return Drop::kArpBad;
    if (arp.sender().is_multicast() || arp.sender() == kIpv4Broadcast) return Drop::kArpBad;
    out = {operation, arp.sender_mac, arp.sender(), arp.target_mac, arp.target()};
    return Drop::kNone;
}

size_t build_arp_frame(std::span<uint8_t> out, const ArpMessage& message) noexcept {
    return build_arp_frame(out, message,
                           message.target_mac.is_zero() ? kBroadcastMac : message.target_mac);
}

size_t build_arp_frame(std::span<uint8_t> out, const ArpMessage& message,
                       const MacAddress& dst_mac) noexcept {
    if (out.size() < kArpFrameBytes) return 0;
    put_header(out, 0, EthernetHeader{dst_mac, message.sender_mac, be16(kEtherTypeArp)});
    put_header(out, sizeof(EthernetHeader),
               ArpPacket{.hardware_type = be16(kArpHardwareEthernet),
                         .protocol_type = be16(kEtherTypeIpv4),
                         .hardware_bytes = sizeof(MacAddress),
                         .protocol_bytes = sizeof(Ipv4Address),
                         .operation = be16(message.operation),
                         .sender_mac = message.sender_mac,
                         .sender_bytes = std::bit_cast<AddressBytes>(message.sender),
                         .target_mac = message.target_mac,
                         .target_bytes = std::bit_cast<AddressBytes>(message.target)});
    return kArpFrameBytes;
}

}  // namespace podlane
