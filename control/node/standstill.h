// Workers that stand still: noticed, told when it begins and ends, and what it means for those who
// ask whether this node works.
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
        bool good = false;  ///< it goes on
    };

    /// Asks the dataplane; what has begun and ended since the last look. Some times a second.
    [[nodiscard]] std::vector<News> look(Dataplane& dataplane);
    /// A line for each worker that stands still, as of the last look.
    [[nodiscard]] std::vector<std::string> problems() const;
    /// A line for a change that such a worker has not taken over yet.
    [[nodiscard]] std::vector<std::string> notices(uint64_t generation) const;
    /// Milliseconds for which this worker has stood; 0: it does not.
    [[nodiscard]] uint64_t still_ms(unsigned worker) const;

    /// Some worker moves nothing.
    [[nodiscard]] bool any() const noexcept { return !stuck_.empty(); }
    /// One has stood for so long that only a restart is left.
    [[nodiscard]] bool is_hopeless() const noexcept;

    static constexpr uint64_t kHopelessMs = 30'000;

  private:
    std::map<unsigned, StuckWorker> stuck_;
};

}  // namespace podlane::control
