// A burst's new connections, decided about before the first of them is made.
//
// A new connection waits for memory more than for anything else. With the decisions made ahead, the
// flow table's lines for all of the burst's connections come at the same time.
#pragma once

#include <array>
#include <cstdint>

#include "dataplane/packet.h"
#include "lib/decide/decide.h"

namespace podlane::dataplane {

/// The decisions about packets of one family, in the burst's order. Threads: its worker.
template <Family F>
class FlowPlans {
  public:
    /// Forgets all: after each burst.
    void clear() noexcept { count_ = next_ = 0; }

    /// Whether the packet may belong to the connection that was planned last: a train of packets
    /// needs one plan.
    [[nodiscard]] bool repeats(const Packet& packet) const noexcept {
        return count_ != 0 && plans_[count_ - 1].packet->hash == packet.hash;
    }
    /// Keeps a decision for a packet of the present burst: at most kBurst, in its order.
    void add(const Packet& packet, const PathDecision<F>& decision) noexcept {
        plans_[count_++] = {&packet, decision};
    }
    /// The decision about this packet, if there is one; not again. Ask in the burst's order.
    [[nodiscard]] const PathDecision<F>* take(const Packet& packet) noexcept {
        while (next_ < count_ && plans_[next_].packet < &packet) ++next_;
        if (next_ == count_ || plans_[next_].packet != &packet) return nullptr;
        return &plans_[next_++].decision;
    }

  private:
    struct Plan {
        const Packet* packet;
        PathDecision<F> decision;
    };
    std::array<Plan, kBurst> plans_{};
    unsigned count_ = 0;
    unsigned next_ = 0;
};

}  // namespace podlane::dataplane
