#include <gmock/gmock.h>

#include <sstream>

#include "control/cli/flow_holders.h"
#include "control/cli/flow_rates.h"
#include "control/cli/top.h"
#include "control/cli/top_screen.h"

namespace podlane::control {
namespace {

using Json = nlohmann::ordered_json;
using ::testing::HasSubstr;
using ::testing::Not;

Json flow(const std::string& from) {
    return {{"from", from}, {"to", "10.96.0.10:80"}, {"inPort", "default/web"}};
}

TEST(FlowHolders, ConnectionsOfOneAddressAreOnesHolders) {
    FlowHolders holders;
    EXPECT_TRUE(holders.empty());
    for (const char* from : {"10.0.0.1:1", "10.0.0.1:2", "[fd00::1]:7", "fd00::1", "10.0.0.2"}) {
        holders.add(flow(from));
    }
    const auto top = holders.top(9);
    ASSERT_EQ(top.size(), 3u);
    EXPECT_EQ(top[0].from, "10.0.0.1");
    EXPECT_EQ(top[0].flows, 2u);
    EXPECT_EQ(top[1].from, "fd00::1");
    EXPECT_EQ(top[1].flows, 2u);
    EXPECT_EQ(top[2].from, "10.0.0.2");
    EXPECT_EQ(top[2].in_port, "default/web");
    EXPECT_EQ(top[2].last_to, "10.96.0.10:80");
}

TEST(FlowHolders, LargeHolderStaysAmongAnyNumberOfOthers) {
    FlowHolders holders;
    for (int i = 0; i < 5'000; ++i) {
        holders.add(flow("one of many " + std::to_string(i)));
        if (i % 25 == 0) holders.add(flow("large"));
    }
    EXPECT_EQ(holders.top(FlowHolders::kMost * 2).size(), FlowHolders::kMost);
    const auto top = holders.top(1);
    EXPECT_EQ(top.front().from, "large");
    EXPECT_GE(top.front().flows, 200u);
}

Json counted(const std::string& from, uint64_t packets, uint64_t bytes, uint64_t age_s) {
    return {{"protocol", "TCP"},  {"from", from},       {"to", "10.96.0.10:80"},
            {"packets", packets}, {"bytes", bytes},     {"replyPackets", 0},
            {"replyBytes", 0},    {"ageSeconds", age_s}};
}

TEST(FlowRates, RatesAreThoseSinceTheLastPassAndAtFirstOfTheWholeLife) {
    FlowRates rates;
    rates.add(counted("a", 100, 1000, 10), 50);
    rates.add(flow("not counted"), 50);
    EXPECT_TRUE(rates.rates().empty()) << "a pass that is not through";
    rates.end_pass();
    ASSERT_EQ(rates.rates().size(), 1u);
    EXPECT_DOUBLE_EQ(rates.rates()[0].packets, 10);
    EXPECT_DOUBLE_EQ(rates.rates()[0].bytes, 100);
    rates.add(counted("a", 104, 1600, 12), 52);
    rates.add(counted("idle", 0, 0, 5), 52);
    rates.end_pass();
    ASSERT_EQ(rates.rates().size(), 1u);
    EXPECT_DOUBLE_EQ(rates.rates()[0].packets, 2);
    EXPECT_DOUBLE_EQ(rates.rates()[0].bytes, 300);
    // Another connection on the same addresses.
    rates.add(counted("a", 6, 60, 0), 54);
    rates.end_pass();
    EXPECT_DOUBLE_EQ(rates.rates().at(0).packets, 6);
}

TEST(FlowRates, TheLargestStayAmongAnyNumberOfOthers) {
    FlowRates rates;
    for (uint64_t i = 0; i < 20'000; ++i) {
        rates.add(counted("small " + std::to_string(i), 10, 100, 10), 50);
        if (i == 3000) rates.add(counted("packets", 100'000, 200, 10), 50);
        if (i == 9000) rates.add(counted("bytes", 11, 1'000'000, 10), 50);
    }
    rates.end_pass();
    EXPECT_LE(rates.rates().size(), FlowRates::kShown);
    for (const char* name : {"packets", "bytes"}) {
        EXPECT_TRUE(std::ranges::any_of(rates.rates(), [name](const FlowRate& each) {
            return each.from == name;
        })) << name;
    }
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
        for (int i = 0; i < 3; ++i) sample_.holders.add(flow("10.244.1.10:" + std::to_string(i)));
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

TEST_F(TopText, HoldersOfAPartOfTheTableSayOfHowManyConnections) {
    const Screen screen{.columns = 80, .is_known = true, .rows = 24};
    EXPECT_EQ(top_text(sample_, {}, screen).find("COUNTED"), std::string::npos);
    sample_.counted = 5000;
    EXPECT_NE(top_text(sample_, {}, screen).find("FLOWS OF 5.0k COUNTED"), std::string::npos);
}

TEST_F(TopText, RatesAreThoseOfTheInterval) {
    const std::string text = top_text(sample_, {}, {.columns = 80, .rows = 40});
    EXPECT_THAT(text, HasSubstr("in 1.0k p/s 880kb/s   drops 2/s"));
    EXPECT_THAT(text, HasSubstr("flows 500 of 1.0k (50 %)   new 10/s   refused 0/s"));
    EXPECT_THAT(text, HasSubstr("worker 0   [#####...............]  25 % busy   1.0k p/s"));
    EXPECT_THAT(text, HasSubstr("PORT by packets"));
    EXPECT_THAT(text, testing::ContainsRegex("default/web +1\\.0k +880k +5 +4\\.0k +2\n"));
    EXPECT_THAT(text, testing::ContainsRegex("10\\.244\\.1\\.10 +default/web +3 +10\\.96"));
    EXPECT_THAT(text, testing::ContainsRegex("shop/web +10\n"));
    EXPECT_THAT(text, testing::ContainsRegex("no_route +2\n"));
    EXPECT_THAT(text, Not(HasSubstr("quiet")));
    EXPECT_THAT(text, Not(HasSubstr("too_big")));
}

TEST_F(TopText, WhoOpensMostIsShownWithRates) {
    EXPECT_THAT(top_text(sample_, {}, {.columns = 80, .rows = 40}), Not(HasSubstr("OPENS FLOWS")));
    sample_.opened = {{"milliseconds", 500},
                      {"flows", 30},
                      {"sources",
                       {{{"from", "10.244.1.7"},
                         {"pod", "shop/scan"},
                         {"inPort", "shop/scan"},
                         {"flows", 1000},
                         {"denied", 20},
                         {"lastTo", "10.96.0.10:80"}},
                        {{"from", "203.0.113.9"},
                         {"inPort", "uplink0"},
                         {"flows", 5000},
                         {"denied", 0},
                         {"lastTo", "192.168.50.1:30080"}}}}};
    const std::string text = top_text(sample_, {}, {.columns = 80, .rows = 40});
    EXPECT_THAT(text, testing::ContainsRegex(
                          "OPENS FLOWS +PORT +NEW/S +DENIED/S +LAST TO\n"
                          "203\\.0\\.113\\.9 +uplink0 +10\\.0k +0 +192\\.168\\.50\\.1:30080\n"
                          "10\\.244\\.1\\.7 +shop/scan +2\\.0k +40 +10\\.96\\.0\\.10:80\n"));
}

TEST_F(TopText, WhatCarriesMostIsShownInTheOrderOfTheKeys) {
    EXPECT_THAT(top_text(sample_, {}, {.columns = 80, .rows = 40}), Not(HasSubstr("FLOW FROM")));
    sample_.rates.add(counted("10.244.1.7:1000", 500, 5000, 1), 50);
    sample_.rates.add(counted("10.244.1.8:1000", 20, 80'000, 1), 50);
    sample_.rates.end_pass();
    const std::string one = "10\\.244\\.1\\.7:1000 +10\\.96\\.0\\.10:80 +TCP +500 +40\\.0k\n";
    const std::string other = "10\\.244\\.1\\.8:1000 +10\\.96\\.0\\.10:80 +TCP +20 +640k\n";
    EXPECT_THAT(top_text(sample_, {}, {.columns = 80, .rows = 40}),
                testing::ContainsRegex(one + other));
    EXPECT_THAT(top_text(sample_, {.order = TopOrder::kBytes}, {.columns = 80, .rows = 40}),
                testing::ContainsRegex(other + one));
}

TEST_F(TopText, OtherNodesRatesAreThoseOfTheTimeForWhichTheyWereCounted) {
    const auto peers = [](uint64_t milliseconds, uint64_t b, uint64_t c) {
        const auto peer = [](const char* name, uint64_t packets, uint64_t bytes) {
            return Json{{"node", name},
                        {"rxPackets", packets},
                        {"rxBytes", bytes},
                        {"txPackets", 2 * packets},
                        {"txBytes", 0}};
        };
        return Json{{"milliseconds", milliseconds},
                    {"peers", Json::array({peer("node-b", b, 9000 * b), peer("node-c", c, 100 * c),
                                           peer("node-quiet", 5, 5)})}};
    };
    sample_.peers = peers(1500, 100, 4000);
    EXPECT_THAT(top_text(sample_, {}, {.columns = 80, .rows = 80}), Not(HasSubstr("node-b")));
    sample_.peers_before = peers(1000, 0, 0);
    const std::string b = "node-b +200 +14\\.4M +400 +0\n",
                      c = "node-c +8\\.0k +6\\.4M +16\\.0k +0\n";
    const std::string text = top_text(sample_, {}, {.columns = 80, .rows = 80});
    EXPECT_THAT(text,
                testing::ContainsRegex("NODE +IN P/S +IN BIT/S +OUT P/S +OUT BIT/S\n" + c + b));
    EXPECT_THAT(text, Not(HasSubstr("node-quiet")));
    EXPECT_THAT(top_text(sample_, {.order = TopOrder::kBytes}, {.columns = 80, .rows = 80}),
                testing::ContainsRegex(b + c));
    sample_.peers_before = peers(1500, 100, 4000);
    EXPECT_THAT(top_text(sample_, {}, {.columns = 80, .rows = 80}), Not(HasSubstr("node-b")));
}

TEST_F(TopText, FilterLeavesRowsThatHaveIt) {
    const std::string text = top_text(sample_, {.filter = "shop"}, {.columns = 80, .rows = 40});
    EXPECT_THAT(text, HasSubstr("shop/web"));
    EXPECT_THAT(text, Not(HasSubstr("10.244.1.10")));
}

TEST_F(TopText, RowsWithoutRoomAreCounted) {
    Json sources = Json::array();
    for (int i = 0; i < 30; ++i) {
        sample_.holders.add(flow("10.244.1." + std::to_string(100 + i)));
        sources.push_back({{"from", "10.244.1." + std::to_string(100 + i)},
                           {"inPort", "default/web"},
                           {"flows", 9},
                           {"denied", 0},
                           {"lastTo", "10.96.0.10:80"}});
        sample_.rates.add(counted("10.244.1.9:" + std::to_string(i), 100, 1000, 10), 50);
    }
    sample_.rates.end_pass();
    sample_.opened = {{"milliseconds", 1000}, {"sources", sources}};
    const auto peers = [](uint64_t ms, uint64_t packets) {
        Json list = Json::array();
        for (const char* name : {"node-b", "node-c"}) {
            list.push_back({{"node", name},
                            {"rxPackets", packets},
                            {"rxBytes", packets},
                            {"txPackets", packets},
                            {"txBytes", packets}});
        }
        return Json{{"milliseconds", ms}, {"peers", list}};
    };
    sample_.peers_before = peers(0, 0);
    sample_.peers = peers(1000, 10);
    const auto lines_of = [this](size_t rows) {
        std::istringstream text(
            top_text(sample_, {}, {.columns = 80, .is_known = true, .rows = rows}));
        std::vector<std::string> lines;
        for (std::string line; std::getline(text, line);) lines.push_back(line);
        return lines;
    };
    const auto all = [](const std::vector<std::string>& lines) {
        std::string text;
        for (const std::string& line : lines) text += line + '\n';
        return text;
    };
    const auto small = lines_of(24);
    EXPECT_LE(small.size(), 23u);
    for (const char* heading : {"PORT by packets ", "NODE ", "FLOW FROM +", "HOLDS FLOWS +",
                                "OPENS FLOWS +2", "SERVICE ", "DROPPED FOR"}) {
        EXPECT_THAT(all(small), HasSubstr(heading));
    }
    EXPECT_THAT(all(small), Not(HasSubstr("no room for")));
    const auto tiny = lines_of(12);
    EXPECT_LE(tiny.size(), 11u);
    EXPECT_THAT(tiny.back(), HasSubstr("no room for: "));
    EXPECT_THAT(tiny.back(), HasSubstr("DROPPED FOR"));
    EXPECT_THAT(all(lines_of(0)), HasSubstr("HOLDS FLOWS +22 more")) << "in a pipe, too";
    EXPECT_THAT(all(lines_of(200)), Not(HasSubstr(" more")));
    for (int i = 1; i < 32; ++i) {
        sample_.now["workers"].push_back({{"id", i}, {"busyCycles", 1}, {"idleCycles", 9}});
    }
    EXPECT_THAT(all(lines_of(24)), HasSubstr("+28 more"));
}

TEST_F(TopText, FitsTheScreen) {
    for (int i = 0; i < 300; ++i) {
        sample_.holders.add(flow("sender-with-a-long-name-" + std::to_string(i)));
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

}  // namespace
}  // namespace podlane::control
