// Which workers stand still: a worker turns many times a second, busy or not, unless a device's
// driver or the kernel does not let it.
//
// The runtime asks it whenever control looks. Control thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

namespace podlane::dataplane {

class WorkerWatch {
  public:
    using Clock = std::chrono::steady_clock;

    explicit WorkerWatch(unsigned workers) : workers_(workers) {}

    /// Tells how many turns each worker has made by now.
    void look(const std::vector<uint64_t>& turns, Clock::time_point now);

    /// Milliseconds since the worker's last turn, as far as looks have shown; 0: it turns.
    [[nodiscard]] uint64_t still_ms(unsigned worker) const noexcept {
        return workers_[worker].still_ms >= kStillMs ? workers_[worker].still_ms : 0;
    }
    [[nodiscard]] bool any_still() const noexcept;

    /// From here on a worker that makes no turn stands still: eight times its longest sleep.
    static constexpr uint64_t kStillMs = 2000;

  private:
    /// More between two looks is the process's own standing still, a stopped or starved one's.
    static constexpr uint64_t kMostMs = 500;

    struct Seen {
        uint64_t turns = 0;
        uint64_t still_ms = 0;
    };
    std::vector<Seen> workers_;
    Clock::time_point looked_{};
};

}  // namespace podlane::dataplane
