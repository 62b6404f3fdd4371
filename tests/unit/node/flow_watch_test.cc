// What workers tell of connections, named for the flow log and counted for `top`.
#include "control/node/flow_watch.h"

#include "control/show/logged_flow.h"
#include "tests/unit/node/node_fixture.h"

namespace podlane::control {
namespace {

class FlowWatchTest : public NodeFixture {
  protected:
    FlowWatchTest() { start(); }
    void log(FlowSample sample = kAllFlows) {
        node_->log_flows({.sample = sample,
                          .write = [this](const LoggedFlow& flow) { logged_.push_back(flow); },
                          .stats =
                              [this] {
                                  return FlowLogStats{logged_.size(), 1};
                              }});
    }
    FlowRecord record(FlowRecordKind kind, const std::string& from, const std::string& to) {
        FlowRecord record;
        record.kind = kind;
        record.protocol = 6;
        record.in_port = uplink_;
        record.src = record.reply_dst = RawAddress::from(address(from));
        record.dst = record.reply_src = RawAddress::from(address(to));
        record.src_port = record.reply_dst_port = 40000;
        record.dst_port = record.reply_src_port = 80;
        record.time_ms = 1000;
        return record;
    }
    void tell(const FlowRecord& record) { dataplane_.flow_records.push_back(record); }
    std::vector<LoggedFlow> logged_;
};

TEST_F(FlowWatchTest, NobodyIsAskedWhileNothingIsLogged) {
    EXPECT_EQ(dataplane_.flow_sample, 0u);
    tell(record(FlowRecordKind::kOpened, "10.0.0.1", "10.0.0.2"));
    pass(200);
    EXPECT_EQ(dataplane_.flow_records.size(), 1u);
    EXPECT_FALSE(node_->stats().flow_log);
    log(sample_one_in(10));
    EXPECT_EQ(dataplane_.flow_sample, kAllFlows / 10);
    node_.reset();
    EXPECT_EQ(dataplane_.flow_sample, 0u);
}

TEST_F(FlowWatchTest, ConnectionsAreNamed) {
    apply(kWebService);
    add_pod("default/web", {"10.244.1.10"});
    apply(
        "{apiVersion: v1, kind: Pod, metadata: {name: far}, spec: {nodeName: node-b}, status: "
        "{podIP: 10.244.2.99, phase: Running}}");
    log();
    const auto* frontend = live().v4.frontends.find({address("10.96.0.10").as<V4>(), be16(80), 6});
    FlowRecord opened = record(FlowRecordKind::kOpened, "10.244.2.99", "10.96.0.10");
    opened.reply_src = RawAddress::from(address("10.244.1.10"));
    opened.reply_src_port = 8080;
    opened.service = frontend->service;
    tell(opened);
    opened.kind = FlowRecordKind::kClosed;
    opened.end = FlowEnd::kRemoved;
    tell(opened);
    pass(100);
    ASSERT_EQ(logged_.size(), 2u);
    const LoggedFlow& flow = logged_[0];
    EXPECT_EQ(flow.service, "default/web");
    EXPECT_EQ(flow.from_pod, "default/far") << "of another node, by its object";
    EXPECT_EQ(flow.to_pod, "default/web");
    EXPECT_EQ(flow.in_port, "uplink0");
    EXPECT_TRUE(flow.is_translated());
    EXPECT_EQ(flow.translated_dst_port, 8080);
    EXPECT_EQ(logged_[1].end, FlowEnd::kRemoved);
    dataplane_.flow_records_lost = 5;
    EXPECT_EQ(node_->stats().flow_log->written, 2u);
    EXPECT_EQ(node_->stats().flow_log->lost, 6u) << "by workers, and by the log itself";
}

TEST_F(FlowWatchTest, ADenialIsToldAtOnceAndThenByNumber) {
    add_pod("shop/web", {"10.244.1.10"});
    apply(
        "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {a: b}}, "
        "spec: {nodeName: node-a}, status: {podIP: 10.244.1.10, phase: Running}}");
    apply(
        "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: deny, "
        "namespace: shop}, spec: {podSelector: {}}}");
    log();
    FlowRecord denied = record(FlowRecordKind::kDenied, "10.244.2.99", "10.244.1.10");
    denied.reason = Drop::kPolicyIngress;
    for (uint16_t port = 1; port <= 4; ++port) {
        denied.src_port = port;
        tell(denied);
    }
    pass(100);
    ASSERT_EQ(logged_.size(), 1u);
    EXPECT_EQ(logged_[0].packets, 1u);
    EXPECT_EQ(logged_[0].policies, std::vector<std::string>{"shop/deny"});
    pass(9000);
    EXPECT_EQ(logged_.size(), 1u);
    pass(1500);
    ASSERT_EQ(logged_.size(), 2u);
    EXPECT_EQ(logged_[1].packets, 3u);
    pass(20'000);
    EXPECT_EQ(logged_.size(), 2u);
    tell(denied);
    pass(100);
    EXPECT_EQ(logged_.size(), 3u) << "it was forgotten, and is told at once again";
}

TEST_F(FlowWatchTest, DenialsAreBounded) {
    log();
    FlowRecord denied = record(FlowRecordKind::kDenied, "10.244.2.99", "10.244.1.10");
    denied.reason = Drop::kServiceNoEndpoints;
    for (unsigned port = 1; port <= 5000; ++port) {
        denied.dst_port = static_cast<uint16_t>(port);
        tell(denied);
    }
    pass(100);
    EXPECT_EQ(logged_.size(), 4096u);
    EXPECT_EQ(node_->stats().flow_log->lost, 1u + 904);
}

TEST_F(FlowWatchTest, OpenersAreCountedWhileSomebodyLooks) {
    EXPECT_EQ(node_->new_flows(10).milliseconds, 0u);
    EXPECT_EQ(dataplane_.flow_sample, kAllFlows);
    add_pod("shop/scan", {"10.244.1.7"});
    for (int i = 0; i < 30; ++i) {
        tell(record(FlowRecordKind::kOpened, "10.244.1.7", "10.96.0.10"));
        tell(record(FlowRecordKind::kClosed, "10.244.1.8", "10.96.0.10"));
    }
    tell(record(FlowRecordKind::kDenied, "10.244.1.9", "10.96.0.10"));
    pass(500);
    const NewFlowReport early = node_->new_flows(10);
    EXPECT_EQ(early.sources.size(), 2u) << "the first second is not over";
    EXPECT_GE(early.milliseconds, 500u);
    EXPECT_LT(early.milliseconds, 1000u);
    pass(600);
    const NewFlowReport report = node_->new_flows(10);
    EXPECT_GE(report.milliseconds, 1000u);
    EXPECT_EQ(report.flows, 30u);
    ASSERT_EQ(report.sources.size(), 2u) << "who only ends some opens none";
    EXPECT_EQ(report.sources[0].flows, 30u);
    EXPECT_EQ(report.sources[0].pod, "shop/scan");
    EXPECT_EQ(report.sources[0].port, "uplink0");
    EXPECT_EQ(report.sources[0].last_to, "10.96.0.10:80");
    EXPECT_EQ(report.sources[1].denied, 1u);
    pass(8000);
    EXPECT_EQ(dataplane_.flow_sample, 0u) << "nobody has looked for a while";
}

TEST_F(FlowWatchTest, OfVeryManyASampleIsCountedAndMultiplied) {
    (void)node_->new_flows(10);
    for (int turn = 0; turn < 3; ++turn) {
        for (int i = 0; i < 25'000; ++i) {
            tell(record(FlowRecordKind::kOpened, "10.244.1.7", "10.96.0.10"));
        }
        pass(1000);
        (void)node_->new_flows(10);
    }
    EXPECT_LT(dataplane_.flow_sample, kAllFlows);
    const NewFlowReport report = node_->new_flows(10);
    EXPECT_GE(report.flows, 50'000u) << "each of this fake's counts for two or more";
}

}  // namespace
}  // namespace podlane::control
