// How a slot is claimed for a key, so that of any number of workers at most one succeeds.
//
// Called by FlowTable::insert(). It is a template over the slots' memory, so that a test can run
// the same code through every interleaving of its memory accesses.
//
// Protocol, for a key with positions 0..13 (two buckets, same order for every thread):
//   1. The entry is filled. Look for the key: committed already, nothing to do.
//   2. Publish: an empty slot goes from 0 to {tag, TENTATIVE, entry}. If it is one of the second
//      bucket, the first bucket's `spilled` is raised before, and lowered when the slot is given
//      up.
//   3. Scan the first bucket, and the second one if `spilled` of the first is not 0. Of others with
//      the same key:
//        committed            -> withdraw (own slot to 0): it has won
//        tentative and higher -> kill it (its slot to 0); if it was committed meanwhile, it has won
//        tentative and lower  -> withdraw: busy
//   4. Commit: own slot from TENTATIVE to committed. If it fails, we were killed: busy.
//
// Two entries of one key are never committed at the same time. Take two claims A and B that both
// commit, and let A be the one that published first (step 2) in the single order of the seq_cst
// accesses. B's scan comes after B's publishing; if A stands in the second bucket, A had raised
// `spilled` before, so that B looks there. B finds A's slot occupied by A: tentative or committed
// (A's slot leaves A's hands only when A withdraws or is killed - but A commits - or when A's
// connection is removed, and then the two are not present together). Committed: B withdraws.
// Tentative and lower than B: B withdraws. Tentative and higher: B kills it, and A does not commit;
// or that fails because A has committed, and B withdraws. In each case one of them does not commit,
// against the assumption.
//
// A killed or withdrawn word cannot be mistaken for a later one: a word names its entry, and an
// entry that was published is reused for another key only after a grace period, while claimants
// hold no word beyond their own turn. Reuse for the same key is harmless: at worst that claim is
// killed too.
//
// No claimant waits for another: each step either succeeds, or fails because another claimant's
// step did. If several claims meet, chance decides which one survives, and it can be none; the
// caller tries again.
#pragma once

#include <concepts>
#include <cstdint>

#include "lib/flow/bucket.h"

namespace podlane {

inline constexpr unsigned kClaimPositions = 2 * kBucketSlots;

enum class Claim : uint8_t {
    kCommitted,  ///< the entry is in the table
    kExists,     ///< `word` is the committed slot of the same key
    kBusy,       ///< met another claim for this key: look up, try again
    kFull,       ///< both buckets are full
};

struct ClaimResult {
    Claim outcome;
    bool published;  ///< the entry was visible: it needs a grace period before it can be reused
    uint64_t word;   ///< with kExists
};

/// The memory that claim_slot() works on. All accesses are sequentially consistent. A failed cas()
/// writes what it found to `expected`. spill() raises and unspill() lowers the first bucket's
/// `spilled`. same_key() compares the entry that a word names with ours.
template <class T>
concept ClaimSlots = requires(T slots, unsigned position, uint64_t word) {
    { slots.load(position) } -> std::same_as<uint64_t>;
    { slots.cas(position, word, word) } -> std::same_as<bool>;
    { slots.has_spilled() } -> std::same_as<bool>;
    slots.spill();
    slots.unspill();
    { slots.same_key(word) } -> std::same_as<bool>;
};

/// Where a new entry goes: to the first bucket until that holds six of seven, then to the emptier
/// one. In a full table four entries in a hundred are in their second bucket, eight buckets in a
/// hundred have spilled, and both buckets are full once in four million times (simulated with 2.67
/// entries a bucket and random removal and insertion).
inline constexpr unsigned kSpillAt = 6;

/// Claims a slot for `committed`, the word of a filled entry.
template <ClaimSlots Slots>
[[nodiscard]] ClaimResult claim_slot(Slots& slots, uint64_t committed) {
    const uint64_t tentative = committed | slot::kTentative;
    const uint32_t mark = slot::mark_of(committed);
    const auto is_ours = [&](uint64_t word) {
        return word != 0 && slot::mark_of(word) == mark && slots.same_key(word);
    };

    unsigned own = kClaimPositions;
    for (;;) {
        unsigned used[2] = {0, 0};
        unsigned empty[2] = {kClaimPositions, kClaimPositions};
        for (unsigned p = 0; p < kClaimPositions; ++p) {
            // Nothing of ours is in the second bucket, and nothing has to be: its line is not
            // touched.
            if (p == kBucketSlots && used[0] < kSpillAt && !slots.has_spilled()) break;
            const unsigned bucket = p < kBucketSlots ? 0 : 1;
            const uint64_t word = slots.load(p);
            if (word == 0) {
                if (empty[bucket] == kClaimPositions) empty[bucket] = p;
                continue;
            }
            ++used[bucket];
            if (!slot::is_tentative(word) && is_ours(word)) return {Claim::kExists, false, word};
        }
        own = used[0] >= kSpillAt && used[1] < used[0] ? empty[1] : empty[0];
        if (own == kClaimPositions) return {Claim::kFull, false, 0};
        const bool spills = own >= kBucketSlots;
        if (spills) slots.spill();
        uint64_t expected = 0;
        if (slots.cas(own, expected, tentative)) break;
        // Another claim took that slot: look again.
        if (spills) slots.unspill();
    }

    const auto withdraw = [&] {
        uint64_t expected = tentative;
        (void)slots.cas(own, expected, 0);  // fails when we were killed, which is as good
        if (own >= kBucketSlots) slots.unspill();
    };
    for (unsigned p = 0; p < kClaimPositions; ++p) {
        if (p == kBucketSlots && !slots.has_spilled()) break;
        if (p == own) continue;
        uint64_t word = slots.load(p);
        while (is_ours(word)) {
            if (!slot::is_tentative(word)) {
                withdraw();
                return {Claim::kExists, true, word};
            }
            if (p < own) {
                withdraw();
                return {Claim::kBusy, true, 0};
            }
            if (slots.cas(p, word, 0)) break;  // else `word` is what stands there now
        }
    }
    uint64_t expected = tentative;
    if (slots.cas(own, expected, committed)) return {Claim::kCommitted, true, 0};
    withdraw();
    return {Claim::kBusy, true, 0};
}

}  // namespace podlane
