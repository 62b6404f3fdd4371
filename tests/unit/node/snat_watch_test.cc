#include "control/node/snat_watch.h"

#include "control/node/counters.h"
#include "tests/unit/node/node_fixture.h"

namespace podlane::control {
namespace {

SnatTarget target(const char* destination, uint16_t port) {
    return {parse_ip("192.168.50.1")->as<V4>(), parse_ip(destination)->as<V4>(), port, 6};
}

class SnatWatchTest : public testing::Test {
  protected:
    void refuse(unsigned worker, const SnatTarget& whom, unsigned count) {
        for (unsigned i = 0; i < count; ++i) {
            dataplane.mutable_counters(worker).snat_shortages.refuse(whom);
        }
    }
    FakeDataplane dataplane{2};
    SnatWatch watch;
};

TEST_F(SnatWatchTest, DestinationsAreSummedOverWorkersTheMostRefusedFirst) {
    refuse(0, target("203.0.113.9", 80), 1);
    refuse(0, target("203.0.113.9", 443), 2);
    refuse(1, target("203.0.113.9", 443), 3);
    dataplane.mutable_counters(1).snat_tries.add(7);
    const SnatStats snat = snat_stats(dataplane);
    EXPECT_EQ(snat.tries, 7u);
    ASSERT_EQ(snat.exhausted.size(), 2u);
    EXPECT_EQ(snat.exhausted[0].target, target("203.0.113.9", 443));
    EXPECT_EQ(snat.exhausted[0].refused, 5u);
    EXPECT_EQ(snat.exhausted[1].refused, 1u);
}

TEST_F(SnatWatchTest, ADestinationIsWarnedOfAtMostOnceInTenSeconds) {
    EXPECT_TRUE(watch.look(dataplane, 1000).empty());
    refuse(0, target("203.0.113.9", 443), 1);
    refuse(1, target("203.0.113.8", 443), 1);
    EXPECT_EQ(watch.look(dataplane, 2000),
              (std::vector<std::string>{
                  "no source port is free from 192.168.50.1 to 203.0.113.8:443 (TCP): 1 packet "
                  "refused",
                  "no source port is free from 192.168.50.1 to 203.0.113.9:443 (TCP): 1 packet "
                  "refused"}));
    refuse(0, target("203.0.113.9", 443), 5);
    for (uint64_t ms = 2100; ms < 12'000; ms += 100) {
        EXPECT_TRUE(watch.look(dataplane, ms).empty()) << ms;
    }
    const auto lines = watch.look(dataplane, 12'100);
    ASSERT_EQ(lines.size(), 1u) << "the other one was refused nothing meanwhile";
    EXPECT_NE(lines[0].find("9:443 (TCP): 5 packets refused"), std::string::npos) << lines[0];
}

TEST_F(SnatWatchTest, AProblemLastsAMinuteLongerThanTheRefusals) {
    refuse(0, target("203.0.113.9", 443), 2);
    (void)watch.look(dataplane, 1000);
    ASSERT_EQ(watch.problems(60'000).size(), 1u);
    EXPECT_EQ(
        watch.problems(60'000)[0],
        "no source port is free from 192.168.50.1 to 203.0.113.9:443 (TCP): 2 packets refused "
        "so far");
    (void)watch.look(dataplane, 61'000);
    EXPECT_TRUE(watch.problems(61'000).empty());
}

TEST_F(SnatWatchTest, ADestinationThatAWorkerForgotIsCountedAnew) {
    refuse(0, target("203.0.113.9", 443), 9);
    (void)watch.look(dataplane, 1000);
    for (uint16_t port = 0; port < SnatShortages::kSlots; ++port) {
        refuse(0, target("203.0.113.7", port), 1);
    }
    EXPECT_EQ(watch.look(dataplane, 2000).size(), SnatShortages::kSlots);
    refuse(0, target("203.0.113.9", 443), 1);
    EXPECT_EQ(watch.look(dataplane, 3000).size(), 1u);
}

class SnatHealth : public NodeFixture {};

TEST_F(SnatHealth, NamesADestinationThatRanOut) {
    start();
    dataplane_.mutable_counters(0).snat_shortages.refuse(target("203.0.113.9", 443));
    node_->tick();
    const Json health = ok(node_->health());
    EXPECT_EQ(health.at("status"), "degraded");
    EXPECT_NE(health.at("problems").dump().find("203.0.113.9:443 (TCP)"), std::string::npos);
}

}  // namespace
}  // namespace podlane::control
