// Every interleaving of the slot protocol's memory accesses, on the very code that the table runs.
//
// An access is one step. Each claimant's code is run from its beginning with the results of its
// earlier accesses, performs one more and is stopped by an exception. So no threads are needed, a
// state of the whole is {slots, each claimant's results so far}, and no state is explored twice.

#include "lib/flow/claim.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>
#include <tuple>
#include <vector>

namespace podlane {
namespace {

constexpr uint32_t kMark = 0x1234 << 1;
constexpr uint64_t kForeign = slot::make(0x7777 << 1, 900);
constexpr uint32_t kOtherKey = 800;  // an entry with our mark and another key

/// The two buckets' slots, and the number of keys that the first one has spilled.
struct Memory {
    std::array<uint64_t, kClaimPositions> slot;
    uint64_t spilled = 0;

    friend auto operator<=>(const Memory&, const Memory&) = default;
};

/// The result of each access: a load's value, or what a compare-and-swap found.
using Results = std::vector<uint64_t>;

struct Stopped {};

class ModelSlots {
  public:
    ModelSlots(Memory& memory, Results& results) : memory_(memory), results_(results) {}

    uint64_t load(unsigned position) {
        // Slots of other keys never change here: reading one is not a step.
        const uint64_t word = memory_.slot[position];
        if (word >= kForeign && word < kForeign + kClaimPositions) return word;
        return step([&] { return word; });
    }
    bool cas(unsigned position, uint64_t& expected, uint64_t desired) {
        const uint64_t found = step([&] {
            const uint64_t was = memory_.slot[position];
            if (was == expected) memory_.slot[position] = desired;
            return was;
        });
        if (found == expected) return true;
        expected = found;
        return false;
    }
    bool has_spilled() {
        return step([&] { return memory_.spilled; }) != 0;
    }
    void spill() {
        step([&] { return memory_.spilled++; });
    }
    void unspill() {
        step([&] { return memory_.spilled--; });
    }
    static bool same_key(uint64_t word) { return slot::entry_number(word) < kOtherKey; }

  private:
    template <class Access>
    uint64_t step(Access&& access) {
        if (at_ < results_.size()) return results_[at_++];
        if (stepped_) throw Stopped{};
        stepped_ = true;
        ++at_;
        results_.push_back(access());
        return results_.back();
    }

    Memory& memory_;
    Results& results_;
    size_t at_ = 0;
    bool stepped_ = false;
};

struct State {
    Memory memory;
    std::vector<Results> results;
    std::vector<int> outcome;  // of each claimant; -1: still running

    friend auto operator<=>(const State&, const State&) = default;
};

uint64_t word_of(uint32_t claimant) {
    return slot::make(kMark, claimant);
}

bool is_committed(uint64_t word) {
    return word != 0 && !slot::is_tentative(word) && slot::mark_of(word) == kMark &&
           ModelSlots::same_key(word);
}

/// What must hold between any two accesses, for every observer.
void check_state(const Memory& memory) {
    EXPECT_LE(std::count_if(memory.slot.begin(), memory.slot.end(), is_committed), 1);
    const auto* second = memory.slot.begin() + kBucketSlots;
    if (std::any_of(second, memory.slot.end(), is_committed)) {
        EXPECT_GT(memory.spilled, 0u) << "a reader would not look in the second bucket";
    }
}

/// Runs all interleavings from `memory`. `removes`: the claimant that committed may remove its
/// entry again, at any time, as ageing does.
class Explorer {
  public:
    Explorer(const Memory& memory, unsigned claimants, bool removes) : removes_(removes) {
        visit({memory, std::vector<Results>(claimants), std::vector<int>(claimants, -1)});
        while (!open_.empty()) {
            const State state = open_.back();
            open_.pop_back();
            expand(state);
        }
    }

    std::set<std::vector<int>> ends;  ///< the outcomes with which a run can end
    size_t states() const { return seen_.size(); }

  private:
    static constexpr int kRemoved = 100;

    void visit(State state) {
        check_state(state.memory);
        if (seen_.insert(state).second) open_.push_back(std::move(state));
    }

