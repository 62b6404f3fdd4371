// Ethernet II header and 802.1Q tags: IEEE 802.3 clause 3, IEEE 802.1Q clause 9.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "lib/base/bytes.h"
#include "lib/base/mac.h"
#include "lib/proto/wire.h"

namespace podlane {

inline constexpr uint16_t kEtherTypeIpv4 = 0x0800;
inline constexpr uint16_t kEtherTypeArp = 0x0806;
inline constexpr uint16_t kEtherTypeVlan = 0x8100;  // 802.1Q customer tag
inline constexpr uint16_t kEtherTypeIpv6 = 0x86dd;
inline constexpr uint16_t kEtherTypeQinq = 0x88a8;  // 802.1ad service tag

struct EthernetHeader {
    MacAddress dst;
    MacAddress src;
    be16 ether_type;
};
static_assert(sizeof(EthernetHeader) == 14 && std::is_trivially_copyable_v<EthernetHeader>);

/// MacAddress::as_u64() of the frame's destination and source, by one load each. The frame must
/// hold an EthernetHeader.
[[nodiscard]] inline uint64_t dst_mac_word(const uint8_t* frame) noexcept {
    return load<uint64_t>(frame) & 0xffffffffffff;
}
[[nodiscard]] inline uint64_t src_mac_word(const uint8_t* frame) noexcept {
    return load<uint64_t>(frame + offsetof(EthernetHeader, src)) & 0xffffffffffff;
}

/// What follows an EtherType of 0x8100 or 0x88a8.
struct VlanTag {
    be16 tci;  // priority (3 bits), drop eligible (1), VLAN id (12)
    be16 ether_type;
};
static_assert(sizeof(VlanTag) == 4 && std::is_trivially_copyable_v<VlanTag>);

/// Shortest frame on a cable without the FCS; shorter ones are padded with zeros.
inline constexpr uint32_t kMinFrameBytes = 60;

}  // namespace podlane
