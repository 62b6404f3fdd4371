// Buckets of the flow table: seven slots in one cache line, and the comparison of tags in them.
//
// A slot is one 64-bit word: 31 bits of the key's hash, a bit that says "tentative", and the number
// of the entry. A reader compares all tags with a few vector instructions and touches an entry only
// if its tag matches. The eighth word tells whether a key that is not here can be in its second
// bucket. Nearly always it cannot, so a miss costs one line. claim.h describes how a slot is
// claimed.
#pragma once

#include <nmmintrin.h>

#include <atomic>
#include <cstdint>

#include "lib/base/bytes.h"

namespace podlane {

inline constexpr unsigned kBucketSlots = 7;

/// Seven slots, and the number of keys with this first bucket that are, or are about to be, in
/// their second one.
///
/// Threads: any; each slot is claimed, committed and cleared by compare-and-swap. A slot whose
/// content is committed does not change until its connection is removed, and an entry never moves,
/// so a reader never misses a key that is present.
struct alignas(kCacheLine) Bucket {
    std::atomic<uint64_t> slot[kBucketSlots];
    std::atomic<uint64_t> spilled;

    /// Whether a key with this first bucket can be in its second one.
    [[nodiscard]] bool has_spilled() const noexcept {
        // A key that was there before this load raised the number before it was published.
        return spilled.load(std::memory_order_acquire) != 0;
    }
};
static_assert(sizeof(Bucket) == kCacheLine);

/// What a slot's 64 bits mean. 0: empty.
namespace slot {
/// The claim is not committed yet: readers ignore it.
inline constexpr uint64_t kTentative = uint64_t{1} << 32;

/// The upper half of a committed slot for a key with this hash: 31 bits, never 0, above the
/// tentative bit.
[[nodiscard]] constexpr uint32_t mark_of_hash(uint64_t hash) noexcept {
    const auto mark = static_cast<uint32_t>(hash) << 1;
    return mark == 0 ? 2 : mark;
}
/// The word of a committed slot; entries are numbered as in BlockPool.
[[nodiscard]] constexpr uint64_t make(uint32_t mark, uint32_t entry_number) noexcept {
    return uint64_t{mark} << 32 | (entry_number + 1u);
}
[[nodiscard]] constexpr bool is_tentative(uint64_t word) noexcept {
    return (word & kTentative) != 0;
}
[[nodiscard]] constexpr uint32_t mark_of(uint64_t word) noexcept {
    return static_cast<uint32_t>((word & ~kTentative) >> 32);
}
/// The entry in a slot that is not empty.
[[nodiscard]] constexpr uint32_t entry_number(uint64_t word) noexcept {
    return static_cast<uint32_t>(word) - 1;
}
}  // namespace slot

/// The two buckets where a key may be. They differ. Positions 0..13 run through the first bucket,
/// then the second, in the same order for every thread with this key.
struct BucketPair {
    uint32_t first;
    uint32_t second;
};

/// The first bucket of a hash among `count` (2 .. 2^32-1): its upper half, scaled.
[[nodiscard]] constexpr uint32_t first_bucket(uint64_t hash, uint32_t count) noexcept {
    return static_cast<uint32_t>(((hash >> 32) * count) >> 32);
}

/// Both buckets; the second comes from all bits of the hash, so that keys with the same first
/// bucket spread.
[[nodiscard]] constexpr BucketPair bucket_pair(uint64_t hash, uint32_t count) noexcept {
    const uint32_t first = first_bucket(hash, count);
    const uint64_t other = (hash * 0xd6e8feb86659fd93u) >> 32;
    auto second = static_cast<uint32_t>((other * count) >> 32);
    if (second == first) second = second + 1 == count ? 0 : second + 1;
    return {first, second};
}

// The language does not call the vector loads below atomic, nor do they have to be: bytes of a
// committed slot are stable, so a present key is seen, and a match is only a hint, which the caller
// confirms with an atomic load of that slot. ThreadSanitizer cannot know this and gets the scalar
// form.
#if defined(__SANITIZE_THREAD__)
#define PODLANE_SCALAR_TAGS 1
#else
#define PODLANE_SCALAR_TAGS 0
#endif

/// Bit i is set if slot i is committed and has this mark. Plain loop.
[[nodiscard]] inline unsigned match_marks_scalar(const Bucket& bucket, uint32_t mark) noexcept {
    unsigned mask = 0;
    for (unsigned i = 0; i < kBucketSlots; ++i) {
        const uint64_t word = bucket.slot[i].load(std::memory_order_relaxed);
        mask |= static_cast<unsigned>(static_cast<uint32_t>(word >> 32) == mark) << i;
    }
    return mask;
}

/// The same with SSE, which every machine we run on has. Forms for AVX2 and AVX-512 were measured
/// and gained nothing in a burst, in cache or out of it, so there is one form and no dispatch.
[[nodiscard]] inline unsigned match_marks(const Bucket& bucket, uint32_t mark) noexcept {
#if PODLANE_SCALAR_TAGS
    return match_marks_scalar(bucket, mark);
#else
    // The compiler must not reuse an earlier look at the line.
    std::atomic_signal_fence(std::memory_order_acquire);
    const auto* lines = reinterpret_cast<const __m128*>(&bucket);
    const __m128i wanted = _mm_set1_epi32(static_cast<int>(mark));
    // `spilled` is compared as well: its upper half is 0, which is not a mark. Takes the upper
    // halves of two pairs of slots: lanes 1 and 3 of each.
    constexpr int kUpper = _MM_SHUFFLE(3, 1, 3, 1);
    const __m128i low = _mm_castps_si128(_mm_shuffle_ps(lines[0], lines[1], kUpper));
    const __m128i high = _mm_castps_si128(_mm_shuffle_ps(lines[2], lines[3], kUpper));
    const __m128i equal =
        _mm_packs_epi32(_mm_cmpeq_epi32(low, wanted), _mm_cmpeq_epi32(high, wanted));
    return static_cast<unsigned>(_mm_movemask_epi8(_mm_packs_epi16(equal, _mm_setzero_si128())));
#endif
}

}  // namespace podlane
