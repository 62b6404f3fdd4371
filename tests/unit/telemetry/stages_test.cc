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
    counters->at(PipelineStage::kTx).in.add(3);
    counters->at(PipelineStage::kTx).kept.add(1);
    EXPECT_EQ(counters->stages.back().in.get(), 3u);
    EXPECT_EQ(counters->stages.back().out(), 2u);
    EXPECT_EQ(counters->at(PipelineStage::kForward).in.get(), 0u);
    EXPECT_EQ(counters->at(PipelineStage::kForward).out(), 0u);
    EXPECT_EQ(pipeline_stage("slow_path"), PipelineStage::kSlowPath);
    EXPECT_EQ(pipeline_stage("of a test"), PipelineStage::kParse);
}

}  // namespace
}  // namespace podlane
