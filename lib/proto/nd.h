// IPv6 neighbour discovery messages: RFC 4861 section 4.
#pragma once

#include <type_traits>

#include "lib/base/bytes.h"
#include "lib/base/family.h"
#include "lib/base/mac.h"

namespace podlane {

inline constexpr uint8_t kNdRouterSolicitation = 133;
inline constexpr uint8_t kNdRouterAdvertisement = 134;
inline constexpr uint8_t kNdNeighbourSolicitation = 135;
inline constexpr uint8_t kNdNeighbourAdvertisement = 136;
inline constexpr uint8_t kNdRedirect = 137;
/// Every message is sent with this hop limit, which proves that no router forwarded it.
inline constexpr uint8_t kNdHopLimit = 255;

/// Router solicitation, section 4.1; options follow.
struct NdRouterSolicitation {
    uint8_t type;
    uint8_t code;
    be16 checksum;
    be32 reserved;
};
static_assert(sizeof(NdRouterSolicitation) == 8);
static_assert(std::has_unique_object_representations_v<NdRouterSolicitation>);

/// Neighbour solicitation and advertisement, sections 4.3 and 4.4; options follow.
struct NdNeighbour {
    uint8_t type;
    uint8_t code;
    be16 checksum;
    be32 flags;  // advertisement: kNdRouter, kNdSolicited, kNdOverride; solicitation: zero
    Ipv6Address target;
};
static_assert(sizeof(NdNeighbour) == 24 && std::has_unique_object_representations_v<NdNeighbour>);

inline constexpr uint32_t kNdRouter = 0x80000000;
inline constexpr uint32_t kNdSolicited = 0x40000000;
inline constexpr uint32_t kNdOverride = 0x20000000;

inline constexpr uint8_t kNdSourceLinkAddress = 1;
inline constexpr uint8_t kNdTargetLinkAddress = 2;

/// The link-layer address option for Ethernet, section 4.6.1.
struct NdLinkAddress {
    uint8_t type;    // kNdSourceLinkAddress or kNdTargetLinkAddress
    uint8_t length;  // in units of eight bytes: 1
    MacAddress mac;
};
static_assert(sizeof(NdLinkAddress) == 8);
static_assert(std::has_unique_object_representations_v<NdLinkAddress>);

}  // namespace podlane
