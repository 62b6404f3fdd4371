// Cuts an IPv4 packet into fragments: RFC 791 section 3.2, options as in section 3.1.
//
// Works on the header alone and tells where in the packet each fragment's payload is, so that the
// caller can copy it or refer to it. For the slow path, when a packet without DF is larger than the
// next hop's MTU. Any thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "lib/proto/ipv4.h"

namespace podlane {

/// One fragment: its IPv4 header, and the offset of its payload in the original packet.
struct Ipv4Fragment {
    std::array<uint8_t, kIpv4MaxHeaderBytes> header;
    uint32_t header_bytes;
    uint32_t payload_offset;  ///< from the packet's first byte
    uint32_t payload_bytes;
};

/// Yields a packet's fragments in order.
class Ipv4Fragmenter {
  public:
    /// Prepares for the packet that begins with `packet` (its header with options is enough; the
    /// parser has accepted it) and an MTU in bytes. None if it must not or cannot be cut: DF,
    /// malformed options, or an MTU without room for eight bytes of payload. A packet that is
    /// itself a fragment is cut further.
    [[nodiscard]] static std::optional<Ipv4Fragmenter> of(std::span<const uint8_t> packet,
                                                          uint32_t mtu) noexcept;

    /// Fills in the next fragment; false after the last one.
    [[nodiscard]] bool next(Ipv4Fragment& out) noexcept;

  private:
    Ipv4Fragmenter() = default;

    std::array<uint8_t, kIpv4MaxHeaderBytes> first_header_{};
    std::array<uint8_t, kIpv4MaxHeaderBytes> later_header_{};  // with only the copied options
    uint32_t first_header_bytes_ = 0;
    uint32_t later_header_bytes_ = 0;
    uint32_t payload_bytes_ = 0;  // of the packet
    uint32_t done_bytes_ = 0;     // of payload already yielded
    uint32_t mtu_ = 0;
};

}  // namespace podlane
