#include "control/node/probes.h"

#include "control/show/probe_json.h"
#include "control/show/probe_view.h"
#include "tests/unit/node/node_fixture.h"

namespace podlane::control {
namespace {

class ProbesTest : public NodeFixture {
  protected:
    ProbesTest() {
        start();
        add_pod("default/web", {"10.244.1.10"});
    }
    std::string refusal_of(const ProbeQuestion& question) {
        const auto started = node_->start_probe(question);
        EXPECT_FALSE(started.ok());
        return started.ok() ? "" : started.refusal().error.message;
    }
};

TEST_F(ProbesTest, QuestionInWordsBecomesARequest) {
    const auto started = node_->start_probe({.points = {"in", "drop"},
                                             .port = "uplink0",
                                             .reason = "no_route",
                                             .filter = {"40 0 0 12", "6 0 0 65535"},
                                             .snap_bytes = 128,
                                             .packets_per_second = 7});
    ASSERT_TRUE(started.ok());
    EXPECT_EQ(started->ports, (std::vector<std::string>{"uplink0", "default/web"}));
    ASSERT_EQ(dataplane_.probes.size(), 1u);
    const ProbeRequest& request = dataplane_.probes.front();
    EXPECT_EQ(request.points, kProbeIn | kProbeDrop);
    EXPECT_EQ(request.port, uplink_);
    EXPECT_EQ(request.reason, Drop::kNoRoute);
    ASSERT_EQ(request.filter.size(), 2u);
    EXPECT_EQ(request.filter[0].code, 40);
    EXPECT_EQ(request.filter[1].value, 65535u);
    EXPECT_EQ(request.snap_bytes, 128);
    EXPECT_EQ(request.packets_per_second, 7u);
}

TEST_F(ProbesTest, WhatIsNotThereIsNamed) {
    EXPECT_EQ(refusal_of({.points = {"between"}}),
              "points: between is none of in, inside, out, drop");
    EXPECT_EQ(refusal_of({.port = "eth9"}),
              "port: there is no eth9; podlanectl get ports lists them");
    EXPECT_EQ(refusal_of({.reason = "bad_luck"}),
              "reason: bad_luck is no drop reason; podlanectl -o wide drops lists them");
    for (const char* line : {"", "1 2 3", "1 2 3 4 5", "70000 0 0 0", "1 300 0 0", "x 0 0 0"}) {
        EXPECT_EQ(refusal_of({.filter = {line}}),
                  "filter: \"" + std::string(line) + "\" is no instruction: CODE JT JF K");
    }
    EXPECT_FALSE(node_->read_probe(77).ok());
    EXPECT_FALSE(node_->stop_probe(77).ok());
}

TEST_F(ProbesTest, RecordsHaveNames) {
    apply(R"(
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIP: 10.96.0.20, ports: [{port: 80}]}
)");
    const ProbeId id = node_->start_probe({.points = {"drop"}})->probe;
    ProbeRecord record;
    record.packet = 5;
    record.point = kProbeDrop;
    record.verdict = "drop";
    record.reason = Drop::kServiceNoEndpoints;
    record.in_port = uplink_;
    record.flow = FlowTuple{6, address("10.244.1.10"), address("10.96.0.20"), 4000, 80};
    record.reply = FlowTuple{6, address("10.244.1.11"), address("10.244.1.10"), 8080, 4000};
    record.bytes = {1, 2, 3};
    record.wire_bytes = 60;
    dataplane_.probe_batch = {{record}, 9};
    const auto view = node_->read_probe(id);
    ASSERT_TRUE(view.ok());
    EXPECT_EQ(
        to_json(view.value()),
        (Json{{"packets", Json::array({Json{{"packet", 5},
                                            {"timeNs", 0},
                                            {"worker", 0},
                                            {"point", "drop"},
                                            {"verdict", "drop"},
                                            {"reason", "service_no_endpoints"},
                                            {"inPort", "uplink0"},
                                            {"flow", "TCP 10.244.1.10:4000 > 10.96.0.20:80"},
                                            {"replies", "TCP 10.244.1.11:8080 > 10.244.1.10:4000"},
                                            {"service", "shop/web"},
                                            {"wireBytes", 60},
                                            {"bytes", "AQID"}}})},
              {"missed", 9}}));
}

TEST_F(ProbesTest, WhoDoesNotReadAnyMoreLosesTheProbe) {
    const ProbeId read = node_->start_probe({.points = {"in"}})->probe;
    const ProbeId left = node_->start_probe({.points = {"in"}})->probe;
    pass(ProbeSessions::kPatienceMs - 100);
    EXPECT_TRUE(node_->read_probe(read).ok());
    EXPECT_TRUE(dataplane_.stopped_probes.empty());
    pass(150);
    EXPECT_EQ(dataplane_.stopped_probes, std::vector<ProbeId>{left});
    EXPECT_FALSE(node_->read_probe(left).ok());
    EXPECT_TRUE(node_->stop_probe(read).ok());
    EXPECT_EQ(dataplane_.stopped_probes, (std::vector<ProbeId>{left, read}));
}

}  // namespace
}  // namespace podlane::control
