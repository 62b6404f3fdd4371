// Stage 6: joins packets from the wire into large ones for a pod (GRO).
#pragma once

#include "dataplane/stages/stage.h"

namespace podlane::dataplane {

/// Joins packets of an uplink's burst that follow one another in a TCP connection, if their port
/// takes large frames: the first becomes kLarge, the others its further buffers. Joins only packets
/// with right checksums that cutting would make again exactly as they were. Cost: two branches for
/// a packet that cannot be joined; a sum over the payload for one that can, unless the device has
/// checked it.
struct Join {
    static constexpr const char* kName = "join";
    static void run(WorkerCtx& ctx, Burst burst) noexcept;
};

}  // namespace podlane::dataplane
