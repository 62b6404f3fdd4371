// Wakes a thread that sleeps in epoll, by an eventfd. Ringing costs a system call only when the
// thread sleeps.
//
// The sleeper arms the bell, looks for work once more and only then sleeps. A producer first puts
// the work where the sleeper looks and then rings. So each side stores, and then loads what the
// other side stores, with a full fence in between. Without the fences, on x86 as well, both sides
// may load before they see each other's store, and the work would wait for the next ring.
#pragma once

#include <atomic>

#include "lib/base/bytes.h"

namespace podlane::dataplane {

/// Threads: arm(), disarm() and clear() by the sleeper, ring() by any thread.
struct alignas(kCacheLine) Doorbell {
    int fd = -1;
    std::atomic<bool> sleeping{false};

    /// Call before the last look for work: work that comes later rings.
    void arm() noexcept;
    /// Call when awake: no ring is needed from here on.
    void disarm() noexcept { sleeping.store(false, std::memory_order_relaxed); }
    /// Call after putting the work where the sleeper looks.
    void ring() noexcept;
    /// Reads the pending wake-ups off the eventfd.
    void clear() noexcept;
};

}  // namespace podlane::dataplane
