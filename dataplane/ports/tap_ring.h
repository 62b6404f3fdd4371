// Many reads or writes of TAPs in one system call: by io_uring if the kernel offers it, by separate
// calls otherwise.
//
// Descriptors are non-blocking, so each operation ends within the call. Threads: one worker; made
// by control.
#pragma once

#include <sys/uio.h>

#include <array>
#include <cstdint>
#include <memory>
#include <span>

struct io_uring;

namespace podlane::dataplane {

/// Enables a ring that was made with IORING_SETUP_R_DISABLED, for reading and writing alone: no
/// filter of system calls sees what goes by a ring. False where the kernel cannot; then it stays
/// off.
[[nodiscard]] bool enable_for_reads_and_writes(io_uring& ring) noexcept;

class TapRing {
  public:
    /// The most operations in one call.
    static constexpr unsigned kMost = 64;

    /// `use_io_uring`: false for separate calls.
    explicit TapRing(bool use_io_uring = true);
    ~TapRing();
    TapRing(const TapRing&) = delete;
    TapRing& operator=(const TapRing&) = delete;

    /// Adds an operation for the next run(): at most kMost, all reads or all writes. `parts` must
    /// last until then.
    void read(int fd, std::span<const iovec> parts) noexcept { add(fd, parts, false); }
    void write(int fd, std::span<const iovec> parts) noexcept { add(fd, parts, true); }
    /// Runs the operations in order. Returns for each the bytes, or -errno; valid until the next
    /// add.
    [[nodiscard]] std::span<const int32_t> run() noexcept;

  private:
    struct Operation {
        int fd;
        bool is_write;
        std::span<const iovec> parts;
    };

    void add(int fd, std::span<const iovec> parts, bool is_write) noexcept {
        waiting_[count_++] = {fd, is_write, parts};
    }
    /// False: io_uring cannot do it here, and nothing was done.
    [[nodiscard]] bool submit(std::span<const Operation> all) noexcept;
    void call(std::span<const Operation> all) noexcept;
    /// Whether reads of an empty queue return at once, which the rest relies on.
    [[nodiscard]] bool ends_at_once() noexcept;

    std::unique_ptr<io_uring> ring_;  ///< null: separate calls
    unsigned count_ = 0;
    std::array<Operation, kMost> waiting_;
    std::array<int32_t, kMost> results_{};
};

}  // namespace podlane::dataplane
