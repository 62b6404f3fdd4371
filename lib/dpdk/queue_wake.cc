#include "lib/dpdk/queue_wake.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "lib/dpdk/wake_socket.h"

namespace podlane {

namespace {

/// An interrupt may come later than its frame, by less than this: devices delay interrupts to send
/// fewer.
constexpr int kLateMs = 2;
/// How many bytes a read of the kernel's UIO must ask for, exactly
/// (Documentation/driver-api/uio-howto.rst).
constexpr uint8_t kUioBytes = 4;

}  // namespace

void QueueWake::set(WakeKind kind, int fd, ReadCall read) noexcept {
    kind_ = kind;
    fd_ = fd;
    read_ = read;
    // A UIO device's descriptor comes in blocking mode, and the EAL may read the event before we
    // do.
    if (kind == WakeKind::kInterrupt || kind == WakeKind::kBell) {
        static_cast<void>(::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK));
    }
}

void QueueWake::arm() noexcept {
    armed_ = true;
    if (kind_ == WakeKind::kPacketSocket) clear_doorbell(fd_);
}

bool QueueWake::rang() const noexcept {
    pollfd entry{.fd = fd_, .events = POLLIN, .revents = 0};
    return ::poll(&entry, 1, kLateMs) == 1;
}

bool QueueWake::take() noexcept {
    std::array<std::byte, 8> count;
    ssize_t got = read_(fd_, count.data(), read_bytes_);
    if (got < 0 && errno == EINVAL && read_bytes_ != kUioBytes) {
        read_bytes_ = kUioBytes;
        got = read_(fd_, count.data(), read_bytes_);
    }
    return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

bool QueueWake::disarm(bool found) noexcept {
    if (kind_ != WakeKind::kInterrupt && kind_ != WakeKind::kBell) return true;
    const bool was_armed = armed_;
    armed_ = false;
    if (!is_kept()) return true;
    const bool broken = (was_armed && found && !rang()) || !take();
    if (broken) give_up();
    return !broken;
}

}  // namespace podlane
