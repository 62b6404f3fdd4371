// Frames that one worker gives to another: to send them, because a device has fewer send queues
// than workers, or to look at them, because fragments of one packet meet on one worker.
#pragma once

#include <rte_mbuf.h>

#include <memory>
#include <vector>

#include "lib/base/spsc_ring.h"
#include "lib/model/ids.h"

namespace podlane::dataplane {

/// A finished frame and the port by which it must leave; or one that came in by the port.
struct Handoff {
    rte_mbuf* mbuf;
    PortId port;
    bool received = false;
    uint8_t flags = 0;  ///< received: PacketFlags
};
using HandoffRing = SpscRing<Handoff, 1024>;

/// One ring from each worker to each other.
/// Threads: ring(from, to) is pushed to by worker `from` and popped by worker `to`.
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
