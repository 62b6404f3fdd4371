// What a port delivers and what may be given to it: offloads, sizes, queues.
//
// Filled once when a port is opened and constant while it is open. Workers obey it when they
// receive and send; control shows it in `get ports`. No DPDK types here.
#pragma once

#include <cstddef>
#include <cstdint>

namespace podlane {

/// Bytes of `struct virtio_net_hdr_v1` that stand before every frame read from or written to a
/// TAP queue: flags, gso_type, hdr_len, gso_size, csum_start, csum_offset in host byte order, and
/// num_buffers, which a TAP ignores (linux/virtio_net.h).
inline constexpr size_t kTapHeaderBytes = 12;

/// How far the TCP, UDP and SCTP checksums of received frames can be trusted.
enum class RxChecksum : uint8_t {
    kComplete,      ///< as the sender put them on the wire; not checked
    kVerified,      ///< the device has checked: good, bad or unknown for each frame
    kMarked,        ///< complete, or marked as partial (TAP with its header)
    kMaybePartial,  ///< some are partial but not marked as such: frames that
                    ///< a local kernel sent over veth to a packet or XDP socket
};

[[nodiscard]] constexpr const char* to_string(RxChecksum state) noexcept {
    switch (state) {
        case RxChecksum::kComplete:
            return "complete";
        case RxChecksum::kVerified:
            return "verified";
        case RxChecksum::kMarked:
            return "marked";
        case RxChecksum::kMaybePartial:
            return "maybe-partial";
    }
    return "";
}

struct PortCaps {
    RxChecksum rx_l4_checksum = RxChecksum::kComplete;
    bool tx_ipv4_checksum = false;  ///< the port fills in the IPv4 header checksum if asked to
    bool tx_l4_checksum = false;  ///< the port completes a partial TCP or UDP checksum if asked to
    bool tx_tso = false;          ///< the port segments TCP frames larger than the MTU
    bool rx_large = false;        ///< received frames can exceed the MTU (GSO)
    bool tx_multi_segment = false;  ///< a frame to send may be a chain of buffers
    bool rx_multi_segment = false;  ///< a received frame may be a chain of buffers
    bool rx_wake = false;           ///< an idle worker can sleep until a frame arrives
    bool rss = false;               ///< the device spreads flows over its receive queues by hash
    uint16_t rx_queues = 1;
    uint16_t tx_queues = 1;
    uint32_t max_frame_bytes = 1514;  ///< largest frame to send, Ethernet header in, FCS out
};

}  // namespace podlane
