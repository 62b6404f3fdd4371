// Token buckets that hold a port to its bandwidth: what is beyond a bucket's content is dropped.
//
// Made with the port (ports/open_ports.cc), asked by whichever worker receives from it (worker.cc)
// or sends to it (stages/tx.cc). Ports without a limit have none and pay a look at a null pointer
// for each burst. docs/decisions/bandwidth.md says why workers share a bucket.
#pragma once

#include <rte_mbuf.h>

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "lib/base/bytes.h"
#include "lib/border/bandwidth.h"

namespace podlane::dataplane {

/// Holds the time at which the bucket will be full again, in place of its content, so that one word
/// is all that changes (the virtual scheduling form of ITU-T I.371's algorithm).
///
/// A frame passes while anything is in the bucket, and what it takes beyond that is owed: a frame
/// of many segments has the chance of a short one, no burst is too small for it, and the rate over
/// time is exact. Threads: any worker; the word orders nothing else.
class alignas(kCacheLine) RateMeter {
  public:
    /// A bucket holds half a second's worth at least. Where a way takes less than a packet's time,
    /// TCP loses all that is under way and begins again after 200 ms or more: what comes back until
    /// then must not be lost, or a connection gets a part of its limit only.
    static constexpr uint64_t kLeastBurstParts = 2;

    /// `tsc_hz`: of the clock that take() is asked by.
    RateMeter(const RateLimit& limit, uint64_t tsc_hz) noexcept
        : tsc_per_bit_(limit.bits_per_second == 0 ? 0
                                                  : static_cast<double>(tsc_hz) /
                                                        static_cast<double>(limit.bits_per_second)),
          burst_tsc_(duration(static_cast<double>(
              std::max(limit.burst_bits, limit.bits_per_second / kLeastBurstParts)))) {}

    [[nodiscard]] bool is_limited() const noexcept { return tsc_per_bit_ != 0; }

    /// Whether `bytes` may pass at `now_tsc`, as one frame; taken then. Cost: one exchange of a
    /// word that workers share.
    [[nodiscard]] bool take(uint64_t now_tsc, uint64_t bytes) noexcept {
        const uint64_t cost = duration(static_cast<double>(bytes) * 8);
        uint64_t full = full_tsc_.load(std::memory_order_relaxed);
        while (true) {
            const uint64_t from = std::max(full, now_tsc);
            if (from - now_tsc >= burst_tsc_) return false;
            if (full_tsc_.compare_exchange_weak(full, from + cost, std::memory_order_relaxed)) {
                return true;
            }
        }
    }

    /// All or nothing of several frames: whether they pass without owing anything; taken then.
    [[nodiscard]] bool take_all(uint64_t now_tsc, uint64_t bytes) noexcept {
        const uint64_t cost = duration(static_cast<double>(bytes) * 8);
        uint64_t full = full_tsc_.load(std::memory_order_relaxed);
        while (true) {
            const uint64_t after = std::max(full, now_tsc) + cost;
            if (after - now_tsc > burst_tsc_) return false;
            if (full_tsc_.compare_exchange_weak(full, after, std::memory_order_relaxed)) {
                return true;
            }
        }
    }

  private:
    /// How long so many bits take; a year or more is as good as for ever, and sums do not overflow.
    [[nodiscard]] uint64_t duration(double bits) const noexcept {
        return std::max<uint64_t>(static_cast<uint64_t>(std::min(bits * tsc_per_bit_, 1e17)), 1);
    }

    double tsc_per_bit_;  ///< 0: no limit
    uint64_t burst_tsc_;
    std::atomic<uint64_t> full_tsc_{0};
};

/// A port's, each way.
struct PortMeters {
    PortMeters(const Bandwidth& limits, uint64_t tsc_hz) noexcept
        : to_port(limits.ingress, tsc_hz), from_port(limits.egress, tsc_hz) {}

    RateMeter to_port, from_port;
};

/// A frame's bytes as the wire has them: of a frame of many segments, each one's headers count.
/// What a received frame's header says of that is believed as far as it goes: it is its sender's
/// own bucket that it fills.
[[nodiscard]] uint64_t wire_bytes(const rte_mbuf& frame) noexcept;

/// Takes out what the meter does not let pass at `now_tsc`: `frames` keeps the others in their
/// order, `refused` has room for all and gets those in theirs; how many stay.
[[nodiscard]] unsigned hold_to_limit(RateMeter& meter, uint64_t now_tsc, rte_mbuf** frames,
                                     unsigned count, rte_mbuf** refused) noexcept;

}  // namespace podlane::dataplane
