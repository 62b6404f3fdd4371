// Limits the control thread's time that all of the page's answers take together to a tenth, however
// many clients ask. A request that comes too early gets an earlier answer, or is asked to try
// again.
//
// control/daemon/page.cc asks it before it makes an answer. Control thread; no state except its
// members.
#pragma once

#include <algorithm>
#include <cstdint>

namespace podlane::control {

class TimeShare {
  public:
    /// What may be used after a rest, by one answer after the other: who opens one thing after the
    /// other does not wait.
    static constexpr int64_t kMostUs = 500'000;

    [[nodiscard]] bool is_free(uint64_t now_us) const noexcept { return credit_us(now_us) > 0; }
    /// An answer was made between these.
    void used(uint64_t from_us, uint64_t to_us) noexcept {
        credit_us_ = credit_us(to_us) - static_cast<int64_t>(to_us - from_us);
        at_us_ = to_us;
    }

  private:
    [[nodiscard]] int64_t credit_us(uint64_t now_us) const noexcept {
        return std::min(kMostUs, credit_us_ + static_cast<int64_t>((now_us - at_us_) / 10));
    }

    int64_t credit_us_ = kMostUs;  ///< at `at_us_`; below 0 after an answer that took longer
    uint64_t at_us_ = 0;
};

}  // namespace podlane::control
