// Many threads on few keys, for ThreadSanitizer. Without it, only the checks run.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <functional>
#include <random>
#include <thread>
#include <vector>

#include "lib/flow/table.h"
#include "tests/unit/flow/support.h"

namespace podlane {
namespace {

using namespace test;

constexpr unsigned kThreads = 4;

/// Runs `work(worker)` on kThreads threads that are online in `domain`.
void run_workers(QuiescentDomain& domain, const std::function<void(unsigned)>& work) {
    std::vector<std::thread> threads;
    for (unsigned id = 0; id < kThreads; ++id) {
        threads.emplace_back([&, id] {
            domain.online(id);
            work(id);
            domain.offline(id);
        });
    }
    for (std::thread& each : threads) each.join();
}

template <class F>
class RaceTest : public ::testing::Test {
  protected:
    /// Inserts as the slow path does: tries again if the table is busy.
    static InsertResult<F> insert(FlowTable<F>& table, unsigned worker,
                                  const NewConnection<F>& spec) {
        for (;;) {
            const InsertResult<F> result = table.insert(worker, spec, 100);
            if (result.status != InsertStatus::kBusy) return result;
            std::this_thread::yield();
        }
    }

    static uint64_t live(const FlowTable<F>& table) {
        uint64_t count = 0;
        (void)table.for_each([&](Connection<F>&) { ++count; }, 0, ~0u);
        return count;
    }

