#include "control/node/history.h"

#include "control/show/history_view.h"
#include "tests/unit/node/node_fixture.h"

namespace podlane::control {
namespace {

constexpr const char* kSlice = R"(
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, namespace: shop, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{port: 8080}]
endpoints:
)";

TEST(History, OldEventsGiveWayAndAreCounted) {
    uint64_t now = 1000;
    History history([&now] { return ++now; });
    for (size_t i = 0; i < History::kCapacity + 10; ++i) {
        history.record("objects", "kube", "event " + std::to_string(i), i);
    }
    const HistoryPage all = history.read(0, 0, 0);
    EXPECT_EQ(all.events.size(), History::kCapacity);
    EXPECT_EQ(all.forgotten, 10u);
    EXPECT_EQ(all.last, History::kCapacity + 10);
    EXPECT_EQ(all.events.front().number, 11u);
    EXPECT_EQ(all.events.front().text, "event 10");
    EXPECT_EQ(history.read(all.last, 0, 0).events.size(), 0u);
    const HistoryPage newest = history.read(0, 0, 2);
    ASSERT_EQ(newest.events.size(), 2u);
    EXPECT_EQ(newest.events.back().number, all.last);
    EXPECT_EQ(history.read(0, now, 0).events.size(), 1u);
}

TEST(History, LongTextsAreCut) {
    History history([] { return uint64_t{1}; });
    history.record("objects", "kube", std::string(100'000, 'x'), 1);
    EXPECT_EQ(history.read(0, 0, 0).events.front().text.size(), History::kMostBytes);
}

class NodeHistory : public NodeFixture {
  protected:
    NodeHistory() { start(); }
    /// The events behind what a test does: "what by: text".
    std::vector<std::string> news() {
        std::vector<std::string> out;
        const HistoryPage page = node_->events(seen_, 0, 0);
        for (const HistoryEvent& event : page.events) {
            out.push_back(event.what + " " + event.by + ": " + event.text);
        }
        seen_ = page.last;
        return out;
    }
    uint64_t seen_ = 0;
};

TEST_F(NodeHistory, ChangesHaveTheirOwnerAndTheirGeneration) {
    (void)news();
    ok(node_->apply({{"a.yml", std::string(kSlice) + "- {addresses: [10.244.2.10]}\n"}},
                    {.owner = "kube"}));
    EXPECT_EQ(news(),
              std::vector<std::string>{"objects kube: endpoints of shop/web: +10.244.2.10"});
    EXPECT_EQ(node_->events(0, 0, 1).events.front().generation, generation());
    ok(node_->apply({{"a.yml", std::string(kSlice) + "- {addresses: [10.244.2.11]}\n"}},
                    {.owner = "kube"}));
    EXPECT_EQ(news(), std::vector<std::string>{
                          "objects kube: endpoints of shop/web: +10.244.2.11 -10.244.2.10"});
    apply(kNodeB);
    EXPECT_EQ(news().front(), "objects operator: added Node node-b");
}

TEST_F(NodeHistory, PodsNeighboursAndLostDevicesAreToldOf) {
    (void)news();
    add_pod("default/web", {"10.244.1.10"});
    EXPECT_EQ(news(), std::vector<std::string>{"pod podlaned: pod default/web attached with "
                                               "10.244.1.10"});
    apply(kNodeB);
    (void)news();
    Event seen = event(EventKind::kNeighbourSeen, "192.168.50.2", kPeerMac);
    seen.solicited = true;
    deliver(seen);
    EXPECT_EQ(news(), std::vector<std::string>{"neighbour podlaned: 192.168.50.2 is reachable"});
    deliver(event(EventKind::kPortLost, "0.0.0.0"));
    EXPECT_EQ(news(), std::vector<std::string>{"node podlaned: uplink uplink0: its device is gone; "
                                               "restart podlaned when it is back"});
}

TEST(ChangeText, ManyChangesAreNotAllNamed) {
    ChangeSet set;
    for (int i = 0; i < 20; ++i) {
        set.added.push_back(
            {{Kind::kPod, "a", "p" + std::to_string(i)}, std::nullopt, std::nullopt});
    }
    const std::string text = change_text(set);
    EXPECT_TRUE(text.starts_with("added Pod a/p0; added Pod a/p1; ")) << text;
    EXPECT_TRUE(text.ends_with("; added 12 more")) << text;
}

}  // namespace
}  // namespace podlane::control
