// How one receive queue wakes the worker that sleeps on it, and how a missing wake-up is detected.
//
// Some devices promise an interrupt that never comes (e1000 and e1000e under vfio), others have a
// descriptor that must be read differently (UIO). The worker is told, and polls instead.
//
// Threads: the worker of the queue; is_kept() any thread.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace podlane {

enum class WakeKind : uint8_t {
    kNone,
    kInterrupt,     ///< an event descriptor that must be enabled and read
    kBell,          ///< an event descriptor that needs no enabling
    kData,          ///< the driver's own data descriptor, readable while frames wait
    kPacketSocket,  ///< our own packet socket on the same kernel interface
};

class QueueWake {
  public:
    using ReadCall = ssize_t (*)(int fd, void* out, size_t bytes);

    QueueWake() = default;
    /// Sets the descriptor `fd`, which the caller still owns; `read` is read(2) except in tests.
    void set(WakeKind kind, int fd, ReadCall read) noexcept;

    [[nodiscard]] WakeKind kind() const noexcept { return kind_; }
    [[nodiscard]] int fd() const noexcept { return fd_; }
    /// False once the promise was found broken.
    [[nodiscard]] bool is_kept() const noexcept { return kept_.load(std::memory_order_relaxed); }

    /// Call before a sleep; what the caller has enabled rings from here on.
    void arm() noexcept;
    /// Call after a sleep and the first look for frames: checks the promise, and reads the events
    /// so that the next sleep is one. Returns false once: if frames were found that nothing rang
    /// for, or if the descriptor can no longer be read and would wake the worker forever.
    [[nodiscard]] bool disarm(bool found) noexcept;
    /// For a device that refuses to be armed: the promise does not hold.
    void give_up() noexcept { kept_.store(false, std::memory_order_relaxed); }

  private:
    [[nodiscard]] bool rang() const noexcept;
    [[nodiscard]] bool take() noexcept;

    int fd_ = -1;
    WakeKind kind_ = WakeKind::kNone;
    bool armed_ = false;
    uint8_t read_bytes_ = 8;  ///< an eventfd's count; 4 once a UIO device has said so
    std::atomic<bool> kept_{true};
    ReadCall read_ = nullptr;
};

}  // namespace podlane
