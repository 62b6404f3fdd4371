// Removes all connections in which an address takes part, a piece of the table at a time.
#pragma once

#include <array>
#include <cstdint>

#include "dataplane/worker_ctx.h"
#include "lib/border/events.h"

namespace podlane::dataplane {

/// Threads: worker 0. A pod that is deleted leaves no connection behind, and a million of them do
/// not hold up the packets meanwhile.
class Purge {
  public:
    /// False when too many wait; the connections then end by age.
    bool add(const RawAddress& address) noexcept {
        if (count_ == waiting_.size()) return false;
        waiting_[count_++] = address;
        return true;
    }
    /// Looks at some blocks; returns false when there is nothing to do.
    bool step(WorkerCtx& ctx) noexcept;

  private:
    template <Family F>
    void step_family(WorkerCtx& ctx) noexcept;

    std::array<RawAddress, 64> waiting_;
    unsigned count_ = 0;
    uint32_t next_block_ = 0;
};

}  // namespace podlane::dataplane