    void expand(const State& state) {
        bool ended = true;
        for (uint32_t i = 0; i < state.results.size(); ++i) {
            if (state.outcome[i] == static_cast<int>(Claim::kCommitted) && removes_) {
                State next = state;
                remove(next.memory, word_of(i));
                next.outcome[i] = kRemoved;
                visit(std::move(next));
            }
            if (state.outcome[i] != -1) continue;
            ended = false;
            State next = state;
            ModelSlots slots(next.memory, next.results[i]);
            try {
                const ClaimResult result = claim_slot(slots, word_of(i));
                next.outcome[i] = static_cast<int>(result.outcome);
                next.results[i].clear();
                check_end(next, i, result);
            } catch (const Stopped&) {
            }
            visit(std::move(next));
        }
        if (ended) {
            ends.insert(state.outcome);
            for (const uint64_t word : state.memory.slot) {
                EXPECT_FALSE(word != 0 && slot::is_tentative(word)) << "left behind";
            }
            EXPECT_EQ(state.memory.spilled, std::count_if(state.memory.slot.begin() + kBucketSlots,
                                                          state.memory.slot.end(), is_committed));
        }
    }

    /// As FlowTable does it, except that it lowers the number a step later: readers look once too
    /// often.
    static void remove(Memory& memory, uint64_t word) {
        auto* const at = std::find(memory.slot.begin(), memory.slot.end(), word);
        if (at >= memory.slot.begin() + kBucketSlots) --memory.spilled;
        *at = 0;
    }

    void check_end(const State& state, uint32_t claimant, const ClaimResult& result) {
        const auto holds = [&](uint64_t word) {
            return std::count(state.memory.slot.begin(), state.memory.slot.end(), word) == 1;
        };
        if (result.outcome == Claim::kCommitted) {
            EXPECT_TRUE(holds(word_of(claimant)));
        } else {
            EXPECT_FALSE(holds(word_of(claimant)));
            EXPECT_FALSE(holds(word_of(claimant) | slot::kTentative));
        }
        if (result.outcome == Claim::kExists) {
            EXPECT_TRUE(ModelSlots::same_key(result.word));
            EXPECT_FALSE(slot::is_tentative(result.word));
        }
    }

    bool removes_;
    std::set<State> seen_;
    std::vector<State> open_;
};

/// All slots are taken by other keys, except those at `empty`.
Memory memory_with_empty(std::initializer_list<unsigned> empty) {
    Memory memory{};
    for (unsigned p = 0; p < kClaimPositions; ++p) memory.slot[p] = kForeign + p;
    for (const unsigned p : empty) memory.slot[p] = 0;
    return memory;
}

constexpr int kWon = static_cast<int>(Claim::kCommitted);

TEST(ClaimModel, OfTwoClaimsAtMostOneIsEverCommitted) {
    const Explorer explorer(memory_with_empty({0, 1, 2}), 2, false);
    EXPECT_GT(explorer.states(), 100u);
    for (const auto& end : explorer.ends) EXPECT_LE(std::count(end.begin(), end.end(), kWon), 1);
    // Either can win, and both can be busy only if they collided.
    const int exists = static_cast<int>(Claim::kExists);
    EXPECT_TRUE(explorer.ends.count({kWon, exists}));
    EXPECT_TRUE(explorer.ends.count({exists, kWon}));
}

TEST(ClaimModel, TwoClaimsAcrossTheBucketsBorderAreNoExceptions) {
    const Explorer explorer(memory_with_empty({6, 7, 8}), 2, false);
    for (const auto& end : explorer.ends) EXPECT_LE(std::count(end.begin(), end.end(), kWon), 1);
}

TEST(ClaimModel, OfTwoClaimsThatMeetInOneBucketOneSurvives) {
    const Explorer explorer(memory_with_empty({0, 1}), 2, false);
    for (const auto& end : explorer.ends) EXPECT_EQ(std::count(end.begin(), end.end(), kWon), 1);
}

TEST(ClaimModel, OfThreeClaimsAtMostOneIsEverCommitted) {
    const Explorer explorer(memory_with_empty({6, 12, 13}), 3, false);
    for (const auto& end : explorer.ends) EXPECT_LE(std::count(end.begin(), end.end(), kWon), 1);
    EXPECT_GT(explorer.states(), 1000u);
}

TEST(ClaimModel, RemovalByAgeingLetsALaterClaimInButNeverTwoAtOnce) {
    const Explorer two(memory_with_empty({3, 9}), 2, true);
    EXPECT_GT(two.states(), 100u);
    // With two free slots for three, the third may also find the table full.
    const Explorer three(memory_with_empty({3, 9}), 3, true);
    EXPECT_GT(three.states(), 1000u);
}

TEST(ClaimModel, ACommittedEntryOfTheKeyIsFoundAndNothingIsPublished) {
    Memory memory = memory_with_empty({0});
    memory.slot[9] = slot::make(kMark, 5);
    memory.spilled = 1;
    Results results;
    ClaimResult result{};
    for (;;) {
        ModelSlots slots(memory, results);
        try {
            result = claim_slot(slots, word_of(0));
            break;
        } catch (const Stopped&) {
        }
    }
    EXPECT_EQ(result.outcome, Claim::kExists);
    EXPECT_EQ(result.word, slot::make(kMark, 5));
    EXPECT_FALSE(result.published);
    EXPECT_EQ(memory.slot[0], 0u);
}

/// Slots without a second claimant.
struct PlainSlots {
    std::array<uint64_t, kClaimPositions> memory{};
    unsigned spilled = 0;
    unsigned looks_at_second = 0;

