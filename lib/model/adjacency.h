// Next hops: everything a worker needs to send a packet on, compiled by control.
//
// A flow holds an adjacency's index, not its content. When a neighbour's MAC address changes, the
// adjacency changes in the new snapshot, and no flow has to.
#pragma once

#include <array>
#include <cstdint>
#include <type_traits>

#include "lib/base/bytes.h"
#include "lib/base/mac.h"
#include "lib/model/ids.h"
#include "lib/proto/overlay.h"

namespace podlane {

/// What sending to an adjacency means.
enum class AdjacencyKind : uint8_t {
    kNone,        ///< not in use: a flow that has it is routed again
    kUnresolved,  ///< resolve the neighbour, hold the packet
    kFailed,      ///< the neighbour did not answer: tell the sender, drop
    kEthernet,    ///< write dst and src MAC, send on `port`
    kTunnel,      ///< write the inner MACs, prepend `outer`, send on `port`
};

/// Bytes of the largest outer header.
inline constexpr size_t kMaxOuterBytes = kOverlayOuterBytes<V6>;

/// One next hop. Two cache lines; the first is all that an untunnelled packet needs.
struct alignas(kCacheLine) Adjacency {
    AdjacencyKind kind = AdjacencyKind::kNone;
    uint8_t outer_bytes = 0;     ///< bytes of `outer` in use; 0 without a tunnel
    uint8_t outer_l3_bytes = 0;  ///< 20 or 40: the outer IP header's bytes
    uint8_t reserved = 0;
    PortId port = kNoPort;
    uint16_t mtu = 0;  ///< largest IP packet (before encapsulation) that may go this way, bytes
    MacAddress
        dst{};  ///< the frame's destination; in a tunnel, the inner frame's (peer's VTEP MAC)
    MacAddress src{};  ///< the frame's source; in a tunnel, our VTEP MAC
    /// For patching lengths and checksum in: the sum of the outer IPv4 header with total length and
    /// identification 0; over IPv6, of the pseudo-header and of UDP's and the overlay's with UDP
    /// length, source port and checksum 0.
    uint32_t outer_partial_sum = 0;
    /// Outer headers, complete except for lengths, IPv4 identification and checksum, and UDP source
    /// port.
    std::array<uint8_t, 96> outer{};

    /// Whether packets can be sent this way now.
    [[nodiscard]] constexpr bool is_passable() const noexcept {
        return kind >= AdjacencyKind::kEthernet;
    }
};
static_assert(sizeof(Adjacency) == 128 && std::is_trivially_copyable_v<Adjacency>);
static_assert(kMaxOuterBytes <= 96);

}  // namespace podlane
