// Connections of this node's pods that the node's own kernel can carry by itself.
//
// A worker offers one (EventKind::kFlowProven), control asks the dataplane what it says at present,
// and gives that to the kernel (docs/decisions/shortcut.md). What the kernel has carried comes back
// into the flow table. Control thread.
#pragma once

#include <array>
#include <cstdint>

#include "lib/base/mac.h"
#include "lib/base/raw_address.h"
#include "lib/model/ids.h"
#include "lib/proto/checksum.h"
#include "lib/proto/overlay.h"

namespace podlane {

/// A connection by its place in the flow tables. A later one at the same place has another
/// generation.
struct FlowRef {
    uint32_t block = 0;
    uint32_t generation = 0;  ///< 30 bits
    bool is_v6 = false;

    friend constexpr auto operator<=>(const FlowRef&, const FlowRef&) noexcept = default;
    [[nodiscard]] constexpr uint64_t packed() const noexcept {
        return uint64_t{block} << 32 | uint64_t{generation} << 1 | uint64_t{is_v6};
    }
    [[nodiscard]] static constexpr FlowRef unpacked(uint64_t word) noexcept {
        return {static_cast<uint32_t>(word >> 32), static_cast<uint32_t>(word) >> 1,
                (word & 1) != 0};
    }
};

/// One direction of such a connection: a packet as it comes, and as it goes on.
struct CarriedWay {
    PortId in = kNoPort, out = kNoPort;
    RawAddress src, dst;
    be16 src_port{}, dst_port{};
    RawAddress to_src, to_dst;
    be16 to_src_port{}, to_dst_port{};
    /// The changes of a pseudo-header, of the ports, and of the IPv4 header with its TTL.
    ChecksumDelta addresses, ports, header;
    uint8_t flags = 0;     ///< RewriteFlags
    uint16_t mtu = 0;      ///< of the way out, bytes
    MacAddress dst_mac{};  ///< of the frame that goes out
    MacAddress src_mac{};
    uint32_t adjacency = 0;  ///< the next hop's number: what it says may change
    /// The tunnel's headers over IPv4: before what goes out, complete but for what differs between
    /// packets, or before what comes in, as far as it is always the same.
    std::array<uint8_t, kOverlayOuterBytes<V4>> outer{};
    bool into_tunnel = false, out_of_tunnel = false;
    uint32_t epoch = 0;     ///< the epoch under which it was allowed
    ServiceId service{};    ///< the one that its validity depends on, see checks_service
    bool is_valid = false;  ///< a worker would send its next packet this way without asking
};

struct CarriedFlow {
    uint8_t protocol = 0;
    bool checks_service = false;       ///< it is valid only while its Service has not changed
    std::array<CarriedWay, 2> ways{};  ///< by FlowDirection
};

/// What the kernel has carried of a connection since it was last noted.
struct CarriedTraffic {
    uint32_t last_seen_s = 0;  ///< seconds of the boot clock; 0: nothing was seen
    std::array<uint64_t, 2> packets{}, bytes{};
};

}  // namespace podlane
