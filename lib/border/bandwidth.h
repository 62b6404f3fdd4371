// How much a pod's port may carry, each way.
//
// Control is asked for it with the port (CNI's `bandwidth`) and gives it to the dataplane with the
// port; the workers hold the port to it.
#pragma once

#include <cstdint>

namespace podlane {

/// One direction.
struct RateLimit {
    uint64_t bits_per_second = 0;  ///< 0: as much as comes
    uint64_t burst_bits = 0;       ///< at once, after a pause; half a second's at least

    friend bool operator==(const RateLimit&, const RateLimit&) = default;
};

/// In CNI's words, which are the pod's point of view.
struct Bandwidth {
    RateLimit ingress;  ///< to the pod
    RateLimit egress;   ///< from the pod

    friend bool operator==(const Bandwidth&, const Bandwidth&) = default;
    [[nodiscard]] bool is_limited() const noexcept {
        return ingress.bits_per_second != 0 || egress.bits_per_second != 0;
    }
};

}  // namespace podlane
