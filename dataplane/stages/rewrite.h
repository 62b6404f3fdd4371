// Executes what the slow path compiled: addresses, ports, TTL, checksums.
//
// Part of stage 7 (forward.h); in a header so that its loop contains all of it.
#pragma once

#include "dataplane/packet.h"

namespace podlane::dataplane {

/// Applies a kForward packet's rewrite; no look-ups.
[[gnu::always_inline]] inline void rewrite(Packet& packet) noexcept {
    if (packet.headers.ip_version == 4) {
        apply_rewrite<V4>(packet.frame, packet.headers, packet.flow<V4>(), packet.csum);
    } else {
        apply_rewrite<V6>(packet.frame, packet.headers, packet.flow<V6>(), packet.csum);
    }
}

}  // namespace podlane::dataplane