    uint64_t load(unsigned p) {
        looks_at_second += p >= kBucketSlots;
        return memory[p];
    }
    bool has_spilled() const { return spilled != 0; }
    void spill() { ++spilled; }
    void unspill() { --spilled; }
    bool cas(unsigned p, uint64_t& expected, uint64_t desired) {
        if (memory[p] != expected) {
            expected = memory[p];
            return false;
        }
        memory[p] = desired;
        return true;
    }
    static bool same_key(uint64_t word) { return slot::entry_number(word) < kOtherKey; }
};

TEST(Claim, AnotherKeyWithTheSameTagIsNoObstacle) {
    PlainSlots slots;
    slots.memory[0] = slot::make(kMark, kOtherKey);
    slots.memory[1] = slot::make(kMark, kOtherKey + 1) | slot::kTentative;
    EXPECT_EQ(claim_slot(slots, word_of(1)).outcome, Claim::kCommitted);
    EXPECT_EQ(slots.memory[2], word_of(1));
}

TEST(Claim, TheFirstBucketFillsToSixThenTheEmptierOneIsTaken) {
    PlainSlots slots;
    for (unsigned p = 0; p < 5; ++p) slots.memory[p] = kForeign;
    ASSERT_EQ(claim_slot(slots, slot::make(kMark, 801)).outcome, Claim::kCommitted);
    EXPECT_NE(slots.memory[5], 0u);
    EXPECT_EQ(slots.looks_at_second, 0u) << "nothing has spilled";
    EXPECT_EQ(slots.spilled, 0u);
    ASSERT_EQ(claim_slot(slots, slot::make(kMark, 802)).outcome, Claim::kCommitted);
    EXPECT_EQ(slots.memory[6], 0u);
    EXPECT_NE(slots.memory[7], 0u);
    EXPECT_EQ(slots.spilled, 1u);
}

TEST(Claim, OnceSpilledTheSecondBucketIsAskedForTheKey) {
    PlainSlots slots;
    slots.memory[8] = slot::make(kMark, 5);
    slots.spilled = 1;
    const ClaimResult result = claim_slot(slots, word_of(1));
    EXPECT_EQ(result.outcome, Claim::kExists);
    EXPECT_EQ(result.word, slot::make(kMark, 5));
}

TEST(Claim, FullBucketsAreReported) {
    PlainSlots slots;
    slots.memory.fill(kForeign);
    const ClaimResult result = claim_slot(slots, word_of(1));
    EXPECT_EQ(result.outcome, Claim::kFull);
    EXPECT_FALSE(result.published);
    slots.memory[7] = 0;
    EXPECT_EQ(claim_slot(slots, word_of(1)).outcome, Claim::kCommitted);
    EXPECT_EQ(slots.memory[7], word_of(1));
    EXPECT_EQ(slots.spilled, 1u);
}

}  // namespace
}  // namespace podlane
