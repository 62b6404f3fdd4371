// How one receive queue wakes the worker that sleeps on it, and how it is found out that it does
// not.
//
// Some devices take an interrupt for granted that never comes (e1000 and e1000e under vfio), others
// have a descriptor that is read in another way than the rest (UIO). The worker is told, and polls.
//
// Threads: the worker of the queue; is_kept() by anybody.
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
    /// Sleeps on `fd`, which stays the caller's; `read` is read(2) but in tests.
    void set(WakeKind kind, int fd, ReadCall read) noexcept;

    [[nodiscard]] WakeKind kind() const noexcept { return kind_; }
    [[nodiscard]] int fd() const noexcept { return fd_; }
    /// False from when the promise was found broken.
    [[nodiscard]] bool is_kept() const noexcept { return kept_.load(std::memory_order_relaxed); }

    /// Before a sleep; what the caller has enabled rings from here on.
    void arm() noexcept;
    /// After a sleep and the first look for frames: judges, and takes what rang, so that the next
    /// sleep is one. False once: when frames were found that nothing rang for, or when the
    /// descriptor can be read no more and would wake without end.
    [[nodiscard]] bool disarm(bool found) noexcept;
    /// The promise does not hold: the device refuses to be armed.
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
