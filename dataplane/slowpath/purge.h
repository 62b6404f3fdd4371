// Removes all connections that involve given addresses, one piece of the table at a time.
#pragma once

#include <array>
#include <cstdint>

#include "dataplane/worker_ctx.h"
#include "lib/border/events.h"

namespace podlane::dataplane {

/// Threads: worker 0. A deleted pod leaves no connection behind, and a million of them do not hold
/// up packets meanwhile. Pods that are deleted together go in one pass.
class Purge {
  public:
    /// False when too many addresses wait; the connections then end by age.
    bool add(const RawAddress& address) noexcept {
        if (count_ == waiting_.size()) return false;
        waiting_[count_++] = address;
        return true;
    }
    /// Looks at some blocks; false when there is nothing to do.
    bool step(WorkerCtx& ctx) noexcept;

  private:
    static constexpr unsigned kAtOnce = 64;

    /// Takes the addresses of the next pass from the waiting ones, all of the first one's family.
    void begin_pass() noexcept;
    template <Family F>
    void step_family(WorkerCtx& ctx) noexcept;

    /// Two for each pod, for as many pods as a node has.
    std::array<RawAddress, 2 * kMaxPorts> waiting_;
    unsigned count_ = 0;
    std::array<RawAddress, kAtOnce> targets_;  ///< of this pass, sorted
    unsigned target_count_ = 0;
    uint32_t next_block_ = 0;
};

}  // namespace podlane::dataplane
