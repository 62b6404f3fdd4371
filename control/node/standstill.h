// Watches for workers that are stuck, reports when this begins and ends, and decides what it means
// for readiness and liveness.
//
// The node asks it; control thread only.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "lib/border/dataplane.h"

namespace podlane::control {

class Standstill {
  public:
    struct News {
        std::string text;   ///< "worker 0 stands still: send of uplink0"
        bool good = false;  ///< it works again
    };

    /// Asks the dataplane; returns what has begun and ended since the last check. Call it a few
    /// times a second.
    [[nodiscard]] std::vector<News> look(Dataplane& dataplane);
    /// A line for each stuck worker, as of the last check.
    [[nodiscard]] std::vector<std::string> problems() const;
    /// A line for a change that such a worker has not taken over yet.
    [[nodiscard]] std::vector<std::string> notices(uint64_t generation) const;
    /// For how many milliseconds this worker has been stuck; 0: it is not.
    [[nodiscard]] uint64_t still_ms(unsigned worker) const;

    /// At least one worker is stuck.
    [[nodiscard]] bool any() const noexcept { return !stuck_.empty(); }
    /// One has been stuck for so long that only a restart helps.
    [[nodiscard]] bool is_hopeless() const noexcept;

    static constexpr uint64_t kHopelessMs = 30'000;

  private:
    std::map<unsigned, StuckWorker> stuck_;
};

}  // namespace podlane::control
