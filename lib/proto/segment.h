// Cuts a large TCP or UDP frame into packets, as a device with TSO or USO does: RFC 9293 and RFC
// 768 for each piece, RFC 6864 for identifications, RFC 3168 for CWR.
//
// Headers only; the caller copies the payload. No state; any thread.
#pragma once

#include <cstdint>
#include <span>

#include "lib/base/family.h"
#include "lib/proto/headers.h"

namespace podlane {

/// The pieces of one frame.
struct SegmentPlan {
    uint32_t header_bytes;   ///< Ethernet to L4, before each piece
    uint32_t payload_bytes;  ///< of all pieces together
    uint32_t segment_bytes;  ///< of each piece but the last; not 0

    [[nodiscard]] constexpr uint32_t count() const noexcept {
        return (payload_bytes + segment_bytes - 1) / segment_bytes;
    }
    /// The offset of a piece's payload in the whole.
    [[nodiscard]] constexpr uint32_t at(uint32_t index) const noexcept {
        return index * segment_bytes;
    }
    [[nodiscard]] constexpr uint32_t bytes(uint32_t index) const noexcept {
        const uint32_t left = payload_bytes - at(index);
        return left < segment_bytes ? left : segment_bytes;
    }
};

[[nodiscard]] constexpr SegmentPlan plan_segments(const Headers& headers,
                                                  uint32_t segment_bytes) noexcept {
    return {headers.payload_offset, headers.l3_end() - headers.payload_offset, segment_bytes};
}

/// Writes the headers of piece `index` into `out`, plan.header_bytes long. `head` holds the headers
/// of the frame, whole TCP or UDP of family F. The L4 checksum is left partial: the sum of the
/// piece's pseudo-header. `piece` is set to what a parser would find in it.
template <Family F>
void write_segment_headers(std::span<const uint8_t> head, const Headers& headers,
                           const SegmentPlan& plan, uint32_t index, std::span<uint8_t> out,
                           Headers& piece) noexcept;

}  // namespace podlane
