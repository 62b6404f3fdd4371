// Finds workers that stand still: a worker turns many times a second, busy or not, unless a
// device's driver or the kernel blocks it.
//
// The runtime looks whenever control asks. Control thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

namespace podlane::dataplane {

class WorkerWatch {
  public:
    using Clock = std::chrono::steady_clock;

    explicit WorkerWatch(unsigned workers) : workers_(workers) {}

    /// Takes the number of turns that each worker has made by now.
    void look(const std::vector<uint64_t>& turns, Clock::time_point now);

    /// Milliseconds since the worker's last turn, as far as looks can tell; 0: it turns.
    [[nodiscard]] uint64_t still_ms(unsigned worker) const noexcept {
        return workers_[worker].still_ms >= kStillMs ? workers_[worker].still_ms : 0;
    }
    [[nodiscard]] bool any_still() const noexcept;

    /// A worker without a turn for this long stands still: eight times its longest sleep.
    static constexpr uint64_t kStillMs = 2000;

  private:
    /// A longer gap between two looks means that the process itself stood still: stopped, or
    /// starved.
    static constexpr uint64_t kMostMs = 500;

    struct Seen {
        uint64_t turns = 0;
        uint64_t still_ms = 0;
    };
    std::vector<Seen> workers_;
    Clock::time_point looked_{};
};

}  // namespace podlane::dataplane
