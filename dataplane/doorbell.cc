#include "dataplane/doorbell.h"

#include <unistd.h>

#include <cstdint>

namespace podlane::dataplane {

void Doorbell::arm() noexcept {
    sleeping.store(true, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_seq_cst);  // pairs with ring()
}

void Doorbell::ring() noexcept {
    std::atomic_thread_fence(std::memory_order_seq_cst);  // pairs with arm()
    if (sleeping.load(std::memory_order_relaxed) &&
        sleeping.exchange(false, std::memory_order_relaxed)) {
        const uint64_t one = 1;
        [[maybe_unused]] const ssize_t done = write(fd, &one, sizeof(one));
    }
}

void Doorbell::clear() noexcept {
    uint64_t count = 0;
    [[maybe_unused]] const ssize_t done = read(fd, &count, sizeof(count));
}

}  // namespace podlane::dataplane
