#include "control/page/way.h"

#include <gtest/gtest.h>

#include <string>

#include "control/page/page_json.h"

namespace podlane::control {
namespace {

std::string_view name_of_stage(Drop reason) {
    return way_stages()[stage_of(reason)].name;
}

TEST(PageWay, ReasonsStandWhereTheyAreGiven) {
    EXPECT_EQ(name_of_stage(Drop::kDeviceMissed), "rx");
    EXPECT_EQ(name_of_stage(Drop::kIpTruncated), "parse");
    EXPECT_EQ(name_of_stage(Drop::kUnknownVni), "decap");
    EXPECT_EQ(name_of_stage(Drop::kBridgeSamePort), "look up");
    EXPECT_EQ(name_of_stage(Drop::kNewFlowOverload), "defer");
    EXPECT_EQ(name_of_stage(Drop::kNoRoute), "slow path");
    EXPECT_EQ(name_of_stage(Drop::kNoHeadroom), "forward");
    EXPECT_EQ(name_of_stage(Drop::kTxFull), "tx");
}

TEST(PageWay, CountsAreInTheNumbers) {
    const auto stats = to_json(PageNumbers{}).at("stats");
    for (const WayStage& stage : way_stages()) {
        for (const WayCount& count : stage.counts) {
            const nlohmann::ordered_json::json_pointer where{std::string(count.where)};
            ASSERT_TRUE(stats.contains(where)) << count.where;
            EXPECT_TRUE(stats.at(where).is_number()) << count.where;
        }
    }
}

TEST(PageWay, EachReasonIsToldOnceWithItsHelp) {
    const auto node = to_json(PageNode{});
    size_t told = 0;
    for (const auto& stage : node.at("way")) {
        for (const auto& reason : stage.at("reasons")) {
            ++told;
            EXPECT_FALSE(reason.at("help").get<std::string>().empty());
        }
    }
    EXPECT_EQ(told, kDropCount - 1);
}

}  // namespace
}  // namespace podlane::control
