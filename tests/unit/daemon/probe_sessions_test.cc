#include "control/daemon/probe_sessions.h"

#include "control/show/probe_json.h"
#include "control/show/probe_view.h"
#include "tests/support/fake_probes.h"
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
        const auto started = sessions_.start(question, now_ms_);
        EXPECT_FALSE(started.ok());
        return started.ok() ? "" : started.refusal().error.message;
    }
    FakeProbes probes_;
    ProbeSessions sessions_{dataplane_, &probes_};
};

TEST_F(ProbesTest, QuestionInWordsBecomesARequest) {
    const auto started = sessions_.start({.points = {"in", "drop"},
                                          .port = "uplink0",
                                          .reason = "no_route",
                                          .filter = {"40 0 0 12", "6 0 0 65535"},
                                          .snap_bytes = 128,
                                          .packets_per_second = 7},
                                         now_ms_);
    ASSERT_TRUE(started.ok());
    EXPECT_EQ(started->ports, (std::vector<std::string>{"uplink0", "podlane0", "default/web"}));
    ASSERT_EQ(probes_.started.size(), 1u);
    const ProbeRequest& request = probes_.started.front();
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
    EXPECT_FALSE(sessions_.read(77, now_ms_).ok());
    EXPECT_FALSE(sessions_.stop(77).ok());
}

TEST_F(ProbesTest, RecordsHaveNames) {
    apply(R"(
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIP: 10.96.0.20, ports: [{port: 80}]}
)");
    const ProbeId id = sessions_.start({.points = {"drop"}}, now_ms_)->probe;
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
    probes_.batch = {{record}, 9};
    const auto view = sessions_.read(id, now_ms_);
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
    const ProbeId read = sessions_.start({.points = {"in"}}, now_ms_)->probe;
    const ProbeId left = sessions_.start({.points = {"in"}}, now_ms_)->probe;
    now_ms_ += ProbeSessions::kPatienceMs - 1;
    sessions_.tick(now_ms_);
    EXPECT_TRUE(sessions_.read(read, now_ms_).ok());
    EXPECT_TRUE(probes_.stopped.empty());
    now_ms_ += 1;
    sessions_.tick(now_ms_);
    EXPECT_EQ(probes_.stopped, std::vector<ProbeId>{left});
    EXPECT_FALSE(sessions_.read(left, now_ms_).ok());
    EXPECT_TRUE(sessions_.stop(read).ok());
    EXPECT_EQ(probes_.stopped, (std::vector<ProbeId>{left, read}));
}

TEST_F(ProbesTest, ItEndsWithTheConnectionThatStartedIt) {
    auto connection = std::make_shared<int>(0);
    ProbeQuestion question{.points = {"in"}};
    question.connection = connection;
    const ProbeId id = sessions_.start(question, now_ms_)->probe;
    sessions_.tick(++now_ms_);
    EXPECT_TRUE(sessions_.read(id, now_ms_).ok());
    connection.reset();
    sessions_.tick(++now_ms_);
    EXPECT_EQ(probes_.stopped, std::vector<ProbeId>{id});
    EXPECT_FALSE(sessions_.read(id, now_ms_).ok());
}

}  // namespace
}  // namespace podlane::control
