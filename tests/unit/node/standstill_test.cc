#include "control/node/standstill.h"

#include "tests/unit/node/node_fixture.h"

namespace podlane::control {
namespace {

class StandstillTest : public NodeFixture {
  protected:
    StandstillTest() { config_.node = "node-a"; }
    void stand(uint64_t still_ms) { dataplane_.stuck = {{0, "uplink0", "send", still_ms}}; }
};

TEST_F(StandstillTest, HealthNamesTheWorkerItsPortAndItsStep) {
    start();
    stand(4000);
    node_->tick();
    const Json health = ok(node_->health());
    EXPECT_EQ(health.at("status"), "degraded");
    EXPECT_EQ(health.at("problems")[0], "worker 0 stands still: send of uplink0, for 4 s");
    EXPECT_EQ(health.at("workers")[0].at("stillSeconds"), 4);
    EXPECT_EQ(health.at("ready"), false);
    EXPECT_EQ(health.at("live"), true) << "it may go on by itself";
    EXPECT_FALSE(node_->is_serving());
    dataplane_.stuck.clear();
    node_->tick();
    EXPECT_EQ(ok(node_->health()).at("status"), "ok");
    EXPECT_TRUE(node_->is_serving());
}

TEST_F(StandstillTest, ProbesAskOneThingEach) {
    start();
    stand(4000);
    node_->tick();
    EXPECT_EQ(ok(node_->health("live")).at("status"), "ok");
    EXPECT_EQ(ok(node_->health("ready")).at("status"), "degraded");
    stand(Standstill::kHopelessMs);
    node_->tick();
    EXPECT_EQ(ok(node_->health("live")).at("status"), "degraded");
    EXPECT_NE(failure(node_->health("well")).message.find("not live or ready"), std::string::npos);
}

TEST_F(StandstillTest, AChangeIsAnsweredWithANotice) {
    start();
    stand(4000);
    node_->tick();
    const Json reply =
        apply("{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {a: b}}}");
    EXPECT_NE(reply.at("notices").dump().find("worker 0 stands still: send of uplink0; it takes"),
              std::string::npos)
        << reply;
}

TEST(Standstill, TellsTheBeginningAndTheEndOnce) {
    FakeDataplane dataplane(2);
    Standstill watch;
    EXPECT_TRUE(watch.look(dataplane).empty());
    dataplane.stuck = {{1, "", "ageing", 2000}};
    auto news = watch.look(dataplane);
    ASSERT_EQ(news.size(), 1u);
    EXPECT_EQ(news[0].text, "worker 1 stands still: ageing");
    EXPECT_FALSE(news[0].good);
    dataplane.stuck = {{1, "", "ageing", 7500}};
    EXPECT_TRUE(watch.look(dataplane).empty());
    dataplane.stuck.clear();
    news = watch.look(dataplane);
    ASSERT_EQ(news.size(), 1u);
    EXPECT_EQ(news[0].text, "worker 1 goes on after 7 s");
    EXPECT_TRUE(news[0].good);
}

}  // namespace
}  // namespace podlane::control
