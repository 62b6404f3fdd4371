// Frames in words: what a packet is, and what a stage has changed in it. For `podlanectl trace`.
//
// Pure. Frames begin with their Ethernet header and may be cut, as long as their headers are whole.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace podlane::control {

/// A frame, or its beginning.
struct FrameView {
    std::span<const uint8_t> bytes;
    uint32_t wire_bytes = 0;  ///< its whole length
};

/// "TCP 10.244.1.10:4000 > 10.96.0.10:80 SYN, 74 bytes"; of a tunnel's packet, the inner one as
/// well.
[[nodiscard]] std::string packet_summary(const FrameView& frame);

/// What two nodes see unchanged of an IP packet (in a tunnel, of the inner one): addresses, IPv4's
/// identification, TTL (it differs one hop later), the following headers without checksums, and the
/// beginning of the payload. Binary; empty if that is unknown. Repetitions that IP does not
/// distinguish have equal identities.
[[nodiscard]] std::string packet_identity(const FrameView& frame);

/// What is different: "destination 10.96.0.10:80 becomes 10.244.1.11:8080", ...
[[nodiscard]] std::vector<std::string> packet_changes(const FrameView& before,
                                                      const FrameView& after);

}  // namespace podlane::control
