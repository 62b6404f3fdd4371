// `watch`: what is told of which change, and to whom.
#include <algorithm>

#include "tests/unit/node/node_fixture.h"

namespace podlane::control {
namespace {

class Watch : public NodeFixture {
  protected:
    Watch() { start(); }
    uint64_t cursor() { return report({{"pods"}, std::nullopt}).cursor; }
    WatchReport report(const WatchRequest& request) {
        auto outcome = node_->watch(request);
        EXPECT_TRUE(outcome.ok());
        return std::move(outcome).value();
    }
    /// "ADDED default/web" ... of one kind.
    std::vector<std::string> news(const std::string& kind, uint64_t since) {
        std::vector<std::string> lines;
        for (const News& each : report({{kind}, since}).news) {
            const char* words[] = {"added ", "modified ", "deleted "};
            const std::string text = kind == "events" ? each.text : "";
            lines.push_back(words[static_cast<size_t>(each.type)] + each.name + text);
        }
        return lines;
    }
    void add_and_remove_pod() {
        add_pod("default/web", {"10.244.1.10"});
        ok(node_->remove_pod({.pod = "default/web"}));
    }
    using Lines = std::vector<std::string>;
};

TEST_F(Watch, ObjectsAreToldByNameAndFrontendsByService) {
    const uint64_t before = cursor();
    apply(kWebService);
    EXPECT_EQ(news("services", before), (Lines{"added default/web"}));
    EXPECT_EQ(news("endpointslices", before), (Lines{"added default/web-1"}));
    EXPECT_EQ(news("frontends", before), (Lines{"modified default/web"}));
    EXPECT_TRUE(news("nodes", before).empty());
    const uint64_t between = cursor();
    ok(node_->remove("service", "default/web"));
    EXPECT_EQ(news("services", between), (Lines{"deleted default/web"}));
    EXPECT_EQ(news("services", before), (Lines{"deleted default/web"}));
}

TEST_F(Watch, TheSameIsNoNewsAndWhatIsRefusedIsAnEventAlone) {
    apply(kWebService);
    const uint64_t before = cursor();
    apply(kWebService);
    EXPECT_EQ(cursor(), before);
    EXPECT_TRUE(std::holds_alternative<RpcFailure>(to_reply(node_->apply({{"x", "kind: {"}}))));
    EXPECT_EQ(news("events", before).size(), 1u);
    EXPECT_TRUE(news("services", before).empty());
}

TEST_F(Watch, PortsNeighborsAndEventsAreTold) {
    const uint64_t before = cursor();
    add_pod("default/web", {"10.244.1.10"});
    EXPECT_EQ(news("ports", before), (Lines{"added default/web"}));
    EXPECT_FALSE(news("routes", before).empty());
    apply(kNodeB);
    Event seen = event(EventKind::kNeighbourSeen, "192.168.50.2", kPeerMac);
    seen.solicited = true;
    deliver(seen);
    const Lines neighbors = news("neighbors", before);
    EXPECT_NE(std::ranges::find(neighbors, "added 192.168.50.2"), neighbors.end());
    Event lost;
    lost.kind = EventKind::kPortLost;
    lost.port = port_of("default/web");
    deliver(lost);
    EXPECT_EQ(news("ports", before), (Lines{"deleted default/web"}));
    lost.port = uplink_;
    deliver(lost);
    const Lines events = news("events", before);
    ASSERT_FALSE(events.empty());
    EXPECT_NE(events.back().find("uplink uplink0"), std::string::npos) << events.back();
}

TEST_F(Watch, TheStartIsNoNewsAndAnOldCursorListsAgain) {
    const WatchReport fresh = report({{"services"}, std::nullopt});
    EXPECT_EQ(fresh.generation, generation());
    EXPECT_FALSE(fresh.relist);
    EXPECT_TRUE(report({{"services"}, fresh.cursor - 2}).relist) << "of the process before";
    EXPECT_TRUE(report({{"services"}, fresh.cursor + 1}).relist);
}

TEST_F(Watch, WhatCannotBeWatchedIsNamed) {
    for (const char* kind : {"flows", "workers", "spoons"}) {
        const auto refused = node_->watch({{kind}, std::nullopt});
        ASSERT_FALSE(refused.ok());
        EXPECT_NE(refused.refusal().error.message.find(kind), std::string::npos);
    }
    EXPECT_FALSE(node_->watch({{}, std::nullopt}).ok());
    EXPECT_TRUE(node_->watch({{"svc"}, std::nullopt}).ok());
}

TEST_F(Watch, AReaderOfAQuietKindGoesOnFromWhereItLooked) {
    const uint64_t before = cursor();
    for (int i = 0; i < 50; ++i) add_and_remove_pod();
    const WatchReport quiet = report({{"services"}, before});
    EXPECT_TRUE(quiet.news.empty());
    EXPECT_EQ(quiet.cursor, cursor());
}

TEST_F(Watch, WakesThoseWhoWait) {
    unsigned woken = 0;
    node_->on_news([&] { ++woken; });
    apply(kWebService);
    EXPECT_GT(woken, 0u);
}

}  // namespace
}  // namespace podlane::control
