#include "lib/telemetry/stages.h"

#include <gtest/gtest.h>

#include "lib/telemetry/counters.h"

namespace podlane {
namespace {

TEST(PipelineStages, EachHasItsNameAndItsPlace) {
    EXPECT_EQ(to_string(PipelineStage::kParse), "parse");
    EXPECT_EQ(to_string(PipelineStage::kSlowPath), "slow_path");
    EXPECT_EQ(to_string(PipelineStage::kTx), kPipelineStages.back());
    const auto counters = std::make_unique<WorkerCounters>();
    counters->at(PipelineStage::kTx).add(3, 2);
    EXPECT_EQ(counters->stages.back().in.get(), 3u);
    EXPECT_EQ(counters->stages.back().out.get(), 2u);
    EXPECT_EQ(counters->at(PipelineStage::kForward).in.get(), 0u);
}

}  // namespace
}  // namespace podlane
