// `events`: what is told of which change, with its owner and its generation.
#include <algorithm>

#include "control/node/change_text.h"
#include "control/show/news.h"
#include "control/show/news_json.h"
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

class HistoryTest : public NodeFixture {
  protected:
    HistoryTest() { start(); }
    History history(const HistoryRequest& request) {
        auto outcome = node_->history(request);
        EXPECT_TRUE(outcome.ok());
        return std::move(outcome).value();
    }
    /// What came since the last call, "by kind name: text".
    std::vector<std::string> news() {
        HistoryRequest request;
        request.after = seen_;
        History page = history(request);
        seen_ = page.cursor;
        std::vector<std::string> lines;
        for (const News& each : page.events) {
            lines.push_back(each.by + " " + std::string(each.shown_kind()) + " " + each.name +
                            ": " + each.text);
        }
        return lines;
    }
    using Lines = std::vector<std::string>;
    uint64_t seen_ = 0;
};

TEST_F(HistoryTest, TheStartIsTheFirst) {
    EXPECT_EQ(news(), Lines{"podlaned podlaned node-a: started with 0 objects and 0 pods' ports"});
}

TEST_F(HistoryTest, ChangesHaveTheirOwnerTheirGenerationAndWhatIsAnother) {
    (void)news();
    const ChangeScope kube{.owner = "kube"};
    ok(node_->apply({{"a.yml", std::string(kSlice) + "- {addresses: [10.244.2.10]}\n"}}, kube));
    EXPECT_EQ(news(), Lines{"kube endpointslices shop/web-1: added: +10.244.2.10:8080"});
    EXPECT_EQ(history({.limit = 1}).events.front().generation, generation());
    ok(node_->apply({{"a.yml", std::string(kSlice) + "- {addresses: [10.244.2.11]}\n"}}, kube));
    EXPECT_EQ(
        news(),
        Lines{"kube endpointslices shop/web-1: changed: +10.244.2.11:8080 -10.244.2.10:8080"});
    EXPECT_EQ(history({.name = "shop/web"}).events.size(), 2u) << "by the Service's name";
    apply(kNodeB);
    EXPECT_EQ(news().front(), "operator nodes node-b: added");
    ok(node_->remove("endpointslice", "shop/web-1", kube));
    EXPECT_EQ(news(), Lines{"kube endpointslices shop/web-1: deleted: -10.244.2.11:8080"});
}

TEST_F(HistoryTest, AnEndpointThatIsNotReadyIsNamedSo) {
    const ChangeScope kube{.owner = "kube"};
    ok(node_->apply({{"a.yml", std::string(kSlice) + "- {addresses: [10.244.2.10]}\n"}}, kube));
    (void)news();
    ok(node_->apply(
        {{"a.yml", std::string(kSlice) + "- {addresses: [10.244.2.10], conditions: {ready: false, "
                                         "serving: true, terminating: true}}\n"}},
        kube));
    EXPECT_EQ(news(), Lines{"kube endpointslices shop/web-1: changed: +10.244.2.10:8080 "
                            "(terminating) -10.244.2.10:8080"});
}

TEST_F(HistoryTest, FieldsOfAServiceThatChangedAreNamed) {
    apply(kWebService);
    (void)news();
    std::string other = kWebService;
    other.replace(other.find("app: web}"), 8, "app: www");
    other.replace(other.find("port: 80,"), 8, "port: 81");
    apply(other);
    EXPECT_EQ(news(), Lines{"operator services default/web: changed: ports, selector"});
}

TEST_F(HistoryTest, RefusedChangesAreToldOnceHoweverOftenTheyAreTried) {
    (void)news();
    const char* kBad =
        "{apiVersion: v1, kind: Service, metadata: {name: b}, spec: {ports: "
        "[{port: 70000}]}}";
    for (int i = 0; i < 3; ++i) {
        EXPECT_FALSE(node_->apply({{"b.yml", kBad}}, {.owner = "kube"}).ok());
    }
    const Lines told = news();
    ASSERT_EQ(told.size(), 1u);
    EXPECT_TRUE(told[0].starts_with("kube refusals : apply refused: b.yml:1:")) << told[0];
    EXPECT_FALSE(node_->validate({{"b.yml", kBad}}).ok());
    EXPECT_TRUE(news().empty()) << "nobody wanted to change anything";
}

