// How long to wait before asking a failed server again: twice as long each time, up to a bound,
// with jitter, so that the nodes of a cluster do not all come back at once.
#pragma once

#include <algorithm>
#include <chrono>
#include <random>

namespace podlane::control {

/// Threads: one.
class Backoff {
  public:
    using Milliseconds = std::chrono::milliseconds;

    Backoff(Milliseconds first, Milliseconds most, unsigned seed)
        : first_(first), most_(most), next_(first), random_(seed) {}

    /// The next wait: between half of the present step and all of it.
    [[nodiscard]] Milliseconds next() {
        const Milliseconds step = next_;
        next_ = std::min(most_, next_ * 2);
        std::uniform_int_distribution<Milliseconds::rep> share(step.count() / 2, step.count());
        return Milliseconds{share(random_)};
    }
    /// After something worked.
    void reset() noexcept { next_ = first_; }

  private:
    Milliseconds first_, most_, next_;
    std::minstd_rand random_;
};

}  // namespace podlane::control
