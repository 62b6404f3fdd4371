// The header that a TAP with IFF_VNET_HDR puts before each frame: virtio 1.1 section 5.1.6, with
// the fields in host order, which is the kernel's default for TAPs.
#pragma once

#include <cstdint>
#include <type_traits>

namespace podlane {

inline constexpr uint8_t kVirtioNeedsChecksum = 1;  ///< flags: the L4 checksum is partial
inline constexpr uint8_t kVirtioDataValid = 2;      ///< flags: the L4 checksum was verified

inline constexpr uint8_t kVirtioGsoNone = 0;
inline constexpr uint8_t kVirtioGsoTcp4 = 1;
inline constexpr uint8_t kVirtioGsoUdp = 3;
inline constexpr uint8_t kVirtioGsoTcp6 = 4;
inline constexpr uint8_t kVirtioGsoUdpL4 = 5;   ///< virtio 1.3: datagrams, not fragments
inline constexpr uint8_t kVirtioGsoEcn = 0x80;  ///< combined with the others

struct VirtioNetHeader {
    uint8_t flags;
    uint8_t gso_type;
    uint16_t header_bytes;     ///< with GSO: bytes of all headers
    uint16_t gso_bytes;        ///< with GSO: payload bytes of a segment
    uint16_t checksum_start;   ///< frame offset of the L4 header
    uint16_t checksum_offset;  ///< of the checksum field, from there
    uint16_t buffers;          ///< unused by a TAP
};
static_assert(sizeof(VirtioNetHeader) == 12 && std::is_trivially_copyable_v<VirtioNetHeader>);

}  // namespace podlane
