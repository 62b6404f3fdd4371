// Pod ports that connections lead to, or from which a neighbour was asked by another address than
// its own: only what comes from there can be an answer to translate back, or have the ports of a
// connection that is translated.
//
// A pod answers a neighbour of its own subnet by MAC. If it was asked through a ClusterIP, the
// bridge must find the connection; frames of all other pods are bridged without a look at it. See
// docs/decisions/bridged-frames.md.
#pragma once

#include <array>
#include <atomic>

#include "lib/model/ids.h"

namespace podlane::dataplane {

/// Threads: workers add and ask; control forgets a port before it is put into service.
class FlowTargets {
  public:
    /// Before a packet leaves by `port` on a connection's way. Relaxed is enough: the answer to
    /// that packet cannot come before the packet has left.
    void add(PortId port) noexcept {
        if (index_of(port) >= kMaxPorts || has(port)) return;
        ports_[index_of(port)].store(true, std::memory_order_relaxed);
    }
    [[nodiscard]] bool has(PortId port) const noexcept {
        return ports_[index_of(port)].load(std::memory_order_relaxed);
    }
    void forget(PortId port) noexcept {
        ports_[index_of(port)].store(false, std::memory_order_relaxed);
    }

  private:
    std::array<std::atomic<bool>, kMaxPorts> ports_{};
};

}  // namespace podlane::dataplane
