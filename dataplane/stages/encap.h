// Stage 7: the Ethernet header of the next hop, and the tunnel's headers where there is a tunnel.
#pragma once

#include "dataplane/stages/stage.h"

namespace podlane::dataplane {

/// Writes each kForward and kRouted packet's MACs and, for a tunnel, prepends its template and
/// patches length, identification, source port and checksum. Leaves kSend. No look-ups.
struct Encap {
    static constexpr const char* kName = "encap";
    static void run(WorkerCtx& ctx, Burst burst) noexcept;
};

}  // namespace podlane::dataplane
