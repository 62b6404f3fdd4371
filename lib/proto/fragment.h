// Cutting an IPv4 packet into fragments: RFC 791 section 3.2, options as in section 3.1.
//
// Works on the header alone and tells where each fragment's payload stands in the packet, so that
// payload is copied or referred to by whoever owns the buffers. Used by the slow path where a
// packet without DF is larger than the next hop's MTU. Any thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "lib/proto/ipv4.h"

namespace podlane {

/// One fragment: its IPv4 header, and its payload's place in the packet that was cut.
struct Ipv4Fragment {
    std::array<uint8_t, kIpv4MaxHeaderBytes> header;
    uint32_t header_bytes;
    uint32_t payload_offset;  ///< from the packet's first byte
    uint32_t payload_bytes;
};

/// Yields the fragments of one packet in order.
class Ipv4Fragmenter {
  public:
    /// Prepares for the packet that begins with `packet` (its header with options is enough; it
    /// passed the parser) and an MTU in bytes. Nothing when it must not or cannot be cut: DF,
    /// malformed options, or an MTU without room for eight bytes of payload. A packet that is a
    /// fragment itself is cut further.
    [[nodiscard]] static std::optional<Ipv4Fragmenter> of(std::span<const uint8_t> packet,
                                                          uint32_t mtu) noexcept;

    /// Fills in the next fragment; false after the last one.
    [[nodiscard]] bool next(Ipv4Fragment& out) noexcept;

  private:
    Ipv4Fragmenter() = default;

    std::array<uint8_t, kIpv4MaxHeaderBytes> first_header_{};
    std::array<uint8_t, kIpv4MaxHeaderBytes> later_header_{};  // with copied options alone
    uint32_t first_header_bytes_ = 0;
    uint32_t later_header_bytes_ = 0;
    uint32_t payload_bytes_ = 0;  // of the packet
    uint32_t done_bytes_ = 0;     // of payload already yielded
    uint32_t mtu_ = 0;
};

}  // namespace podlane
