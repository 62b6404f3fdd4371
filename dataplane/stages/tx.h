// Stage 8: the one place where frames leave a worker, and where lost frames are freed and counted.
#pragma once

#include "dataplane/stages/stage.h"

namespace podlane::dataplane {

/// Gathers kSend packets by port and frees kDrop ones. A port's frames go out when a burst of them
/// is full, or with flush().
struct Tx {
    static constexpr const char* kName = "tx";
    static void run(WorkerCtx& ctx, Burst burst) noexcept;
};

/// Sends all gathered frames; called at the end of a worker's turn.
void flush(WorkerCtx& ctx) noexcept;

/// Gives a finished frame to `port`. The mbuf is consumed.
void send_frame(WorkerCtx& ctx, PortId port, rte_mbuf* mbuf) noexcept;

}  // namespace podlane::dataplane
