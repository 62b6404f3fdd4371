#include <gmock/gmock.h>

#include <sstream>

#include "control/cli/since.h"
#include "control/cli/talkers.h"
#include "control/cli/top_screen.h"

namespace podlane::control {
namespace {

using Json = nlohmann::ordered_json;
using ::testing::HasSubstr;
using ::testing::Not;

Talker packet(const std::string& from, uint64_t bytes = 100, uint64_t new_flows = 0) {
    return {.from = from,
            .in_port = "default/web",
            .last_to = "10.96.0.10:80",
            .packets = 1,
            .bytes = bytes,
            .new_flows = new_flows};
}

TEST(Talkers, OrderIsByWhatIsAsked) {
    Talkers talkers;
    for (int i = 0; i < 3; ++i) talkers.add(packet("many"), 1);
    talkers.add(packet("large", 9000), 1);
    talkers.add(packet("opens", 60, 1), 2);
    EXPECT_EQ(talkers.top(TalkerOrder::kPackets, 1).front().from, "many");
    EXPECT_EQ(talkers.top(TalkerOrder::kBytes, 1).front().from, "large");
    const auto opens = talkers.top(TalkerOrder::kNewFlows, 9);
    ASSERT_EQ(opens.size(), 1u);
    EXPECT_EQ(opens.front().new_flows, 2u);
}

TEST(Talkers, HeavySenderStaysAmongAnyNumberOfOthers) {
    Talkers talkers;
    for (int i = 0; i < 20'000; ++i) {
        talkers.add(packet("one of many " + std::to_string(i)), 1);
        if (i % 100 == 0) talkers.add(packet("heavy"), 1);
    }
    EXPECT_EQ(talkers.top(TalkerOrder::kPackets, Talkers::kMost * 2).size(), Talkers::kMost);
    const auto top = talkers.top(TalkerOrder::kPackets, 1);
    EXPECT_EQ(top.front().from, "heavy");
    EXPECT_GE(top.front().packets, 200u);
}

TEST(ShortNumber, HasFourCharactersAndALetter) {
    EXPECT_EQ(short_number(0), "0");
    EXPECT_EQ(short_number(7), "7");
    EXPECT_EQ(short_number(0.25), "0.2");
    EXPECT_EQ(short_number(999), "999");
    EXPECT_EQ(short_number(1234), "1.2k");
    EXPECT_EQ(short_number(999'600), "1.0M");
    EXPECT_EQ(short_number(34'000'000), "34.0M");
    EXPECT_EQ(short_number(2.5e9), "2.5G");
}

class TopText : public testing::Test {
  protected:
    TopText() {
        sample_.before = stats(0);
        sample_.now = stats(1);
        sample_.seconds = 2;
        sample_.talkers.add(packet("10.244.1.10", 100, 1), 16);
    }
    static Json stats(uint64_t turn) {
        return Json{
            {"generation", 12},
            {"ports", Json::array({Json{{"name", "default/web"},
                                        {"rxPackets", 2000 * turn},
                                        {"rxBytes", 220'000 * turn},
                                        {"txPackets", 10 * turn},
                                        {"txBytes", 1000 * turn},
                                        {"rxDropped", 4 * turn},
                                        {"txDropped", 0}},
                                   Json{{"name", "quiet"}, {"rxPackets", 7}, {"txPackets", 7}}})},
            {"workers", Json::array({Json{{"id", 0},
                                          {"rxPackets", 2000 * turn},
                                          {"busyCycles", 250 * turn},
                                          {"idleCycles", 750 * turn}}})},
            {"drops", {{"no_route", 4 * turn}, {"too_big", 9}}},
            {"flows",
             {{"active", 500}, {"capacity", 1000}, {"created", 20 * turn}, {"refused", 0}}},
            {"services", Json::array({Json{{"service", "shop/web"}, {"created", 20 * turn}}})}};
    }
    TopSample sample_;
};

TEST_F(TopText, RatesAreThoseOfTheInterval) {
    const std::string text = top_text(sample_, {}, {.columns = 80, .rows = 40});
    EXPECT_THAT(text, HasSubstr("in 1.0k p/s 1.0Mb/s   drops 2/s"));
    EXPECT_THAT(text, HasSubstr("flows 500 of 1.0k (50 %)   new 10/s   refused 0/s"));
    EXPECT_THAT(text, HasSubstr("worker 0   [#####...............]  25 % busy   1.0k p/s"));
    EXPECT_THAT(text, HasSubstr("SENDER by packets"));
    EXPECT_THAT(text, testing::ContainsRegex("10\\.244\\.1\\.10 +default/web +8 +6\\.4k +8 "));
    EXPECT_THAT(text, testing::ContainsRegex("shop/web +10\n"));
    EXPECT_THAT(text, testing::ContainsRegex("no_route +2\n"));
    EXPECT_THAT(text, Not(HasSubstr("quiet")));
    EXPECT_THAT(text, Not(HasSubstr("too_big")));
}

TEST_F(TopText, FilterLeavesRowsThatHaveIt) {
    const std::string text = top_text(sample_, {.filter = "shop"}, {.columns = 80, .rows = 40});
    EXPECT_THAT(text, HasSubstr("shop/web"));
    EXPECT_THAT(text, Not(HasSubstr("10.244.1.10")));
}

TEST_F(TopText, FitsTheScreen) {
    for (int i = 0; i < 300; ++i) {
        sample_.talkers.add(packet("sender-with-a-long-name-" + std::to_string(i)), 1);
    }
    for (const size_t rows : {10u, 24u, 50u}) {
        const std::string text =
            top_text(sample_, {}, {.columns = 80, .is_known = true, .rows = rows});
        std::istringstream lines(text);
        size_t count = 0;
        for (std::string line; std::getline(lines, line); ++count) EXPECT_LE(line.size(), 80u);
        EXPECT_LT(count, rows);
    }
}

TEST(Since, IsAgoOrATimeOfDay) {
    constexpr uint64_t kNow = 1'795'961'640'000;
    EXPECT_EQ(parse_since("90s", kNow), kNow - 90'000);
    EXPECT_EQ(parse_since("5m", kNow), kNow - 300'000);
    EXPECT_EQ(parse_since("2h", kNow), kNow - 7'200'000);
    for (const char* text : {"00:00", "14:02", "23:59:59"}) {
        const auto at = parse_since(text, kNow);
        ASSERT_TRUE(at) << text;
        EXPECT_LE(*at, kNow);
        EXPECT_GT(*at + 86'400'000 + 3'600'000, kNow);
        EXPECT_EQ(*at % 1000, 0u);
    }
    for (const char* text :
         {"", "m", "5", "5x", "24:00", "1:60", "1:2:3:4", "14:", "-5m", "yesterday"}) {
        EXPECT_FALSE(parse_since(text, kNow)) << text;
    }
}

}  // namespace
}  // namespace podlane::control
