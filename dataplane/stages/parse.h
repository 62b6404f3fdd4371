// Stage 2: one bounds-checked pass over the headers, and what kind of frame this is.
#pragma once

#include "dataplane/stages/stage.h"

namespace podlane::dataplane {

/// Parses each frame and sorts it: to the flow table, to the slow path, or dropped. Detects partial
/// checksums where the port delivers them. Cost: reads the headers, prefetched four frames ahead.
struct Parse {
    static constexpr const char* kName = "parse";
    static void run(WorkerCtx& ctx, Burst burst) noexcept;
};

/// The same for one frame whose in_port, mbuf and flags are set; used again after decapsulation.
void parse_packet(const WorkerCtx& ctx, Packet& packet) noexcept;

}  // namespace podlane::dataplane
