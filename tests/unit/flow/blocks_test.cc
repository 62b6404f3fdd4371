#include "lib/flow/blocks.h"

#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "tests/unit/flow/support.h"

namespace podlane {
namespace {

using namespace test;

template <class F>
class BlockPoolTest : public ::testing::Test {
  protected:
    /// All that a worker can get.
    static std::vector<Connection<F>*> drain(BlockPool<F>& pool, unsigned worker) {
        std::vector<Connection<F>*> blocks;
        while (Connection<F>* block = pool.allocate(worker)) blocks.push_back(block);
        return blocks;
    }

    QuiescentDomain domain_;
};
TYPED_TEST_SUITE(BlockPoolTest, Families, FamilyName);

TYPED_TEST(BlockPoolTest, OneWorkerGetsExactlyTheCapacity) {
    BlockPool<TypeParam> pool({}, 1000, 1);
    ASSERT_TRUE(pool.ok());
    EXPECT_EQ(pool.limit(), 0u);
    const auto blocks = this->drain(pool, 0);
    EXPECT_EQ(std::set<void*>(blocks.begin(), blocks.end()).size(), 1000u);
    EXPECT_EQ(pool.limit(), 1000u);
    EXPECT_EQ(pool.spare(), 0u);
    for (auto* block : blocks) {
        EXPECT_EQ(&pool.at(pool.index_of(*block)), block);
        EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % kCacheLine, 0u);
    }
}

TYPED_TEST(BlockPoolTest, SeveralWorkersHaveTheCapacityWhateverTheOthersHold) {
    BlockPool<TypeParam> pool({}, 1000, 4);
    for (unsigned worker = 1; worker < 4; ++worker) {
        auto* block = pool.allocate(worker);
        pool.give_back(worker, *block);
    }
    EXPECT_GE(this->drain(pool, 0).size(), 1000u);
}

TYPED_TEST(BlockPoolTest, ARetiredBlockComesBackAfterItsGracePeriodAlone) {
    BlockPool<TypeParam> pool({}, 1, 1);
    this->domain_.online(0);
    this->domain_.online(1);
    auto* block = pool.allocate(0);
    const auto uses = ConnectionState::generation_of(block->state.life);
    pool.retire(0, *block);
    for (int turn = 0; turn < 4; ++turn) {
        pool.reclaim(0, this->domain_);
        this->domain_.quiescent(0);
        EXPECT_EQ(pool.allocate(0), nullptr);
    }
    this->domain_.quiescent(1);
    pool.reclaim(0, this->domain_);
    ASSERT_EQ(pool.allocate(0), block);
    EXPECT_EQ(ConnectionState::generation_of(block->state.life), uses + 1);
    EXPECT_EQ(ConnectionState::life_of(block->state.life), Life::kInserting);
}

TYPED_TEST(BlockPoolTest, WhatOneWorkerRetiresAnotherCanHave) {
    BlockPool<TypeParam> pool({}, 1000, 2);
    const auto blocks = this->drain(pool, 0);
    EXPECT_EQ(pool.allocate(1), nullptr);
    for (auto* block : blocks) pool.retire(0, *block);
    EXPECT_EQ(pool.stash(0), blocks.size());
    for (int turn = 0; turn < 100; ++turn) pool.reclaim(0, this->domain_);
    EXPECT_GT(pool.spare(), 0u);
    // All but what the first worker keeps for itself.
    EXPECT_GE(this->drain(pool, 1).size() + 2 * pool.batch(), blocks.size());
}

TYPED_TEST(BlockPoolTest, NoBlockIsEverInTwoHands) {
    constexpr unsigned kThreads = 4;
    constexpr uint32_t kCapacity = 200;
    BlockPool<TypeParam> pool({}, kCapacity, kThreads);
    std::vector<std::atomic<int>> holder(pool.total());
    std::vector<std::thread> threads;
    for (unsigned worker = 0; worker < kThreads; ++worker) {
        threads.emplace_back([&, worker] {
            this->domain_.online(worker);
            std::mt19937 random(worker);
            std::vector<Connection<TypeParam>*> mine;
            for (int turn = 0; turn < 20000; ++turn) {
                // Phases of taking and of giving back, so that batches wander between workers.
                const bool take = (turn / 500 + static_cast<int>(worker)) % 2 == 0;
                if (take) {
                    if (auto* block = pool.allocate(worker)) {
                        EXPECT_EQ(holder[pool.index_of(*block)].exchange(1), 0);
                        block->state.created_s = worker;
                        mine.push_back(block);
                    }
                } else if (!mine.empty()) {
                    auto* block = mine.back();
                    mine.pop_back();
                    EXPECT_EQ(block->state.created_s, worker);
                    EXPECT_EQ(holder[pool.index_of(*block)].exchange(0), 1);
                    if (random() % 2 == 0) {
                        pool.retire(worker, *block);
                    } else {
                        pool.give_back(worker, *block);
                    }
                }
                pool.reclaim(worker, this->domain_);
                this->domain_.quiescent(worker);
                if (turn % 128 == 0) std::this_thread::yield();
            }
            this->domain_.offline(worker);
        });
    }
    for (std::thread& each : threads) each.join();
}

}  // namespace
}  // namespace podlane
