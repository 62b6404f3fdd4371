// Packets that wait until the next hop's MAC address is known.
//
// They are held as they came in, and run through the pipeline again when a new snapshot arrives or
// their time is up. So nothing has to be undone.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <cstdint>

#include "lib/border/events.h"
#include "lib/model/ids.h"

namespace podlane::dataplane {

/// One waiting packet.
struct HeldPacket {
    rte_mbuf* mbuf;
    uint64_t until_ms;  ///< dropped after this
    PortId in_port;
    PortId next_port;  ///< where the neighbour is looked for
    uint8_t flags;     ///< PacketFlags
    RawAddress next_hop;
};

/// Bounded in three ways: in all, for each next hop, so that one silent neighbour cannot fill it,
/// and for each port, so that one pod with many next hops cannot.
/// Threads: one worker.
class HoldQueue {
  public:
    static constexpr unsigned kSlots = 512;
    static constexpr unsigned kPerNextHop = 64;
    static constexpr unsigned kPerPort = 128;
    /// Longer than control tries to resolve a neighbour.
    static constexpr uint64_t kHoldMs = 3000;

    /// False when there is no room; the caller still owns the packet.
    [[nodiscard]] bool add(const HeldPacket& packet) noexcept {
        if (count_ == kSlots) return false;
        unsigned same = 0;
        unsigned of_port = 0;
        for (unsigned i = 0; i < count_; ++i) {
            of_port += packets_[i].in_port == packet.in_port;
            same += packets_[i].next_port == packet.next_port &&
                    packets_[i].next_hop.bytes == packet.next_hop.bytes;
        }
        if (same >= kPerNextHop || of_port >= kPerPort) return false;
        packets_[count_++] = packet;
        return true;
    }
    [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
    [[nodiscard]] unsigned size() const noexcept { return count_; }

    /// Moves all packets to `out` (room for kSlots), oldest first, and empties the queue.
    unsigned take_all(HeldPacket* out) noexcept {
        for (unsigned i = 0; i < count_; ++i) out[i] = packets_[i];
        const unsigned taken = count_;
        count_ = 0;
        return taken;
    }
    /// Whether the oldest packet's time is up.
    [[nodiscard]] bool overdue(uint64_t now_ms) const noexcept {
        return count_ > 0 && packets_[0].until_ms <= now_ms;
    }

  private:
    std::array<HeldPacket, kSlots> packets_;
    unsigned count_ = 0;
};

}  // namespace podlane::dataplane
