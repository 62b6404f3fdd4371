// Frames that one worker hands to another: to be sent, because a device has fewer send queues than
// workers, or to be processed, because fragments of one packet meet on one worker.
#pragma once

#include <rte_mbuf.h>

#include <memory>
#include <vector>

#include "lib/base/spsc_ring.h"
#include "lib/model/ids.h"

namespace podlane::dataplane {

/// A finished frame and the port to send it by, or a received frame and the port it came in by.
struct Handoff {
    rte_mbuf* mbuf;
    PortId port;
    bool received = false;
    uint8_t flags = 0;  ///< received: PacketFlags
};
using HandoffRing = SpscRing<Handoff, 1024>;

/// One ring from each worker to each worker.
/// Threads: worker `from` pushes to ring(from, to), worker `to` pops.
class HandoffRings {
  public:
    explicit HandoffRings(unsigned workers) : workers_(workers), rings_(size_t{workers} * workers) {
        for (auto& ring : rings_) ring = std::make_unique<HandoffRing>();
    }
    [[nodiscard]] HandoffRing& ring(unsigned from, unsigned to) noexcept {
        return *rings_[size_t{from} * workers_ + to];
    }

    [[nodiscard]] unsigned workers() const noexcept { return workers_; }

  private:
    unsigned workers_;
    std::vector<std::unique_ptr<HandoffRing>> rings_;
};

}  // namespace podlane::dataplane
