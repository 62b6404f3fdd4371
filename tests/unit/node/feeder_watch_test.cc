#include "control/node/feeder_watch.h"

#include <gmock/gmock.h>

namespace podlane::control {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class FeederWatchTest : public testing::Test {
  protected:
    void pass(uint64_t ms) {
        for (const uint64_t end = now_ms_ + ms; now_ms_ < end;) {
            now_ms_ += 100;
            for (std::string& line : watch_.look(now_ms_)) told_.push_back(std::move(line));
        }
    }
    uint64_t now_ms_ = 1'000'000;
    FeederWatch watch_;
    std::vector<std::string> told_;
};

TEST_F(FeederWatchTest, OneThatIsGoneIsAProblemUntilAnotherComes) {
    auto connection = std::make_shared<int>(0);
    watch_.replaced("kube", connection, now_ms_);
    pass(FeederWatch::kFeederMs + 60'000);
    EXPECT_THAT(watch_.problems(now_ms_), IsEmpty());
    connection.reset();
    pass(FeederWatch::kPatienceMs - 1000);
    EXPECT_THAT(watch_.problems(now_ms_), IsEmpty()) << "it may come back";
    pass(10'000);
    EXPECT_THAT(watch_.problems(now_ms_), ElementsAre(HasSubstr("owner kube: its feeder is gone")));
    EXPECT_THAT(told_, ElementsAre("the feeder of owner kube is gone")) << "once";
    connection = std::make_shared<int>(0);
    watch_.replaced("kube", connection, now_ms_);
    pass(1000);
    EXPECT_THAT(watch_.problems(now_ms_), IsEmpty());
}

TEST_F(FeederWatchTest, WhoChangesSomethingOnceIsNone) {
    auto connection = std::make_shared<int>(0);
    watch_.replaced("ci", connection, now_ms_);
    pass(1000);
    connection.reset();
    pass(600'000);
    EXPECT_THAT(watch_.problems(now_ms_), IsEmpty());
    EXPECT_THAT(told_, IsEmpty());
}

TEST_F(FeederWatchTest, ARelistOnTheSameConnectionIsTheSameFeeders) {
    auto connection = std::make_shared<int>(0);
    for (int i = 0; i < 8; ++i) {
        watch_.replaced("kube", connection, now_ms_);
        pass(FeederWatch::kFeederMs / 4);
    }
    connection.reset();
    pass(FeederWatch::kPatienceMs + 200);
    EXPECT_EQ(watch_.problems(now_ms_).size(), 1u);
}

}  // namespace
}  // namespace podlane::control
