// Frames waiting to be sent, gathered by port until a burst is full or the worker's turn ends.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <cstdint>

#include "dataplane/packet.h"
#include "lib/model/ids.h"

namespace podlane::dataplane {

/// One worker's frames. Threads: its worker only.
class TxBuffers {
  public:
    struct Lane {
        uint64_t since_tsc = 0;  ///< when the worker polled for the oldest frame
        uint64_t bytes = 0;      ///< of all frames
        unsigned count = 0;
        bool listed = false;
        std::array<rte_mbuf*, kBurst> frames;
    };

    /// The port's lane, which drain() will visit.
    [[nodiscard]] Lane& lane(PortId port) noexcept {
        Lane& found = lanes_[index_of(port)];
        if (!found.listed) {
            found.listed = true;
            found.since_tsc = received_tsc_;
            dirty_[dirty_count_++] = port;
        }
        return found;
    }
    /// Sets the time at which the worker polled for the frames that come in until the next call.
    void receive_at(uint64_t tsc) noexcept { received_tsc_ = tsc; }
    /// Empties the lane; the frames that it gets next count from the present poll.
    void reset(Lane& lane) noexcept {
        lane.bytes = 0;
        lane.count = 0;
        lane.since_tsc = received_tsc_;
    }
    /// Calls `flush(PortId, Lane&)` for each port with frames and forgets the list.
    template <class Flush>
    void drain(Flush flush) noexcept {
        for (unsigned i = 0; i < dirty_count_; ++i) {
            Lane& lane = lanes_[index_of(dirty_[i])];
            if (lane.count > 0) flush(dirty_[i], lane);
            lane.listed = false;
        }
        dirty_count_ = 0;
    }

  private:
    uint64_t received_tsc_ = 0;
    std::array<Lane, kMaxPorts> lanes_;
    std::array<PortId, kMaxPorts> dirty_;
    unsigned dirty_count_ = 0;
};

}  // namespace podlane::dataplane
