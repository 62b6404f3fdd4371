#include "dataplane/doorbell.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <thread>

#include "lib/base/spsc_ring.h"

namespace podlane::dataplane {
namespace {

class DoorbellTest : public ::testing::Test {
  protected:
    DoorbellTest() { bell_.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }
    ~DoorbellTest() override { close(bell_.fd); }
    [[nodiscard]] bool rang(int wait_ms = 0) const {
        pollfd entry{bell_.fd, POLLIN, 0};
        return poll(&entry, 1, wait_ms) == 1;
    }

    Doorbell bell_;
};

TEST_F(DoorbellTest, RingsOnlyForASleeperAndOnce) {
    bell_.ring();
    EXPECT_FALSE(rang());
    bell_.arm();
    bell_.ring();
    bell_.ring();
    uint64_t rings = 0;
    EXPECT_EQ(read(bell_.fd, &rings, sizeof(rings)), 8);
    EXPECT_EQ(rings, 1u);
    bell_.arm();
    bell_.disarm();
    bell_.ring();
    EXPECT_FALSE(rang());
}

/// One thread hands the other a number at the very moment when that one goes to sleep.
TEST_F(DoorbellTest, NothingIsMissedThatIsHandedToOneWhoFallsAsleep) {
    constexpr uint64_t kRounds = 200'000;
    SpscRing<uint64_t, 2> handed;
    std::atomic<uint64_t> taken{0}, rung{0};
    std::thread giver([&] {
        for (uint64_t i = 0; i < kRounds; ++i) {
            for (unsigned looks = 0; taken.load(std::memory_order_acquire) != i; ++looks) {
                if (looks > 10'000) std::this_thread::yield();
            }
            static_cast<void>(handed.push(i));
            bell_.ring();
            rung.store(i + 1, std::memory_order_release);
        }
    });
    uint64_t missed = 0;
    for (uint64_t i = 0; i < kRounds; ++i) {
        uint64_t number = 0;
        // They meet at a different point each time: the giver learns of its turn a little later.
        for (uint64_t delay = i % 127; delay > 0; --delay) {
            std::atomic_signal_fence(std::memory_order_seq_cst);
        }
        while (!handed.pop(number)) {
            bell_.arm();
            if (handed.size() == 0 && !rang(20)) {
                // Nothing came; or it was handed over, and the bell will never ring for it.
                if (rung.load(std::memory_order_acquire) > i && !rang()) ++missed;
            }
            bell_.disarm();
            bell_.clear();
        }
        EXPECT_EQ(number, i);
        taken.store(i + 1, std::memory_order_release);
    }
    giver.join();
    EXPECT_EQ(missed, 0u);
}

}  // namespace
}  // namespace podlane::dataplane
