// Frames in and out of a TAP that was opened with IFF_VNET_HDR.
//
// The virtio header before each frame tells of checksums left to the device (partial) and of
// segmentation. On the way in it becomes mbuf flags, on the way out mbuf flags become it, so that a
// partial checksum travels from pod to pod untouched.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

#include "dataplane/ports/port.h"

namespace podlane::dataplane {

/// What became of a receive call.
struct TapReceive {
    unsigned count = 0;    ///< frames in `out`
    bool more = false;     ///< stopped at `room`: the queue may hold more
    bool lost = false;     ///< the device is gone
    bool no_mbuf = false;  ///< the pool is empty
};

/// Reads up to `room` frames of this worker's queue. One system call for a frame, and one that
/// finds the queue empty. Threads: the worker that owns the queue.
[[nodiscard]] TapReceive tap_receive(const Port& port, unsigned worker, rte_mempool& pool,
                                     rte_mbuf** out, unsigned room) noexcept;

/// Writes the frames; returns how many the kernel took, the rest remain the caller's.
[[nodiscard]] unsigned tap_send(const Port& port, unsigned worker, rte_mbuf** frames,
                                unsigned count) noexcept;

}  // namespace podlane::dataplane
