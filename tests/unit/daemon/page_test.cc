#include "control/daemon/page.h"

#include <nlohmann/json.hpp>

#include "tests/unit/daemon/http_fixture.h"

namespace podlane::control {
namespace {

class Page : public HttpFixture {
  protected:
    Page() {
        start();
        add_page(server_, *node_, dataplane_);
        listen();
    }
    Json json(const std::string& path) {
        const std::string answer = get(path);
        const size_t body = answer.find("\r\n\r\n");
        EXPECT_NE(answer.find(" 200 OK\r\n"), std::string::npos) << answer;
        EXPECT_NE(answer.find("\r\nContent-Type: application/json\r\n"), std::string::npos);
        EXPECT_NE(answer.find("\r\nCache-Control: no-store\r\n"), std::string::npos);
        return body == std::string::npos ? Json() : Json::parse(answer.substr(body + 4));
    }
    static void expect_guards(const std::string& answer) {
        for (const char* header :
             {"\r\nContent-Security-Policy: default-src 'none'; script-src 'self'; style-src "
              "'self'; "
              "connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; "
              "frame-ancestors 'none'\r\n",
              "\r\nX-Content-Type-Options: nosniff\r\n",
              "\r\nCross-Origin-Resource-Policy: same-origin\r\n"}) {
            EXPECT_NE(answer.find(header), std::string::npos) << header << answer.substr(0, 600);
        }
    }
};

TEST_F(Page, AnswersCarryTheirGuards) {
    for (const char* path : {"/", "/page/main.js", "/page/uPlot.iife.min.js", "/page/node.json",
                             "/page/numbers.json", "/page/thing.json?name=default/web"}) {
        const std::string answer = get(path, "Host: localhost\r\n");
        EXPECT_TRUE(answer.starts_with("HTTP/1.1 ")) << path;
        expect_guards(answer);
    }
    EXPECT_NE(get("/").find("\r\nContent-Type: text/html; charset=utf-8\r\n"), std::string::npos);
}

TEST_F(Page, NothingChangesByHttpAndOtherPathsAreNotFound) {
    EXPECT_TRUE(ask("POST /page/node.json HTTP/1.1\r\n").starts_with("HTTP/1.1 405 "));
    EXPECT_TRUE(ask("DELETE / HTTP/1.1\r\n").starts_with("HTTP/1.1 405 "));
    for (const char* path :
         {"/page", "/page/", "/page/../control", "/page/main.jsx", "/index.html"}) {
        EXPECT_TRUE(get(path).starts_with("HTTP/1.1 404 ")) << path;
    }
}

/// Also where the server is not at a loopback address, and does not look at Host itself.
TEST_F(Page, OtherSitesNamesAreNoHost) {
    HttpServer open(io_);
    add_page(open, *node_, dataplane_);
    open.listen(*parse_ip("0.0.0.0"), 0);
    for (const char* path : {"/", "/page/node.json", "/page/thing.json"}) {
        for (const char* host :
             {"evil.example", "localhost.evil.example", "127.0.0.1.evil.example"}) {
            const std::string answer =
                get(path, "Host: " + std::string(host) + "\r\n", open.port());
            EXPECT_TRUE(answer.starts_with("HTTP/1.1 403 ")) << path << host;
            expect_guards(answer);
        }
        EXPECT_FALSE(
            get(path, "Host: 192.0.2.1:9967\r\n", open.port()).starts_with("HTTP/1.1 403 "))
            << path;
    }
}

TEST_F(Page, FileIsSentOnceToWhoKeepsIt) {
    const std::string first = get("/page/main.js");
    const size_t tag = first.find("\r\nETag: ");
    ASSERT_NE(tag, std::string::npos) << first.substr(0, 600);
    EXPECT_NE(first.find("\r\nCache-Control: no-cache\r\n"), std::string::npos);
    const std::string value = first.substr(tag + 8, first.find("\r\n", tag + 8) - tag - 8);
    const std::string second = get("/page/main.js", "If-None-Match: " + value + "\r\n");
    EXPECT_TRUE(second.starts_with("HTTP/1.1 304 ")) << second;
    expect_guards(second);
}

TEST_F(Page, NodeIsWhatOtherFacesShow) {
    add_pod("default/web-1", {"10.244.1.10"});
    apply(R"(
apiVersion: v1
kind: Pod
metadata: {name: web-1, namespace: default}
spec: {nodeName: node-a}
status: {podIP: 10.244.1.10}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed, namespace: default}
spec: {podSelector: {}, policyTypes: [Ingress]}
)");
    apply(kWebService);
    const Json node = json("/page/node.json");
    EXPECT_EQ(node["health"]["node"], "node-a");
    EXPECT_EQ(node["ports"], to_json(node_->get("ports", {}, 0).value()));
    EXPECT_EQ(node["policies"]["default/web-1"]["ingress"], Json::array({"default/closed"}));
    EXPECT_EQ(node["policies"]["default/web-1"]["egress"], Json::array());
    EXPECT_EQ(node["frontends"]["items"][0]["service"], "default/web");
    for (const Json& row : node["neighbors"]["items"]) EXPECT_NE(row["port"], "default/web-1");
    for (const Json& row : node["routes"]["items"]) {
        EXPECT_TRUE(row.contains("node") || row["kind"] == "default") << row;
    }
}

TEST_F(Page, NumbersAreThoseOfStatsAndHaveTheirTime) {
    dataplane_.mutable_counters(0).drop(Drop::kNoRoute, 4);
    dataplane_.mutable_counters(0).at(PipelineStage::kSlowPath).in.add(3);
    dataplane_.mutable_counters(0).at(PipelineStage::kSlowPath).kept.add(1);
    const Json numbers = json("/page/numbers.json");
    EXPECT_EQ(numbers["stats"]["drops"]["no_route"], 4);
    EXPECT_EQ(numbers["stats"]["stages"]["slow_path"], (Json{{"in", 3}, {"out", 2}}));
    EXPECT_GT(numbers["atMs"], 0);
    // Whoever asks at once is told the same, at no cost.
    dataplane_.mutable_counters(0).drop(Drop::kNoRoute, 1);
    EXPECT_EQ(json("/page/numbers.json"), numbers);
}

TEST_F(Page, WhoLooksAtItHasOtherNodesCounted) {
    apply(
        "{apiVersion: v1, kind: Node, metadata: {name: node-b}, spec: {podCIDRs: [10.244.2.0/24]}, "
        "status: {addresses: [{type: InternalIP, address: 192.168.50.2}]}}");
    (void)json("/page/node.json");
    EXPECT_FALSE(dataplane_.counts_peers);
    const Json numbers = json("/page/numbers.json");
    EXPECT_TRUE(dataplane_.counts_peers);
    EXPECT_EQ(numbers["peers"], (Json{{"milliseconds", 0}, {"peers", Json::array()}}));
}

TEST_F(Page, NamesOfAThingAreTakenAsTheyAre) {
    EXPECT_EQ(json("/page/thing.json")["flows"]["kind"], "flows");
    EXPECT_EQ(json("/page/thing.json?name=gone/pod")["flows"]["kind"], "flows");
    EXPECT_TRUE(
        get("/page/thing.json?name=" + std::string(1000, 'a')).starts_with("HTTP/1.1 400 "));
}

TEST_F(Page, WhatPodsAreCalledIsTextOfJson) {
    // No container runtime would take such a name; a static port's may come near.
    const std::string hostile = "default/</script><img src=x onerror=alert(1)>\"'\xff";
    dataplane_.add_uplink(hostile, kPeerMac);
    const Json node = json("/page/node.json");
    const std::string name = node["ports"]["items"].back()["name"];
    EXPECT_TRUE(name.starts_with("default/</script><img src=x onerror=alert(1)>\"'")) << name;
    EXPECT_EQ(get("/").find("onerror"), std::string::npos);
}

}  // namespace
}  // namespace podlane::control
