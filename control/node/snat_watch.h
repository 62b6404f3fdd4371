// Destinations that ran out of source ports, over all workers: shown, warned of, and remembered as
// a problem for a while.
//
// The node asks it; control thread only. Reads what workers write, without disturbing them.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "lib/border/dataplane.h"

namespace podlane::control {

class SnatWatch {
  public:
    /// The warnings that are due: one line for each destination with new refusals, at most once in
    /// ten seconds. Looks once a second, however often it is called.
    [[nodiscard]] std::vector<std::string> look(const Dataplane& dataplane, uint64_t now_ms);
    /// A line for each destination at which something was refused in the last minute.
    [[nodiscard]] std::vector<std::string> problems(uint64_t now_ms) const;

  private:
    struct Watched {
        uint64_t refused = 0;         ///< as of the last look
        uint64_t warned_refused = 0;  ///< as of the last warning
        uint64_t warned_ms = 0;
        uint64_t grew_ms = 0;
    };
    uint64_t look_again_ms_ = 0;
    std::map<SnatTarget, Watched> watched_;  ///< only those that workers report now
};

}  // namespace podlane::control
