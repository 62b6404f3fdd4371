#include <fmt/format.h>

#include <set>

#include "control/node/counters.h"
#include "control/node/listings.h"
#include "control/node/live_view.h"
#include "control/node/log_level.h"
#include "control/node/routes.h"
#include "control/show/node_stats.h"
#include "control/show/rows.h"
#include "control/show/rows_json.h"
#include "control/show/stats_json.h"
#include "control/show/text.h"
#include "lib/border/log_level.h"
#include "lib/proto/ip_protocol.h"
#include "tests/unit/node/node_fixture.h"

namespace podlane::control {
namespace {

class Queries : public NodeFixture {
  protected:
    Queries() : NodeFixture(2) {
        start();
        add_pod("default/web", {"10.244.1.10"});
    }
    Json items(std::string_view kind, std::optional<std::string_view> name = std::nullopt) {
        return ok(node_->get(kind, name, std::nullopt)).at("items");
    }
    static std::set<std::string> keys(const Json& object) {
        std::set<std::string> out;
        for (const auto& [key, value] : object.items()) out.insert(key);
        return out;
    }
    void resolve_node_b() {
        apply(kNodeB);
        Event seen = event(EventKind::kNeighbourSeen, "192.168.50.2", kPeerMac);
        seen.solicited = true;
        deliver(seen);
    }
};

TEST_F(Queries, StatsHaveTheContractsShape) {
    auto& counters = dataplane_.mutable_counters(1);
    counters.drop(Drop::kNoRoute, 3);
    dataplane_.mutable_counters(0).drop(Drop::kNoRoute, 2);
    counters.rx_packets.add(9);
    counters.latency.add(1000, 8);
    counters.latency.add(20'000, 1);
    counters.affinity_full.add(6);
    counters.ports[index_of(uplink_)].rx_packets.add(9);
    counters.ports[index_of(uplink_)].tx_dropped.add(4);
    counters.snat_tries.add(8);
    counters.snat_shortages.refuse(
        {parse_ip("192.168.50.1")->as<V4>(), parse_ip("203.0.113.9")->as<V4>(), 443, kProtocolTcp});
    dataplane_.totals = {.active = 1, .capacity = 1000, .created = 5, .expired = 4};

    const Json stats = ok(node_->stats());
    EXPECT_EQ(keys(stats), (std::set<std::string>{"generation", "ports", "workers", "drops",
                                                  "flows", "services", "affinity", "snat",
                                                  "loadBalancer", "frames", "objects", "stages"}));
    EXPECT_EQ(stats.at("affinity"), (Json{{"capacity", 250}, {"full", 6}}));
    EXPECT_EQ(stats.at("snat"), (Json{{"tries", 8},
                                      {"exhausted",
                                       {{{"protocol", "TCP"},
                                         {"from", "192.168.50.1"},
                                         {"to", "203.0.113.9:443"},
                                         {"refused", 1}}}}}));
    EXPECT_EQ(stats.at("generation"), generation());
    EXPECT_EQ(stats.at("ports")[0],
              (Json{{"name", "uplink0"},
                    {"kind", "uplink"},
                    {"device", "net_null0"},
                    {"rxPackets", 9},
                    {"rxBytes", 0},
                    {"txPackets", 0},
                    {"txBytes", 0},
                    {"rxDropped", 0},
                    {"txDropped", 4},
                    {"deviceLosses",
                     {{"rxMissed", 0}, {"rxErrors", 0}, {"rxNoBuffer", 0}, {"txErrors", 0}}}}));
    ASSERT_EQ(stats.at("workers").size(), 2u);
    EXPECT_EQ(stats.at("workers")[1], (Json{{"id", 1},
                                            {"cpu", 1},
                                            {"tid", gettid()},
                                            {"rxPackets", 9},
                                            {"busyCycles", 0},
                                            {"idleCycles", 0},
                                            {"latency",
                                             {{"p50Ns", 1023},
                                              {"p99Ns", 20479},
                                              {"p999Ns", 20479},
                                              {"buckets", {{1023, 8}, {20479, 1}}}}}}));
    EXPECT_EQ(stats.at("workers")[0].at("latency").at("p50Ns"), 0) << "no packet yet";
    EXPECT_EQ(stats.at("drops").at("no_route"), 5);
    EXPECT_EQ(stats.at("drops").size(), kDropCount - 1);
    EXPECT_EQ(stats.at("flows"), (Json{{"active", 1},
                                       {"capacity", 1000},
                                       {"created", 5},
                                       {"expired", 4},
                                       {"evicted", 0},
                                       {"refused", 0},
                                       {"kernel", 0}}));
}

TEST_F(Queries, ConnectionsAreCountedByService) {
    apply(kWebService);
    const auto* frontend = live().v4.frontends.find({address("10.96.0.10").as<V4>(), be16(80), 6});
    ASSERT_NE(frontend, nullptr);
    dataplane_.mutable_counters(0).service_connections[index_of(frontend->service)].add(2);
    dataplane_.mutable_counters(1).service_connections[index_of(frontend->service)].add(3);
    const Json stats = ok(node_->stats());
    EXPECT_EQ(stats.at("services"), (Json::array({{{"service", "default/web"}, {"created", 5}}})));
}

TEST_F(Queries, DropsListEveryReasonWithHelp) {
    dataplane_.mutable_counters(0).drop(Drop::kNoRoute, 3);
    const Json drops = ok(node_->drops());
    ASSERT_EQ(drops.size(), kDropCount - 1);
    for (const Json& drop : drops) {
        EXPECT_FALSE(drop.at("help").get<std::string>().empty());
        EXPECT_EQ(drop.at("packets"), drop.at("reason") == "no_route" ? 3 : 0);
    }
}

TEST_F(Queries, PortsTellTheirPods) {
    const Json ports = items("ports");
    ASSERT_EQ(ports.size(), 3u);
    const Json web = items("ports", "default/web")[0];
    EXPECT_EQ(web.at("kind"), "pod");
    EXPECT_EQ(web.at("pod"), "default/web");
    EXPECT_EQ(web.at("netns"), "/run/netns/web");
    EXPECT_EQ(web.at("ifname"), "eth0");
    EXPECT_EQ(web.at("addresses"), (Json{"10.244.1.10"}));
    EXPECT_EQ(web.at("queues"), 2);
    EXPECT_EQ(web.at("state"), "up");
    EXPECT_EQ(failure(node_->get("ports", "no/such", std::nullopt)).code, rpc_code::kNotFound);
}

TEST_F(Queries, PoliciesTellHowManyPodsOfThisNodeTheySelect) {
    const auto policy = [](const char* name, const char* selector) {
        return fmt::format(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: {}}}\n"
            "spec: {{podSelector: {}}}\n",
            name, selector);
    };
    apply(policy("all", "{}"));
    apply(policy("others", "{matchLabels: {app: other}}"));
    const Json listed = items("networkpolicies");
    EXPECT_EQ(listed[0].at("status").at("podsHere"), 1);
    EXPECT_EQ(listed[1].at("status").at("podsHere"), 0);
    EXPECT_EQ(items("networkpolicies", "default/all")[0].at("status").at("podsHere"), 1);
    apply(items("networkpolicies")[0].dump());
}

TEST_F(Queries, NeighborsShowStateAndAge) {
    resolve_node_b();
    now_ms_ += 3000;
    const Json peer = items("neighbors", "192.168.50.2")[0];
    EXPECT_EQ(peer, (Json{{"address", "192.168.50.2"},
                          {"mac", to_string(kPeerMac)},
                          {"port", "uplink0"},
                          {"state", "reachable"},
                          {"ageSeconds", 3}}));
    const Json gateway = items("neighbors", "192.168.50.254")[0];
    EXPECT_EQ(gateway.at("state"), "incomplete");
    EXPECT_EQ(gateway.at("mac"), "");
    EXPECT_EQ(items("neighbors", "10.244.1.10")[0].at("state"), "static");
}

TEST_F(Queries, FdbHasPodsLearnedAndRemoteMacs) {
    resolve_node_b();
    Event learned;
    learned.kind = EventKind::kMacLearned;
    learned.port = port_of("default/web");
    learned.mac = {{2, 0, 0, 0, 9, 9}};
    deliver(learned);
    const Json fdb = items("fdb");
    ASSERT_EQ(fdb.size(), 3u) << fdb.dump();
    EXPECT_EQ(fdb[0].at("kind"), "static");
    EXPECT_EQ(fdb[1], (Json{{"mac", "02:00:00:00:09:09"},
                            {"port", "default/web"},
                            {"kind", "learned"},
                            {"ageSeconds", 0}}));
    EXPECT_EQ(fdb[2], (Json{{"mac", "02:00:00:76:74:02"},
                            {"port", "overlay"},
                            {"kind", "remote"},
                            {"vtep", "192.168.50.2"}}));
}

TEST_F(Queries, RoutesSayWhatTheyAreFor) {
    resolve_node_b();
    const Json node = items("routes", "10.244.2.0/24")[0];
    EXPECT_EQ(node.at("kind"), "node");
    EXPECT_EQ(node.at("node"), "node-b");
    EXPECT_EQ(node.at("overlay"), "vxlan");
    EXPECT_EQ(node.at("via"), "192.168.50.2");
    EXPECT_EQ(node.at("port"), "uplink0");
    EXPECT_EQ(items("routes", "10.244.1.10/32")[0].at("kind"), "pod");
    EXPECT_EQ(items("routes", "192.168.50.1/32")[0].at("kind"), "local");
    EXPECT_EQ(items("routes", "192.168.50.0/24")[0].at("kind"), "connected");
    const Json fallback = items("routes", "0.0.0.0/0")[0];
    EXPECT_EQ(fallback.at("kind"), "default");
    EXPECT_EQ(fallback.at("via"), "192.168.50.254");
    EXPECT_EQ(items("routes", "10.96.0.0/12")[0].at("kind"), "unreachable");
}

TEST_F(Queries, FlowsShowBothEndsAndTheTranslation) {
    apply(kWebService);
    const auto* frontend = live().v4.frontends.find({address("10.96.0.10").as<V4>(), be16(80), 6});
    FlowInfo flow;
    flow.protocol = 6;
    flow.src = address("10.244.1.10");
    flow.src_port = 40000;
    flow.dst = address("10.96.0.10");
    flow.dst_port = 80;
    flow.reply_src = address("10.244.1.10");
    flow.reply_src_port = 8080;
    flow.reply_dst = address("10.244.1.1");
    flow.reply_dst_port = 40001;
    flow.state = "ESTABLISHED";
    flow.age_seconds = 7;
    flow.idle_seconds = 2;
    flow.timeout_seconds = 100;
    flow.blocked = Drop::kPolicyIngress;
    flow.traffic = FlowTraffic{{3, 2}, {1560, 80}};
    flow.service = frontend->service;
    FlowInfo echo;
    echo.protocol = 1;
    echo.src = echo.reply_dst = address("192.168.50.77");
    echo.dst = echo.reply_src = address("192.168.50.1");
    dataplane_.connections = {flow, echo};

    const Json flows = items("flows");
    ASSERT_EQ(flows.size(), 2u);
    EXPECT_EQ(flows[0], (Json{{"protocol", "TCP"},
                              {"from", "10.244.1.10:40000"},
                              {"to", "10.96.0.10:80"},
                              {"translatedFrom", "10.244.1.1:40001"},
                              {"translatedTo", "10.244.1.10:8080"},
                              {"state", "ESTABLISHED"},
                              {"service", "default/web"},
                              {"inPort", "default/web"},
                              {"outPort", "default/web"},
                              {"worker", 0},
                              {"carrier", "worker"},
                              {"ageSeconds", 7},
                              {"idleSeconds", 2},
                              {"expiresSeconds", 100},
                              {"packets", 3},
                              {"bytes", 1560},
                              {"replyPackets", 2},
                              {"replyBytes", 80},
                              {"drop", "policy_ingress"}}));
    EXPECT_FALSE(flows[1].contains("packets"));
    EXPECT_EQ(flows[1].at("protocol"), "ICMP");
    EXPECT_EQ(flows[1].at("from"), "192.168.50.77");
    EXPECT_FALSE(flows[1].contains("service"));
    EXPECT_EQ(items("flows", "default/web").size(), 1u);
    EXPECT_EQ(items("flows", "192.168.50.1").size(), 1u);
    EXPECT_EQ(items("flows", "10.244.1.1").size(), 1u);
    EXPECT_TRUE(items("flows", "10.244.1.100").empty());
    EXPECT_EQ(items("flows", "10.96.0.10:80").size(), 1u);
    EXPECT_TRUE(items("flows", "10.96.0.10:8080").empty());
}

// As kubectl's NotFound; a Service or Pod that has no connection is another matter.
TEST_F(Queries, FlowsOfAnUnknownNameAreNotFound) {
    for (const char* name : {"default/nobody", "shop/", "web"}) {
        EXPECT_EQ(failure(node_->get("flows", name, std::nullopt)).code, rpc_code::kNotFound)
            << name;
    }
    EXPECT_NE(failure(node_->get("flows", "default/nobody", std::nullopt))
                  .message.find("flows of \"default/nobody\" not found"),
              std::string::npos);
    EXPECT_TRUE(items("flows", "192.0.2.99").empty());
}

TEST_F(Queries, FlowsAreCutAtTheLimit) {
    dataplane_.connections.resize(5);
    dataplane_.totals.active = 5;
    const Json reply = ok(node_->get("flows", std::nullopt, 3));
    EXPECT_EQ(reply.at("items").size(), 3u);
    EXPECT_EQ(reply.at("total"), 5);
    const auto next = reply.at("next").get<FlowCursor>();
    const Json rest = ok(node_->get_flows({}, 3, next));
    EXPECT_EQ(rest.at("items").size(), 2u);
    EXPECT_FALSE(rest.contains("next"));
}

TEST_F(Queries, ANameAmongManyFlowsIsLookedForPageByPage) {
    FlowInfo other, wanted;
    other.src = other.dst = other.reply_src = other.reply_dst = address("192.168.50.1");
    wanted = other;
    wanted.src = address("10.244.1.10");
    dataplane_.connections = {other, other, other, wanted, other};
    EXPECT_EQ(items("flows", "10.244.1.10").size(), 1u);
    EXPECT_EQ(dataplane_.pages, (std::vector<FlowCursor>{0, 2, 4}));
    EXPECT_EQ(items("flows", "default/web").size(), 1u) << "the pod's";
}

TEST_F(Queries, FlowsAreFilteredByAllThatIsAsked) {
    apply(kWebService);
    const auto* frontend = live().v4.frontends.find({address("10.96.0.10").as<V4>(), be16(80), 6});
    FlowInfo web;
    web.protocol = 6;
    web.src = web.reply_dst = address("10.244.2.99");
    web.src_port = web.reply_dst_port = 40000;
    web.dst = address("10.96.0.10");
    web.dst_port = 80;
    web.reply_src = address("10.244.1.10");
    web.reply_src_port = 8080;
    web.state = "ESTABLISHED";
    web.service = frontend->service;
    web.age_seconds = 100;
    FlowInfo dns = web;
    dns.protocol = 17;
    dns.dst = dns.reply_src = address("192.0.2.1");
    dns.dst_port = dns.reply_src_port = 53;
    dns.state = "UNREPLIED";
    dns.service = kNoService;
    dns.age_seconds = 5;
    dns.worker = 1;
    dataplane_.connections = {web, dns};
    const auto count = [&](const FlowQuestion& question) {
        return ok(node_->get_flows(question, std::nullopt, 0)).at("items").size();
    };
    EXPECT_EQ(count({}), 2u);
    EXPECT_EQ(count({.pod = "default/web"}), 1u) << "a pod with a port here";
    EXPECT_EQ(count({.service = "default/web"}), 1u);
    EXPECT_EQ(count({.pod = "default/web", .port = 53}), 0u);
    EXPECT_EQ(count({.address = "10.244.2.99"}), 2u);
    EXPECT_EQ(count({.address = "192.0.2.1:53"}), 1u);
    EXPECT_EQ(count({.port = 8080}), 1u);
    EXPECT_EQ(count({.protocol = "UDP"}), 1u);
    EXPECT_EQ(count({.protocol = "6"}), 1u);
    EXPECT_EQ(count({.state = "unreplied"}), 1u);
    EXPECT_EQ(count({.worker = 1}), 1u);
    EXPECT_EQ(count({.older_s = 50}), 1u);
    EXPECT_EQ(count({.younger_s = 50}), 1u);
    EXPECT_EQ(count({.idle_s = 1}), 0u);
    apply(
        "{apiVersion: v1, kind: Pod, metadata: {name: far}, spec: {nodeName: node-b}, status: "
        "{podIP: 10.244.2.99, phase: Running}}");
    EXPECT_EQ(count({.pod = "default/far"}), 2u) << "a pod of another node";
    for (const FlowQuestion& wrong : {FlowQuestion{.pod = "default/nobody"},
                                      {.service = "default/nobody"},
                                      {.address = "somewhere"},
                                      {.protocol = "tpc"},
                                      {.protocol = "256"},
                                      {.state = "open"},
                                      {.worker = 7}}) {
        EXPECT_FALSE(node_->get_flows(wrong, std::nullopt, 0).ok());
    }
    const std::string states =
        failure(node_->get_flows({.state = "open"}, std::nullopt, 0)).message;
    for (const char* state : {"ESTABLISHED", "SYN_SENT", "TIME_WAIT", "UNREPLIED"}) {
        EXPECT_NE(states.find(state), std::string::npos) << states;
        EXPECT_TRUE(node_->get_flows({.state = state}, std::nullopt, 0).ok()) << state;
    }
}

TEST_F(Queries, ANameThatNothingLiveHasIsNotFound) {
    start();
    apply(kWebService);
    for (const auto& [kind, name] :
         std::vector<std::pair<std::string, std::string>>{{"ports", "nosuch"},
                                                          {"neighbors", "192.0.2.1"},
                                                          {"fdb", "02:42:ac:11:00:02"},
                                                          {"routes", "192.0.2.0/24"},
                                                          {"workers", "9"},
                                                          {"frontends", "default/nosuch"},
                                                          {"addresses", "192.0.2.1"}}) {
        const RpcFailure none = failure(node_->get(kind, name, std::nullopt));
        EXPECT_EQ(none.code, rpc_code::kNotFound) << kind;
        EXPECT_NE(none.message.find("not found"), std::string::npos) << none.message;
        EXPECT_TRUE(node_->get(kind, std::nullopt, std::nullopt).ok()) << kind;
    }
    EXPECT_FALSE(items("frontends", "default/web").empty());
    apply(
        "{apiVersion: v1, kind: Service, metadata: {name: headless}, spec: {clusterIP: None, "
        "ports: [{port: 80}]}}");
    EXPECT_TRUE(items("frontends", "default/headless").empty()) << "it is known, and has none";
}

TEST_F(Queries, TheLogsLevelIsToldAndChangedOnBothSides) {
    EXPECT_EQ(ok(node_->log_level(std::nullopt)).at("level"), "error") << "the tests' own";
    EXPECT_EQ(dataplane_.log_level, std::nullopt);
    for (const std::string_view name : kLogLevelNames) {
        EXPECT_EQ(ok(node_->log_level(name)).at("level"), name);
        EXPECT_EQ(dataplane_.log_level, parse_log_level(name));
        EXPECT_EQ(ok(node_->log_level(std::nullopt)).at("level"), name);
    }
    EXPECT_EQ(spdlog::get_level(), spdlog_level(LogLevel::kDebug));
    spdlog::set_level(spdlog::level::off);
    EXPECT_EQ(failure(node_->log_level("loud")).message,
              "level: loud is none of error, warning, info, debug");
}

TEST_F(Queries, WorkersTellTheirQueues) {
    const Json workers = items("workers");
    ASSERT_EQ(workers.size(), 2u);
    EXPECT_EQ(workers[1].at("generation"), generation());
    EXPECT_NE(workers[1].at("queues").dump().find("default/web:1"), std::string::npos);
    EXPECT_EQ(workers[1].at("queues").dump().find("uplink0"), std::string::npos);
    EXPECT_EQ(items("workers", "1").size(), 1u);
    EXPECT_EQ(failure(node_->get("workers", "7", std::nullopt)).code, rpc_code::kNotFound);
}

TEST_F(Queries, FrontendsHaveTheContractsShape) {
    apply(kWebService);
    const Json frontends = items("frontends", "default/web");
    ASSERT_EQ(frontends.size(), 2u);
    const Json endpoints = {"10.244.1.10:8080", "10.244.2.10:8080"};
    EXPECT_EQ(frontends[0], (Json{{"service", "default/web"},
                                  {"portName", "http"},
                                  {"kind", "ClusterIP"},
                                  {"address", "10.96.0.10"},
                                  {"protocol", "TCP"},
                                  {"port", 80},
                                  {"inside", endpoints},
                                  {"outside", endpoints},
                                  {"whenEmpty", "reject"},
                                  {"affinitySeconds", 0},
                                  {"sourceRanges", Json::array()}}));
    EXPECT_EQ(frontends[1].at("kind"), "NodePort");
    EXPECT_EQ(frontends[1].at("address"), "*");
    EXPECT_EQ(frontends[1].at("port"), 30080);
}

TEST(LiveView, NamesProtocolsAndEndpoints) {
    EXPECT_EQ(protocol_text(6), "TCP");
    EXPECT_EQ(protocol_text(17), "UDP");
    EXPECT_EQ(protocol_text(132), "SCTP");
    EXPECT_EQ(protocol_text(1), "ICMP");
    EXPECT_EQ(protocol_text(58), "ICMPv6");
    EXPECT_EQ(protocol_text(47), "47");
    EXPECT_EQ(endpoint_text(address("fd00::1"), 80), "[fd00::1]:80");
    EXPECT_EQ(endpoint_text(address("10.0.0.1"), 0), "10.0.0.1");
}

TEST(LiveView, AWorkerThatIsBoundToNoCpuIsSomewhere) {
    EXPECT_EQ(cpu_of({0, 7, gettid()}), 7);
    EXPECT_GE(cpu_of({0, -1, gettid()}), 0);
    EXPECT_EQ(cpu_of({0, -1, 1 << 30}), -1);
}

}  // namespace
}  // namespace podlane::control
