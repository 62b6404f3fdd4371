#include "control/daemon/http_pages.h"

#include "tests/unit/daemon/http_fixture.h"

namespace podlane::control {
namespace {

class HttpPages : public HttpFixture {
  protected:
    HttpPages() {
        start();
        add_http_pages(server_, *node_, "DPDK 1.2.3", 10);
        listen();
    }
};

TEST_F(HttpPages, MetricsSpeakTheFormatThatIsAccepted) {
    const std::string plain = get("/metrics");
    EXPECT_NE(plain.find("Content-Type: text/plain; version=0.0.4"), std::string::npos) << plain;
    EXPECT_NE(plain.find("dpdk=\"DPDK 1.2.3\",node=\"node-a\"} 1\n"), std::string::npos) << plain;
    EXPECT_TRUE(get("/metrics", "Accept: application/openmetrics-text\r\n").ends_with("# EOF\n"));
}

TEST_F(HttpPages, MetricsAreTheNodesNumbers) {
    dataplane_.mutable_counters(0).drop(Drop::kNoRoute, 4);
    apply(R"(
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIP: 10.96.0.20, ports: [{port: 80}]}
)");
    const std::string text = get("/metrics");
    for (const char* line : {"podlane_drops_total{reason=\"no_route\"} 4\n",
                             "podlane_service_endpoints{namespace=\"shop\",service=\"web\"} 0\n",
                             "podlane_port_up{port=\"uplink0\",kind=\"uplink\"} 1\n"}) {
        EXPECT_NE(text.find(line), std::string::npos) << line << text;
    }
}

TEST_F(HttpPages, LostUplinkIsNotReadyAndNamed) {
    EXPECT_NE(get("/readyz").find(" 200 OK\r\n"), std::string::npos);
    deliver(event(EventKind::kPortLost, "0.0.0.0"));
    const std::string answer = get("/readyz");
    EXPECT_NE(answer.find(" 503 "), std::string::npos) << answer;
    EXPECT_NE(answer.find("\r\n\r\nnot ok\nuplink uplink0: its device is gone\n"),
              std::string::npos)
        << answer;
    EXPECT_NE(get("/healthz").find(" 200 OK\r\n"), std::string::npos);
}

}  // namespace
}  // namespace podlane::control
