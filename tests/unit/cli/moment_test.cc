#include "control/cli/moment.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

namespace podlane::control {
namespace {

class Moment : public testing::Test {
  protected:
    Moment() {
        ::setenv("TZ", "UTC-1", 1);  // an hour ahead of UTC
        ::tzset();
    }
    ~Moment() override {
        ::unsetenv("TZ");
        ::tzset();
    }
    static constexpr uint64_t kNow = 1'764'424'931'000;  // 2025-11-29 14:02:11 UTC
};

TEST_F(Moment, HowLongAgo) {
    EXPECT_EQ(parse_moment("90s", kNow), kNow - 90'000);
    EXPECT_EQ(parse_moment("5m", kNow), kNow - 300'000);
    EXPECT_EQ(parse_moment("2h", kNow), kNow - 7'200'000);
    EXPECT_EQ(parse_moment("1d", kNow), kNow - 86'400'000);
    EXPECT_EQ(parse_moment("99999d", kNow), std::nullopt);
}

TEST_F(Moment, SpansHaveAUnit) {
    EXPECT_EQ(parse_span_ms("90s"), 90'000u);
    EXPECT_EQ(parse_span_ms("1d"), 86'400'000u);
    for (const char* text : {"", "90", "s", "1.5h", "-1s", "1w"}) {
        EXPECT_EQ(parse_span_ms(text), std::nullopt) << text;
    }
}

TEST_F(Moment, ATimeOfDayIsTheLastOneOfThisMachinesClock) {
    EXPECT_EQ(parse_moment("15:02", kNow), kNow - 11'000);
    EXPECT_EQ(parse_moment("15:02:10", kNow), kNow - 1000);
    EXPECT_EQ(parse_moment("15:02:12", kNow), kNow + 1000 - 86'400'000) << "yesterday's";
}

TEST_F(Moment, AnEndWithoutSecondsIsThatOfItsMinute) {
    EXPECT_EQ(parse_end("15:02", 0, kNow), kNow - 11'000 + 60'000);
    EXPECT_EQ(parse_end("15:02:10", 0, kNow), kNow - 1000);
    EXPECT_EQ(parse_end("5m", 0, kNow), kNow - 300'000);
    EXPECT_EQ(parse_end("2025-11-29 15:02", 0, kNow), kNow - 11'000 + 60'000);
    EXPECT_EQ(parse_end("nonsense", 0, kNow), std::nullopt);
}

TEST_F(Moment, AnEndThatHasNotComeYetIsTodays) {
    const uint64_t since = *parse_moment("15:00", kNow);
    EXPECT_EQ(parse_end("23:40:00", since, kNow), kNow - 11'000 + (8 * 60 + 38) * 60'000);
    EXPECT_EQ(parse_end("14:59", since, kNow), since) << "today's, before the beginning";
    const uint64_t yesterday = *parse_moment("23:00", kNow);
    EXPECT_EQ(parse_end("23:40:00", yesterday, kNow), yesterday + 40 * 60'000);
}

TEST_F(Moment, ADateWithATimeIsTheMachinesUnlessItSaysUtc) {
    EXPECT_EQ(parse_moment("2025-11-29 15:02:11", kNow), kNow);
    EXPECT_EQ(parse_moment("2025-11-29T14:02:11Z", kNow), kNow);
    EXPECT_EQ(parse_moment("2025-11-29T14:02:11.007Z", kNow), kNow + 7);
}

TEST_F(Moment, WhatIsNone) {
    for (const char* text :
         {"", "s", "5", "5x", "24:00", "14:60", "14:02:60", "14", "14:02:03:04", "2025-11-29",
          "2025-13-01 10:00", "2025-11-29 10:00:00.1Z", "-5m", "2025-11-29 "}) {
        EXPECT_EQ(parse_moment(text, kNow), std::nullopt) << text;
    }
}

TEST_F(Moment, TodayIsShownWithoutItsDate) {
    EXPECT_EQ(moment_text(kNow + 7, kNow), "15:02:11.007");
    EXPECT_EQ(moment_text(kNow - 86'400'000, kNow), "2025-11-28 15:02:11.000");
    EXPECT_GT(wall_clock_ms(), 1'600'000'000'000u);
}

}  // namespace
}  // namespace podlane::control
