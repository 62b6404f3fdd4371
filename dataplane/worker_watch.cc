#include "dataplane/worker_watch.h"

#include <algorithm>

namespace podlane::dataplane {

void WorkerWatch::look(const std::vector<uint64_t>& turns, Clock::time_point now) {
    const bool is_first = looked_ == Clock::time_point{};
    const auto passed = std::chrono::duration_cast<std::chrono::milliseconds>(now - looked_);
    const uint64_t passed_ms =
        is_first ? 0 : std::min<uint64_t>(static_cast<uint64_t>(passed.count()), kMostMs);
    looked_ = now;
    for (size_t i = 0; i < std::min(workers_.size(), turns.size()); ++i) {
        Seen& seen = workers_[i];
        seen.still_ms = seen.turns == turns[i] ? seen.still_ms + passed_ms : 0;
        seen.turns = turns[i];
    }
}

bool WorkerWatch::any_still() const noexcept {
    return std::any_of(workers_.begin(), workers_.end(),
                       [](const Seen& seen) { return seen.still_ms >= kStillMs; });
}

}  // namespace podlane::dataplane
