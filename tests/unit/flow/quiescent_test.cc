#include "lib/base/quiescent.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <thread>
#include <vector>

namespace podlane {
namespace {

TEST(Quiescent, WithoutReadersAGracePeriodIsOverAtOnce) {
    QuiescentDomain domain;
    EXPECT_TRUE(domain.passed(domain.start_grace()));
}

TEST(Quiescent, AGracePeriodWaitsForEveryOnlineReader) {
    QuiescentDomain domain;
    domain.online(0);
    domain.online(5);
    const uint64_t token = domain.start_grace();
    EXPECT_FALSE(domain.passed(token));
    domain.quiescent(0);
    EXPECT_FALSE(domain.passed(token));
    domain.quiescent(5);
    EXPECT_TRUE(domain.passed(token));
}

TEST(Quiescent, AnEarlierQuiescentPointDoesNotCount) {
    QuiescentDomain domain;
    domain.online(0);
    domain.quiescent(0);
    const uint64_t token = domain.start_grace();
    EXPECT_FALSE(domain.passed(token));
}

TEST(Quiescent, ASleepingReaderIsNotWaitedFor) {
    QuiescentDomain domain;
    domain.online(0);
    const uint64_t token = domain.start_grace();
    domain.offline(0);
    EXPECT_TRUE(domain.passed(token));
    domain.online(0);
    EXPECT_TRUE(domain.passed(token));
    EXPECT_FALSE(domain.passed(domain.start_grace()));
}

TEST(Quiescent, AScopeIsOnlineToItsEnd) {
    QuiescentDomain domain;
    uint64_t token = 0;
    {
        const QuiescentReader reader(domain, QuiescentDomain::kMaxReaders - 1);
        token = domain.start_grace();
        EXPECT_FALSE(domain.passed(token));
    }
    EXPECT_TRUE(domain.passed(token));
}

// Readers follow a pointer and check what is behind it, while a writer swaps it and overwrites the
// old one after a grace period. Some readers sleep now and then. ThreadSanitizer sees any overlap.
TEST(Quiescent, NoReaderSeesWhatIsReusedAfterItsGracePeriod) {
    constexpr unsigned kReaders = 3;
    constexpr int kSwaps = 3000;
    struct Value {
        uint64_t a = 0, b = 0;
    };
    QuiescentDomain domain;
    std::array<Value, 2> values{};
    std::atomic<Value*> current{&values[0]};
    std::atomic<bool> stop{false};
    std::atomic<uint64_t> torn{0};
    std::vector<std::thread> readers;
    for (unsigned id = 0; id < kReaders; ++id) {
        readers.emplace_back([&, id] {
            domain.online(id);
            for (unsigned turn = 0; !stop.load(std::memory_order_relaxed); ++turn) {
                const Value* value = current.load(std::memory_order_acquire);
                if (value->a != value->b) torn.fetch_add(1, std::memory_order_relaxed);
                domain.quiescent(id);
                if (turn % 64 == id) {
                    domain.offline(id);
                    std::this_thread::yield();
                    domain.online(id);
                }
            }
            domain.offline(id);
        });
    }
    for (uint64_t i = 1; i <= kSwaps; ++i) {
        Value* const spare = &values[i % 2];
        spare->a = i;
        spare->b = i;
        current.store(spare, std::memory_order_seq_cst);
        ASSERT_TRUE(domain.wait_for(domain.start_grace(), std::chrono::seconds(60)));
    }
    stop.store(true, std::memory_order_relaxed);
    for (std::thread& each : readers) each.join();
    EXPECT_EQ(torn.load(), 0u);
}

TEST(Quiescent, AWaitForAReaderThatStandsStillEndsAndTheReaderIsKnown) {
    QuiescentDomain domain;
    domain.online(0);
    domain.online(3);
    const uint64_t token = domain.start_grace();
    domain.quiescent(0);
    EXPECT_FALSE(domain.wait_for(token, std::chrono::milliseconds(5)));
    EXPECT_FALSE(domain.is_behind(0, token));
    EXPECT_TRUE(domain.is_behind(3, token));
    domain.quiescent(3);
    EXPECT_TRUE(domain.wait_for(token, std::chrono::milliseconds(0)));
    EXPECT_FALSE(domain.is_behind(3, token));
}

}  // namespace
}  // namespace podlane
