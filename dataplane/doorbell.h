// Wakes a thread that sleeps in epoll on an eventfd: costs a system call only when it does.
//
// The sleeper arms the bell, looks for work once more and only then sleeps; whoever brings work
// puts it where the sleeper looks and then rings. Each so stores and then loads what the other one
// stores, and each has a full fence in between: without them, on x86 as well, both may look before
// they can see each other's store, and the work waits for the next ring.
#pragma once

#include <atomic>

#include "lib/base/bytes.h"

namespace podlane::dataplane {

/// Threads: arm(), disarm() and clear() by the sleeper, ring() by anybody.
struct alignas(kCacheLine) Doorbell {
    int fd = -1;
    std::atomic<bool> sleeping{false};

    /// Before the last look for work: what comes after it rings.
    void arm() noexcept;
    /// Awake: nobody need ring.
    void disarm() noexcept { sleeping.store(false, std::memory_order_relaxed); }
    /// After the work was put where the sleeper looks.
    void ring() noexcept;
    /// Takes the wake-ups that came in.
    void clear() noexcept;
};

}  // namespace podlane::dataplane
