// Records of different lengths from one worker to control, in a ring of bytes.
//
// A worker appends the records of a burst and commits them together, so that what is learnt about a
// packet later can still be written into its record. A record that finds the ring full is not
// taken.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

#include "lib/base/bytes.h"

namespace podlane::dataplane {

/// Threads: append(), at() and commit() by the worker, take() by control.
template <class Header>
class RecordRing {
  public:
    /// `bytes`: a power of two.
    explicit RecordRing(size_t bytes) : mask_(bytes - 1), bytes_(new uint8_t[bytes]()) {}

    /// Room for a header and `data_bytes` behind it, or null. Not visible before commit().
    [[nodiscard]] Header* append(size_t data_bytes) noexcept {
        const size_t need = kLengthBytes + round_up(sizeof(Header) + data_bytes);
        const size_t at = head_ & mask_;
        const size_t to_end = mask_ + 1 - at;
        // A record lies in one piece; the rest at the ring's end is skipped.
        const size_t skipped = to_end < need ? to_end : 0;
        // Pairs with the release in take().
        const size_t free = mask_ + 1 - (head_ - tail_.load(std::memory_order_acquire));
        if (free < skipped + need) return nullptr;
        if (skipped > 0) store_length(at, kPassOver);
        head_ += skipped;
        store_length(head_ & mask_, sizeof(Header) + data_bytes);
        auto* const header = reinterpret_cast<Header*>(&bytes_[(head_ & mask_) + kLengthBytes]);
        head_ += need;
        return header;
    }
    /// Makes the appended records visible to take().
    void commit() noexcept { committed_.store(head_, std::memory_order_release); }

    /// Calls `visit(const Header&, const uint8_t* data, size_t data_bytes)` for each record, up to
    /// about `most_bytes`.
    template <class Visit>
    void take(size_t most_bytes, Visit visit) {
        size_t tail = tail_.load(std::memory_order_relaxed);
        // Pairs with commit().
        const size_t end = committed_.load(std::memory_order_acquire);
        const size_t first = tail;
        while (tail != end && tail - first < most_bytes) {
            const size_t at = tail & mask_;
            const uint64_t length = load_length(at);
            if (length == kPassOver) {
                tail += mask_ + 1 - at;
                continue;
            }
            const uint8_t* const record = &bytes_[at + kLengthBytes];
            visit(*reinterpret_cast<const Header*>(record), record + sizeof(Header),
                  static_cast<size_t>(length) - sizeof(Header));
            tail += kLengthBytes + round_up(static_cast<size_t>(length));
        }
        tail_.store(tail, std::memory_order_release);
    }

  private:
    static constexpr size_t kLengthBytes = 8;
    static constexpr uint64_t kPassOver = 0;
    static constexpr size_t round_up(size_t bytes) noexcept { return (bytes + 7) & ~size_t{7}; }
    static_assert(alignof(Header) <= 8);

    void store_length(size_t at, uint64_t length) noexcept {
        std::memcpy(&bytes_[at], &length, sizeof(length));
    }
    [[nodiscard]] uint64_t load_length(size_t at) const noexcept {
        uint64_t length = 0;
        std::memcpy(&length, &bytes_[at], sizeof(length));
        return length;
    }

    const size_t mask_;
    const std::unique_ptr<uint8_t[]> bytes_;
    alignas(kCacheLine) size_t head_ = 0;  ///< the worker's own
    std::atomic<size_t> committed_{0};
    alignas(kCacheLine) std::atomic<size_t> tail_{0};
};

}  // namespace podlane::dataplane
