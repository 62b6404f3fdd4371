// ARP for IPv4 over Ethernet: RFC 826; probes and announcements: RFC 5227.
#pragma once

#include <array>
#include <bit>
#include <type_traits>

#include "lib/base/bytes.h"
#include "lib/base/family.h"
#include "lib/base/mac.h"

namespace podlane {

inline constexpr uint16_t kArpHardwareEthernet = 1;
inline constexpr uint16_t kArpRequest = 1;
inline constexpr uint16_t kArpReply = 2;

/// The ARP packet after the Ethernet header. The addresses are byte arrays because their offsets
/// are not multiples of four.
struct ArpPacket {
    be16 hardware_type;
    be16 protocol_type;  // the EtherType of IPv4
    uint8_t hardware_bytes;
    uint8_t protocol_bytes;
    be16 operation;
    MacAddress sender_mac;
    std::array<uint8_t, 4> sender_bytes;
    MacAddress target_mac;
    std::array<uint8_t, 4> target_bytes;

    [[nodiscard]] constexpr Ipv4Address sender() const noexcept {
        return std::bit_cast<Ipv4Address>(sender_bytes);
    }
    [[nodiscard]] constexpr Ipv4Address target() const noexcept {
        return std::bit_cast<Ipv4Address>(target_bytes);
    }
};
static_assert(sizeof(ArpPacket) == 28 && std::is_trivially_copyable_v<ArpPacket>);

}  // namespace podlane
