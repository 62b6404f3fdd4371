// Decisions about a burst's new connections, made before the first of them is inserted.
//
// A new connection mostly waits for memory. With the decisions made ahead, the flow table's cache
// lines for all of the burst's connections are fetched at the same time.
#pragma once

#include <array>
#include <cstdint>

#include "dataplane/packet.h"
#include "lib/decide/decide.h"

namespace podlane::dataplane {

/// Decisions about packets of one family, in the burst's order. Threads: its worker.
template <Family F>
class FlowPlans {
  public:
    /// Forgets all plans; called after each burst.
    void clear() noexcept { count_ = next_ = 0; }

    /// Whether the packet may belong to the connection planned last, so that a train of packets
    /// needs one plan.
    [[nodiscard]] bool repeats(const Packet& packet) const noexcept {
        return count_ != 0 && plans_[count_ - 1].packet->hash == packet.hash;
    }
    /// Keeps a decision about a packet of the present burst: at most kBurst of them, in the burst's
    /// order.
    void add(const Packet& packet, const PathDecision<F>& decision) noexcept {
        plans_[count_++] = {&packet, decision};
    }
    /// The decision about this packet, or null; it is given once. Call in the burst's order.
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