TEST_F(HistoryTest, AnObjectThatIsRefusedAloneIsToldOf) {
    (void)news();
    ok(node_->apply({{"b.yml",
                      "{apiVersion: v1, kind: Service, metadata: {name: b}, spec: {ports: "
                      "[{port: 70000}]}}"}},
                    {.owner = "kube", .each = true}));
    const Lines told = news();
    ASSERT_EQ(told.size(), 1u);
    EXPECT_TRUE(told[0].starts_with("podlaned refusals default/b: Service refused: ")) << told[0];
}

TEST_F(HistoryTest, PodsNeighboursAndLostDevicesAreToldOf) {
    (void)news();
    PodAddRequest pod{.pod = "default/web",
                      .netns = "/run/netns/web",
                      .addresses = {"10.244.1.10"},
                      .by = "podlane-cni"};
    ok(node_->add_pod(pod));
    EXPECT_EQ(news(), Lines{"podlane-cni ports default/web: attached with 10.244.1.10: eth0 in "
                            "/run/netns/web"});
    apply(kNodeB);
    (void)news();
    Event seen = event(EventKind::kNeighbourSeen, "192.168.50.2", kPeerMac);
    seen.solicited = true;
    deliver(seen);
    EXPECT_EQ(news(), Lines{"podlaned neighbors 192.168.50.2: reachable at 02:bb:00:00:00:02"});
    Event lost;
    lost.kind = EventKind::kPortLost;
    lost.port = uplink_;
    deliver(lost);
    const Lines links = news();
    ASSERT_FALSE(links.empty());
    EXPECT_TRUE(links[0].starts_with("podlaned links uplink0: uplink uplink0: its device is gone"))
        << links[0];
    ok(node_->remove_pod({.pod = "default/web", .by = "podlane-cni"}));
    EXPECT_EQ(news(), Lines{"podlane-cni ports default/web: detached"});
}

TEST_F(HistoryTest, APolicySaysHowManyPodsItSelects) {
    add_pod("shop/web", {"10.244.1.10"});
    apply(
        "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {a: b}}, "
        "spec: {nodeName: node-a}, status: {podIP: 10.244.1.10, phase: Running}}");
    (void)news();
    apply(
        "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: deny, "
        "namespace: shop}, spec: {podSelector: {}}}");
    EXPECT_EQ(news(), Lines{"operator networkpolicies shop/deny: added; it selects 1 pod here"});
}

TEST_F(HistoryTest, KindsAreThoseOfGetAndTopics) {
    apply(kWebService);
    EXPECT_EQ(history({.kinds = {"svc"}}).events.size(), 1u);
    EXPECT_EQ(history({.kinds = {"podlaned", "nodes"}}).events.size(), 1u);
    const auto refused = node_->history({.kinds = {"spoons"}});
    ASSERT_FALSE(refused.ok());
    EXPECT_NE(refused.refusal().error.message.find("spoons"), std::string::npos);
}

TEST_F(HistoryTest, AsJson) {
    apply(kNodeB);
    const Json events = to_json(history({.kinds = {"nodes"}})).at("events");
    ASSERT_EQ(events.size(), 1u);
    EXPECT_EQ(events[0].at("kind"), "nodes");
    EXPECT_EQ(events[0].at("type"), "ADDED");
    EXPECT_EQ(events[0].at("name"), "node-b");
    EXPECT_EQ(events[0].at("by"), "operator");
    EXPECT_EQ(time_text(1'764'424'931'007), "2025-11-29T14:02:11.007Z");
    EXPECT_STREQ(word_of(NewsType::kModified), "MODIFIED");
}

TEST(ChangeText, ManyEndpointsAreNotAllNamed) {
    auto slice = std::make_shared<EndpointSlice>();
    for (uint8_t i = 0; i < 20; ++i) {
        slice->endpoints.push_back({.address = *parse_ip("10.0.0." + std::to_string(10 + i))});
    }
    const Change change{
        {Kind::kEndpointSlice, "a", "b"}, std::nullopt, Object(ObjectPtr<EndpointSlice>(slice))};
    const std::string text = change_text(change);
    EXPECT_TRUE(text.starts_with("added: +10.0.0.10 +10.0.0.11 ")) << text;
    EXPECT_TRUE(text.ends_with(" and 12 more")) << text;
    EXPECT_EQ(endpoints_service(change), "");
}

}  // namespace
}  // namespace podlane::control
