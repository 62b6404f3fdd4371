// What a TAP's header said of a received frame, kept in its mbuf until the frame leaves.
//
// It is in the field for transmit offloads, which means nothing before Tx writes it. So it survives
// holding and a ring between workers. Parse trusts none of it: a pod may send anything.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

#include "lib/base/bytes.h"

namespace podlane::dataplane {

/// For frames with RTE_MBUF_F_RX_L4_CKSUM_NONE from a TAP. Frames with segments have
/// RTE_MBUF_F_RX_LRO as well.
struct TapMarks {
    uint16_t checksum_start;   ///< frame offset of the L4 header
    uint16_t checksum_offset;  ///< of the checksum field, from there
    uint16_t segment_bytes;    ///< payload of each segment but the last
    uint8_t gso_type;          ///< kVirtioGso...
    uint8_t unused;
};
static_assert(sizeof(TapMarks) == sizeof(rte_mbuf::tx_offload));

[[nodiscard]] inline TapMarks tap_marks(const rte_mbuf& mbuf) noexcept {
    return load<TapMarks>(reinterpret_cast<const uint8_t*>(&mbuf.tx_offload));
}
inline void set_tap_marks(rte_mbuf& mbuf, const TapMarks& marks) noexcept {
    store(reinterpret_cast<uint8_t*>(&mbuf.tx_offload), marks);
}

}  // namespace podlane::dataplane
