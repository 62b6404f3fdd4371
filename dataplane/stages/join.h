// Stage 6: what came from the wire in pieces goes to a pod in one.
#pragma once

#include "dataplane/stages/stage.h"

namespace podlane::dataplane {

/// Joins packets of a burst that an uplink brought, that follow one another in one TCP connection
/// and whose port takes large frames (GRO): the first becomes kLarge, the others its further
/// buffers. Only what cutting it again would make the same packets of, and whose checksums are
/// right. Cost: two branches for a packet that cannot be joined; the sum over the payload of one
/// that is, where the device has not checked it.
struct Join {
    static constexpr const char* kName = "join";
    static void run(WorkerCtx& ctx, Burst burst) noexcept;
};

}  // namespace podlane::dataplane