    QuiescentDomain domain_;
};
TYPED_TEST_SUITE(RaceTest, Families, FamilyName);

TYPED_TEST(RaceTest, OfWorkersThatMeetOnAKeyOneMakesTheConnectionAndAllGetIt) {
    using F = TypeParam;
    constexpr uint32_t kKeys = 8;
    constexpr int kRounds = 150;
    auto table = make_table<F>(this->domain_, 4096, kThreads);
    std::array<std::array<FlowEntry<F>*, kThreads>, kKeys> got{};
    std::array<std::array<bool, kThreads>, kKeys> made{};
    std::barrier sync(kThreads);
    run_workers(this->domain_, [&](unsigned worker) {
        for (int round = 0; round < kRounds; ++round) {
            sync.arrive_and_wait();
            for (uint32_t n = 0; n < kKeys; ++n) {
                // In every other round each worker chooses its own endpoint.
                const uint32_t backend = round % 2 == 0 ? 1 : worker;
                const auto result = this->insert(*table, worker, client_connection<F>(n, backend));
                EXPECT_TRUE(result.status == InsertStatus::kInserted ||
                            result.status == InsertStatus::kExists);
                got[n][worker] = result.entry;
                made[n][worker] = result.status == InsertStatus::kInserted;
            }
            sync.arrive_and_wait();
            if (worker == 0) {
                for (uint32_t n = 0; n < kKeys; ++n) {
                    EXPECT_EQ(std::count(made[n].begin(), made[n].end(), true), 1);
                    EXPECT_EQ(std::count(got[n].begin(), got[n].end(), got[n][0]), kThreads);
                    EXPECT_EQ(find<F>(*table, client_key<F>(n)), got[n][0]);
                }
                EXPECT_EQ(this->live(*table), kKeys);
                EXPECT_EQ(table->counters().active, kKeys);
            }
            sync.arrive_and_wait();
            // And all workers remove it: one succeeds.
            for (uint32_t n = 0; n < kKeys; ++n) {
                made[n][worker] = table->remove(worker, connection_of(*got[n][worker]));
            }
            sync.arrive_and_wait();
            if (worker == 0) {
                for (uint32_t n = 0; n < kKeys; ++n) {
                    EXPECT_EQ(std::count(made[n].begin(), made[n].end(), true), 1);
                    EXPECT_EQ(find<F>(*table, client_key<F>(n)), nullptr);
                }
            }
            sync.arrive_and_wait();
            table->maintain(worker, 100);
            this->domain_.quiescent(worker);
        }
    });
    EXPECT_EQ(this->live(*table), 0u);
}

TYPED_TEST(RaceTest, OneReplyKeyIsGivenToOneConnection) {
    using F = TypeParam;
    constexpr uint32_t kRounds = 200;
    auto table = make_table<F>(this->domain_, 4096, kThreads);
    std::atomic<uint32_t> inserted{0};
    std::atomic<uint32_t> taken{0};
    std::barrier sync(kThreads);
    run_workers(this->domain_, [&](unsigned worker) {
        for (uint32_t round = 0; round < kRounds; ++round) {
            auto spec = client_connection<F>(10000 + round * kThreads + worker);
            spec.reply = reply_key<F>(round);
            sync.arrive_and_wait();
            const auto result = this->insert(*table, worker, spec);
            if (result.status == InsertStatus::kInserted) inserted.fetch_add(1);
            if (result.status == InsertStatus::kReplyTaken) taken.fetch_add(1);
            table->maintain(worker, 100);
            this->domain_.quiescent(worker);
        }
    });
    // Two that collide may both find the reply key taken by a claim that is then given up. That
    // costs a source port, but never leads to double use.
    EXPECT_LE(inserted.load(), kRounds);
    EXPECT_EQ(inserted.load() + taken.load(), kRounds * kThreads);
    EXPECT_EQ(this->live(*table), inserted.load());
    EXPECT_GT(inserted.load(), kRounds / 2);
}

TYPED_TEST(RaceTest, BothEndsOpeningAtOnceMakeOneConnection) {
    using F = TypeParam;
    constexpr uint32_t kRounds = 300;
    auto table = make_table<F>(this->domain_, 4096, kThreads);
    std::atomic<uint32_t> inserted{0};
    std::barrier sync(kThreads);
    run_workers(this->domain_, [&](unsigned worker) {
        for (uint32_t round = 0; round < kRounds; ++round) {
            auto spec = client_connection<F>(round);
            spec.reply = spec.original.reversed();
            if (worker % 2 == 1) std::swap(spec.original, spec.reply);
            sync.arrive_and_wait();
            const auto result = this->insert(*table, worker, spec);
            ASSERT_NE(result.entry, nullptr);
            EXPECT_EQ(result.entry->key, spec.original);
            if (result.status == InsertStatus::kInserted) inserted.fetch_add(1);
            table->maintain(worker, 100);
            this->domain_.quiescent(worker);
        }
    });
    EXPECT_EQ(inserted.load(), kRounds);
    EXPECT_EQ(this->live(*table), kRounds);
}

// Everything at once, on so few blocks that they are reused all the time.
TYPED_TEST(RaceTest, LookupsInsertsRemovalsSweepsAndVisitsKeepTheTableWhole) {
    using F = TypeParam;
    constexpr uint32_t kKeys = 24;
    constexpr uint32_t kCapacity = 20;
    constexpr int kTurns = 12000;
    auto table = make_table<F>(this->domain_, kCapacity, kThreads);
    std::atomic<bool> stop{false};
    std::thread visitor([&] {
        constexpr unsigned kReader = kThreads;
        while (!stop.load(std::memory_order_relaxed)) {
            const QuiescentReader reader(this->domain_, kReader);
            (void)table->for_each(
                [&](Connection<F>& c) {
                    EXPECT_EQ(rewrite_of(c.original()).dst, c.reply().key.src);
                    EXPECT_EQ(rewrite_of(c.reply()).src, c.original().key.dst);
                },
                0, ~0u);
        }
    });
    run_workers(this->domain_, [&](unsigned worker) {
        std::mt19937 numbers(worker + 1);
        const auto random = [&] { return static_cast<uint32_t>(numbers()); };
        for (int turn = 0; turn < kTurns; ++turn) {
            const auto now = static_cast<uint32_t>(100 + turn / 20);
            const auto n = random() % kKeys;
            const auto key = random() % 2 == 0 ? client_key<F>(n) : reply_key<F>(n, random() % 3);
            FlowEntry<F>* const entry = find<F>(*table, key);
            if (entry != nullptr) {
                EXPECT_EQ(entry->key, key);
                entry->touch(now);
                entry->set_hop({static_cast<uint32_t>(turn), n});
                if (entry->needs_state(0)) {
                    (void)connection_of(*entry).note_packet(entry->direction(), 0, {});
                }
            }
            switch (random() % 4) {
                case 0:
                case 1: {
                    const auto result =
                        table->insert(worker, client_connection<F>(n, random() % 3), now);
                    if (result.entry != nullptr) {
                        EXPECT_EQ(result.entry->key, client_key<F>(n));
                    }
                    break;
                }
                case 2:
                    if (entry != nullptr) table->remove(worker, connection_of(*entry));
                    break;
                default:
                    (void)table->sweep(worker, now, 8);
            }
            // Whatever happens to it, an entry stays until the quiescent point.
            if (entry != nullptr) {
                EXPECT_EQ(entry->key, key);
            }
            table->maintain(worker, now);
            this->domain_.quiescent(worker);
            if (turn % 64 == 0) std::this_thread::yield();
        }
    });
    stop = true;
    visitor.join();

    const FlowCounters counters = table->counters();
    EXPECT_EQ(this->live(*table), counters.active);
    EXPECT_GT(counters.created, kCapacity);
    for (uint32_t n = 0; n < kKeys; ++n) {
        FlowEntry<F>* const entry = find<F>(*table, client_key<F>(n));
        if (entry == nullptr) continue;
        EXPECT_EQ(find<F>(*table, opposite_of(*entry).key), &opposite_of(*entry));
        EXPECT_TRUE(table->remove(0, connection_of(*entry)));
    }
    EXPECT_EQ(this->live(*table), 0u);
    // No slot and no block was lost: one worker can use the whole capacity again.
    for (int i = 0; i < 8; ++i) {
        for (unsigned worker = 0; worker < kThreads; ++worker) table->maintain(worker, 1000);
    }
    for (uint32_t n = 0; n < kCapacity; ++n) {
        EXPECT_EQ(table->insert(0, client_connection<F>(1000 + n), 1000).status,
                  InsertStatus::kInserted);
    }
}

}  // namespace
}  // namespace podlane
