// VXLAN header: RFC 7348 section 5.
#pragma once

#include <type_traits>

#include "lib/base/bytes.h"

namespace podlane {

/// The I bit: without it the VNI is not valid.
inline constexpr uint32_t kVxlanValidVni = 0x08000000;
inline constexpr uint32_t kVxlanMaxVni = 0xffffff;
inline constexpr uint16_t kVxlanIanaPort = 4789;

struct VxlanHeader {
    be32 flags;        // kVxlanValidVni on send; other bits are ignored on receive
    be32 vni_shifted;  // VNI in the upper 24 bits, zero in the lower 8

    [[nodiscard]] static constexpr VxlanHeader with_vni(uint32_t vni) noexcept {
        return {be32(kVxlanValidVni), be32(vni << 8)};
    }
    [[nodiscard]] constexpr uint32_t vni() const noexcept { return vni_shifted.host() >> 8; }
    [[nodiscard]] constexpr bool is_valid() const noexcept {
        return (flags.host() & kVxlanValidVni) != 0;
    }
};
static_assert(sizeof(VxlanHeader) == 8 && std::has_unique_object_representations_v<VxlanHeader>);

}  // namespace podlane
