#include "dataplane/ports/tap_ring.h"

#include <liburing.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cassert>
#include <cerrno>

namespace podlane::dataplane {

bool enable_for_reads_and_writes(io_uring& ring) noexcept {
    std::array<io_uring_restriction, 2> allowed{};
    for (io_uring_restriction& each : allowed) each.opcode = IORING_RESTRICTION_SQE_OP;
    allowed[0].sqe_op = IORING_OP_READV;
    allowed[1].sqe_op = IORING_OP_WRITEV;
    // Debian's liburing declares functions for both and has neither.
    const auto tell = [&ring](unsigned what, const void* given, size_t count) {
        return ::syscall(SYS_io_uring_register, ring.ring_fd, what, given, count) == 0;
    };
    return tell(IORING_REGISTER_RESTRICTIONS, allowed.data(), allowed.size()) &&
           tell(IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
}

TapRing::TapRing(bool use_io_uring) {
    if (!use_io_uring) return;
    // An old kernel, kernel.io_uring_disabled or a container's filter may refuse it.
    auto ring = std::make_unique<io_uring>();
    if (io_uring_queue_init(kMost, ring.get(), IORING_SETUP_R_DISABLED) != 0) return;
    ring_ = std::move(ring);
    if (enable_for_reads_and_writes(*ring_) && ends_at_once()) return;
    io_uring_queue_exit(ring_.get());
    ring_.reset();
}

TapRing::~TapRing() {
    if (ring_) io_uring_queue_exit(ring_.get());
}

bool TapRing::ends_at_once() noexcept {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) return false;
    char byte;
    const iovec part{&byte, 1};
    read(ends[0], {&part, 1});
    const int32_t result = run()[0];
    close(ends[0]);
    close(ends[1]);
    return result == -EAGAIN;
}

std::span<const int32_t> TapRing::run() noexcept {
    const std::span<const Operation> all(waiting_.data(), count_);
    count_ = 0;
    // A ring costs more than one plain call, and less than two.
    if (!ring_ || (all.size() == 1 && all[0].is_write)) {
        call(all);
    } else if (!submit(all)) {
        io_uring_queue_exit(ring_.get());
        ring_.reset();
        call(all);
    }
    return {results_.data(), all.size()};
}

bool TapRing::submit(std::span<const Operation> all) noexcept {
    for (size_t i = 0; i < all.size(); ++i) {
        const Operation& each = all[i];
        io_uring_sqe* const entry = io_uring_get_sqe(ring_.get());
        assert(entry != nullptr);
        const auto parts = static_cast<unsigned>(each.parts.size());
        if (each.is_write) {
            io_uring_prep_writev(entry, each.fd, each.parts.data(), parts, 0);
        } else {
            io_uring_prep_readv(entry, each.fd, each.parts.data(), parts, 0);
        }
        // With O_NONBLOCK alone, the ring would wait for a file that can say "not now".
        entry->rw_flags = RWF_NOWAIT;
        entry->user_data = i;
    }
    const auto count = static_cast<unsigned>(all.size());
    // The buffers belong to the kernel until all operations have ended.
    for (unsigned ended = 0; ended < count;) {
        const int submitted = io_uring_submit_and_wait(ring_.get(), count - ended);
        if (submitted < 0 && submitted != -EINTR && submitted != -EAGAIN && submitted != -EBUSY) {
            return false;
        }
        io_uring_cqe* completion = nullptr;
        while (io_uring_peek_cqe(ring_.get(), &completion) == 0) {
            results_[completion->user_data] = completion->res;
            io_uring_cqe_seen(ring_.get(), completion);
            ++ended;
        }
    }
    // TAPs of kernels before 6.4 cannot say "not now": then nothing has been done.
    return results_[0] != -EOPNOTSUPP;
}

void TapRing::call(std::span<const Operation> all) noexcept {
    bool empty = false;  // later reads would find nothing either
    for (size_t i = 0; i < all.size(); ++i) {
        const Operation& each = all[i];
        const auto parts = static_cast<int>(each.parts.size());
        ssize_t done = -EAGAIN;
        while (!empty) {
            done = each.is_write ? writev(each.fd, each.parts.data(), parts)
                                 : readv(each.fd, each.parts.data(), parts);
            if (done >= 0) break;
            done = -errno;
            if (done != -EINTR) break;
        }
        empty = empty || (!each.is_write && done == -EAGAIN);
        results_[i] = static_cast<int32_t>(done);
    }
}

}  // namespace podlane::dataplane
