// What each port may cost a worker beside moving its packets: copies of broadcasts, ICMP errors,
// questions to control. A noisy port uses up its own share, not the worker.
//
// On its worker; docs/decisions/shares.md has the figures.
#pragma once

#include <array>
#include <cstdint>

#include "lib/model/ids.h"

namespace podlane::dataplane {

/// A token bucket that starts full.
class Budget {
  public:
    struct Rate {
        uint32_t per_second;
        uint32_t burst;
    };

    /// Takes `amount` tokens; false when there are fewer. More than the burst is never granted.
    [[nodiscard]] bool take(uint64_t now_ms, uint32_t amount, Rate rate) noexcept {
        const uint64_t back = (now_ms - at_ms_) * rate.per_second;
        const uint64_t used = used_milli_ > back ? used_milli_ - back : 0;
        const uint64_t after = used + uint64_t{amount} * 1000;
        if (after > uint64_t{rate.burst} * 1000) return false;
        used_milli_ = after;
        at_ms_ = now_ms;
        return true;
    }

  private:
    uint64_t used_milli_ = 0;
    uint64_t at_ms_ = 0;
};

/// One worker's budgets, by port.
struct PortBudgets {
    /// Copies of broadcasts: with 64 pods, 16 broadcasts at once and 128 a second from each.
    static constexpr Budget::Rate kFlood{8192, 1024};
    static constexpr Budget::Rate kNotices{500, 50};
    static constexpr Budget::Rate kQuestions{200, 100};

    struct OfPort {
        Budget flood, notices, questions;
        uint16_t deferred = 0;  ///< first packets put aside, see stages/defer.h
    };
    std::array<OfPort, kMaxPorts> ports{};

    [[nodiscard]] OfPort& of(PortId port) noexcept { return ports[index_of(port) % kMaxPorts]; }
};

}  // namespace podlane::dataplane
