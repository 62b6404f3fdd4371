// Frames in and out of a TAP that was opened with IFF_VNET_HDR.
//
// The virtio header before each frame tells of checksums left to the device (partial) and of
// segmentation. On receive it is turned into mbuf flags and TapMarks, on send they are turned into
// a header again. So a partial checksum and a large frame travel from pod to pod untouched.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <cstdint>

#include "dataplane/ports/port.h"
#include "dataplane/ports/tap_ring.h"
#include "lib/proto/virtio_net.h"

namespace podlane::dataplane {

/// Where packet buffers come from.
struct FramePools {
    rte_mempool* usual = nullptr;
    rte_mempool* large = nullptr;  ///< for what does not fit into `usual`; may be null or empty
};

/// Data room of a buffer in the large pool: a jumbo frame fits, and most devices send that much by
/// one descriptor.
inline constexpr uint32_t kLargeBufferBytes = 16384;

/// The outcome of a receive call.
struct TapReceive {
    unsigned count = 0;    ///< frames in `out`
    uint32_t bytes = 0;    ///< of all frames together
    bool lost = false;     ///< the device is gone
    bool no_mbuf = false;  ///< the pool is empty
};

/// A worker's access to its TAPs.
/// Threads: the worker; made and destroyed by control.
class TapIo {
  public:
    explicit TapIo(bool use_io_uring = true) : ring_(use_io_uring) {}
    ~TapIo();
    TapIo(const TapIo&) = delete;
    TapIo& operator=(const TapIo&) = delete;

    /// Reads up to `room` frames of this worker's queue, but not much more than fits into a CPU's
    /// second-level cache. One system call for a few frames; the more frames came last time, the
    /// more calls. The first bytes of a frame, with its headers, are in an ordinary buffer.
    [[nodiscard]] TapReceive receive(const Port& port, unsigned worker, const FramePools& pools,
                                     rte_mbuf** out, unsigned room) noexcept;

    /// Writes the frames, usually all in one system call; returns how many the kernel took. The
    /// others are moved behind those and still belong to the caller.
    [[nodiscard]] unsigned send(const Port& port, unsigned worker, rte_mbuf** frames,
                                unsigned count) noexcept;

  private:
    /// Buffers that a received frame may span beyond the first: 64 KiB in buffers of 2 KiB.
    static constexpr unsigned kMostBuffers = 34;
    /// The most reads in one system call.
    static constexpr unsigned kMostReads = 32;
    /// The most parts of frames that one system call writes.
    static constexpr unsigned kMostParts = 512;

    /// Buffers for one frame.
    struct Slot {
        rte_mbuf* head = nullptr;  ///< from the usual pool
        std::array<rte_mbuf*, kMostBuffers> rest;
        std::array<iovec, kMostBuffers + 1> parts;  ///< the room of all buffers
        unsigned count = 0;                         ///< in `rest`
        uint32_t room = 0;                          ///< bytes that fit into `rest`

        /// The buffers that hold a frame of `bytes`, chained.
        [[nodiscard]] rte_mbuf* take(uint32_t bytes) noexcept;
        /// Frees the buffers that need not stay between calls.
        void release(const rte_mempool* large) noexcept;
    };

    [[nodiscard]] static bool fill(Slot& slot, const Port& port, const FramePools& pools) noexcept;
    unsigned receive_some(const Port& port, int fd, unsigned wanted, const FramePools& pools,
                          rte_mbuf** out, TapReceive& result) noexcept;
    /// The frame with its header, written into parts_ from `first` on. `number`: the frame's index
    /// in this call.
    [[nodiscard]] std::span<const iovec> parts_of(const rte_mbuf& frame, unsigned number,
                                                  unsigned first) noexcept;

    TapRing ring_;
    std::array<Slot, kMostReads> slots_;
    std::array<VirtioNetHeader, TapRing::kMost> headers_;  ///< of frames without headroom
    std::array<iovec, kMostParts> parts_;
    std::array<uint8_t, kMaxPorts> expected_{};  ///< frames that the last call found, by port
};

}  // namespace podlane::dataplane
