#include "control/page/time_share.h"

#include <gtest/gtest.h>

namespace podlane::control {
namespace {

TEST(TimeShare, AnswersTakeATenthOfTheTimeAtMost) {
    TimeShare share;
    uint64_t now_us = 1'000'000, busy_us = 0;
    // Who asks without end, of answers that take 3 ms each.
    for (const uint64_t end = now_us + 10'000'000; now_us < end;) {
        if (!share.is_free(now_us)) {
            now_us += 10;
            continue;
        }
        share.used(now_us, now_us + 3'000);
        now_us += 3'000;
        busy_us += 3'000;
    }
    EXPECT_LE(busy_us, 1'000'000u + TimeShare::kMostUs + 3'000u);
    EXPECT_GE(busy_us, 1'000'000u);
}

TEST(TimeShare, LongAnswerIsPaidForBeforeTheNextOne) {
    TimeShare share;
    EXPECT_TRUE(share.is_free(0));
    const uint64_t end_us = 1'000'000 + TimeShare::kMostUs + 200'000;
    share.used(1'000'000, end_us);
    EXPECT_FALSE(share.is_free(end_us));
    EXPECT_FALSE(share.is_free(end_us + 1'900'000));
    EXPECT_TRUE(share.is_free(end_us + 2'100'000));
    // A rest, however long, allows no more than kMostUs.
    share.used(900'000'000, 900'000'000 + TimeShare::kMostUs);
    EXPECT_FALSE(share.is_free(900'000'000 + TimeShare::kMostUs));
}

}  // namespace
}  // namespace podlane::control
