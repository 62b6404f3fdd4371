// L4 checksums over chained buffers, and what to do with one that is still partial.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <span>

#include "dataplane/packet.h"
#include "dataplane/ports/port.h"
#include "lib/proto/checksum.h"

namespace podlane::dataplane {

/// The pieces of a buffer chain from byte `offset` to the end, at most 64 of them.
class ChainView {
  public:
    ChainView(const rte_mbuf& head, uint32_t offset, uint32_t end) noexcept;
    [[nodiscard]] std::span<const std::span<const uint8_t>> segments() const noexcept {
        return {segments_.data(), count_};
    }

  private:
    std::array<std::span<const uint8_t>, 64> segments_;
    size_t count_ = 0;
};

/// The L4 checksum of the chain's bytes from `l4_offset` on. The checksum field must be zero.
template <Family F>
[[nodiscard]] be16 checksum_over_chain(const rte_mbuf& head, uint32_t l4_offset,
                                       const typename F::Address& src,
                                       const typename F::Address& dst, uint8_t protocol) noexcept;

/// Finishes a partial checksum in software; leaves a complete one alone.
void complete_checksum(Packet& packet) noexcept;

/// hand_over_checksum() for a packet with a partial checksum.
void hand_over_partial_checksum(Packet& packet, const Port& port) noexcept;

/// Call before giving a frame to `port`. A partial checksum is left to the port if the port can
/// finish it, and finished in software otherwise.
inline void hand_over_checksum(Packet& packet, const Port& port) noexcept {
    // The receive flags would mean something else on transmit.
    packet.mbuf->ol_flags = 0;
    if (packet.csum == CsumState::kPartial) [[unlikely]]
        hand_over_partial_checksum(packet, port);
}

}  // namespace podlane::dataplane
