// Which packets are for this node's tunnel endpoint: one test, used by the fast parser with the
// headers of a burst at hand, by decapsulation, and by decide() for what is left.
#pragma once

#include "lib/model/snapshot.h"
#include "lib/proto/parse_tunnelled.h"

namespace podlane {

/// This node's tunnel endpoint by the snapshot; without an overlay, it has no address.
[[nodiscard]] inline TunnelEnd tunnel_end(const Snapshot& snapshot) noexcept {
    if (!snapshot.overlay.enabled) return {};
    return {snapshot.v4.has_vtep,
            snapshot.v6.has_vtep,
            snapshot.v4.vtep,
            snapshot.v6.vtep,
            snapshot.overlay.port,
            snapshot.overlay.format,
            snapshot.overlay.vni,
            snapshot.overlay.mac.as_u64(),
            OverlayPattern(snapshot.overlay.format, snapshot.overlay.vni)};
}

}  // namespace podlane
