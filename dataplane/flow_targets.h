// Pod ports that connections lead to, or that reached a neighbour pod by another address than the
// neighbour's own. Only a frame from such a port can be a reply that must be translated back, or
// have the same ports as a translated connection.
//
// A pod replies to a neighbour of its own subnet by MAC. If the request came through a ClusterIP,
// the bridge must look up the connection. Frames of all other pods are bridged without a look-up.
// See docs/decisions/bridged-frames.md.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "lib/model/ids.h"

namespace podlane::dataplane {

/// Threads: workers add and query; control forgets a port before putting it into service.
class FlowTargets {
  public:
    /// Call before a packet leaves by `port` along a connection. Relaxed is enough: the reply to
    /// that packet cannot come before the packet has left.
    void add(PortId port) noexcept {
        if (index_of(port) >= kMaxPorts || has(port)) return;
        ports_[index_of(port)].store(true, std::memory_order_relaxed);
    }
    [[nodiscard]] bool has(PortId port) const noexcept {
        return ports_[index_of(port)].load(std::memory_order_relaxed);
    }
    /// For a port of which the kernel can carry flows: all that is said between two such ports of
    /// pods is to be a flow. Before it is in service.
    void add_pair(PortId port, bool is_pod = true) noexcept {
        const Pair pair = is_pod ? Pair::kOfPod : Pair::kOther;
        pairs_[index_of(port)].store(pair, std::memory_order_relaxed);
        add(port);
    }
    /// Whether the kernel can carry what these two say to each other; one must be a pod's.
    [[nodiscard]] bool are_joined(PortId one, PortId other) const noexcept {
        const Pair here = pairs_[index_of(one)].load(std::memory_order_relaxed);
        const Pair there = pairs_[index_of(other)].load(std::memory_order_relaxed);
        return here != Pair::kNone && there != Pair::kNone &&
               (here == Pair::kOfPod || there == Pair::kOfPod);
    }
    void forget(PortId port) noexcept {
        ports_[index_of(port)].store(false, std::memory_order_relaxed);
        pairs_[index_of(port)].store(Pair::kNone, std::memory_order_relaxed);
    }

  private:
    enum class Pair : uint8_t { kNone, kOfPod, kOther };

    std::array<std::atomic<bool>, kMaxPorts> ports_{};
    std::array<std::atomic<Pair>, kMaxPorts> pairs_{};
};

}  // namespace podlane::dataplane
