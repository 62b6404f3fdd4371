#include "control/cli/report.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace podlane::control {
namespace {

using nlohmann::ordered_json;

ordered_json parsed(const char* text) {
    return ordered_json::parse(text);
}

const char* const kChange = R"({"generation": 12,
    "added": [{"kind": "Service", "namespace": "default", "name": "web"}],
    "changed": [{"kind": "Node", "name": "node-a"}],
    "removed": [{"kind": "Pod", "namespace": "default", "name": "old"}], "unchanged": 4})";

TEST(Report, AChangeNamesItsObjects) {
    EXPECT_EQ(change_text(parsed(kChange)),
              "Service default/web added\n"
              "Node node-a changed\n"
              "Pod default/old removed\n"
              "1 added, 1 changed, 1 removed, 4 unchanged; generation 12\n");
    EXPECT_EQ(plan_text(parsed(kChange)),
              "apply would add 1, change 1 and remove 1; 4 unchanged\n");
}

TEST(Report, AFeedersChangeCountsWhatWasRefused) {
    ordered_json reply = parsed(kChange);
    reply["refused"] = parsed(R"([{"kind": "Service", "namespace": "a", "name": "b"}])");
    EXPECT_NE(change_text(reply).find("1 removed, 1 refused, 4 unchanged"), std::string::npos);
}

const char* const kStats = R"({"generation": 7,
    "ports": [{"name": "uplink0", "kind": "uplink", "rxPackets": 1000, "rxBytes": 64000,
               "txPackets": 500, "txBytes": 32000, "rxDropped": 0, "txDropped": 2}],
    "workers": [{"id": 0, "cpu": 1, "tid": 99, "rxPackets": 1000, "busyCycles": 10, "idleCycles": 90,
                 "latency": {"buckets": [[850, 600], [1249, 395], [70000, 4], [2500000, 1]]}}],
    "drops": {"no_route": 3, "ttl_expired": 0},
    "flows": {"active": 5, "capacity": 100, "created": 50, "expired": 45, "evicted": 0, "refused": 0},
    "services": [{"service": "default/web", "created": 9}]})";

TEST(Report, StatsShowCountersByPortWorkerFlowServiceAndReason) {
    EXPECT_EQ(stats_text(parsed(kStats), std::nullopt),
              "generation 7\n\n"
              "PORT      RX-PACKETS   RX-BYTES   TX-PACKETS   TX-BYTES   RX-DROP   TX-DROP\n"
              "uplink0         1000      64000          500      32000         0         2\n\n"
              "WORKER   CPU   TID   RX-PACKETS    BUSY     P50     P99    P99.9\n"
              "     0     1    99         1000   10.0%   850ns   1.2us   70.0us\n\n"
              "FLOWS-ACTIVE   CAPACITY   CREATED   EXPIRED   EVICTED   REFUSED\n"
              "           5        100        50        45         0         0\n\n"
              "DROPPED    PACKETS\n"
              "no_route         3\n\n"
              "SERVICE       CONNECTIONS\n"
              "default/web             9\n");
}

TEST(Report, IdleServicesAreFoldedBelowThePorts) {
    ordered_json now = parsed(kStats);
    for (int i = 0; i < 300; ++i) {
        now["services"].push_back({{"service", fmt::format("shop/s{}", i)}, {"created", 0}});
    }
    const std::string text = stats_text(now, std::nullopt);
    EXPECT_EQ(text.find("shop/s1"), std::string::npos);
    EXPECT_NE(text.find("300 Services without connections (-o wide shows them)\n"),
              std::string::npos)
        << text;
    EXPECT_LT(text.find("uplink0"), text.find("SERVICE"));
    EXPECT_NE(stats_text(now, std::nullopt, {.wide = true}).find("shop/s299"), std::string::npos);
    // Watched, one is idle that had no connection since the turn before.
    EXPECT_NE(stats_text(now, StatsBefore{now, 1}).find("301 Services without new connections"),
              std::string::npos);
}

TEST(Report, StagesAreShownWhereThereIsRoomForAll) {
    ordered_json now = parsed(kStats);
    now["stages"] = {{"parse", {{"in", 12}, {"out", 11}}}, {"tx", {{"in", 11}, {"out", 9}}}};
    EXPECT_EQ(stats_text(now, std::nullopt).find("STAGE"), std::string::npos);
    const std::string text = stats_text(now, std::nullopt, {.wide = true});
    EXPECT_NE(text.find("STAGE   IN   OUT\nparse   12    11\ntx      11     9\n"),
              std::string::npos)
        << text;
    ordered_json later = now;
    later["stages"]["parse"]["in"] = 32;
    EXPECT_NE(stats_text(later, StatsBefore{now, 2}, {.wide = true})
                  .find("IN-PPS\nparse   32    11       10\n"),
              std::string::npos)
        << stats_text(later, StatsBefore{now, 2}, {.wide = true});
}

TEST(Report, StatsShowWhatTheNameServerDid) {
    ordered_json stats = parsed(kStats);
    stats["dns"] = parsed(R"({
        "workers": {"answer": 9, "nodata": 1, "nxdomain": 8, "formerr": 1, "notimp": 1,
                    "refused": 1, "badversion": 1, "servfail": 1, "forward": 4},
        "server": {"outcomes": {"answer": 2, "nodata": 0, "nxdomain": 1, "formerr": 0, "notimp": 0,
                                "refused": 0, "badversion": 0, "servfail": 0, "forward": 4},
                   "upstreams": [{"server": "192.0.2.1:53", "healthy": true, "asked": 4, "failed": 0},
                                 {"server": "192.0.2.2:53", "healthy": false, "asked": 3,
                                  "failed": 3}]}})");
    const std::string text = stats_text(stats, std::nullopt);
    EXPECT_NE(text.find("DNS       ANSWER   NODATA   NXDOMAIN   ERROR   FORWARD\n"
                        "workers        9        1          8       5         4\n"
                        "server         2        0          1       0         4\n\n"
                        "UPSTREAM       STATE       ASKED   FAILED\n"
                        "192.0.2.1:53   healthy         4        0\n"
                        "192.0.2.2:53   unhealthy       3        3\n"),
              std::string::npos)
        << text;
}

TEST(Report, StatsNameTheDestinationsThatRanOutOfSourcePorts) {
    const std::string text = stats_text(
        parsed(R"({"snat": {"tries": 9, "exhausted": [{"protocol": "TCP", "from": "192.168.50.1",
                 "to": "203.0.113.9:443", "refused": 12}]}})"),
        std::nullopt);
    EXPECT_NE(text.find("PROTOCOL   NO-PORT-FREE-FROM   TO                REFUSED\n"
                        "TCP        192.168.50.1        203.0.113.9:443        12\n"),
              std::string::npos)
        << text;
}

TEST(Report, WatchedStatsShowRatesSinceTheTurnBefore) {
    ordered_json now = parsed(kStats);
    now["ports"][0]["rxPackets"] = 3'001'000;
    now["ports"][0]["rxBytes"] = 64'000 + 2 * 125'000'000;
    now["workers"][0]["busyCycles"] = 110;
    now["workers"][0]["idleCycles"] = 190;
    now["workers"][0]["latency"]["buckets"] = parsed(
        "[[850, 600], [1249, 395], [70000, 4], "
        "[900000, 10], [2500000, 2]]");
    now["flows"]["created"] = 150;
    now["drops"]["ttl_expired"] = 40;
    ordered_json fresh = now["ports"][0];
    fresh["name"] = "default/new";
    now["ports"].push_back(fresh);
    const std::string text = stats_text(now, StatsBefore{parsed(kStats), 2});
    EXPECT_NE(text.find(" 1.50M    1.00G        0        0 "), std::string::npos) << text;
    EXPECT_NE(text.find("<none>   <none>   <none>   <none> "), std::string::npos) << text;
    EXPECT_NE(text.find("50.0%   900.0us   2.5ms   2.5ms\n"), std::string::npos) << text;
    EXPECT_NE(text.find("CREATED/S\n"), std::string::npos);
    EXPECT_NE(text.find("       50\n"), std::string::npos) << text;
    EXPECT_NE(text.find("ttl_expired        40    20\n"), std::string::npos) << text;
}

TEST(Report, DropsShowWhatOccurredOrAll) {
    const auto drops = parsed(R"([{"reason": "no_route", "packets": 3, "help": "no route"},
                                {"reason": "too_big", "packets": 0, "help": "larger"}])");
    EXPECT_EQ(drops_text(drops),
              "REASON     PACKETS   HELP\n"
              "no_route         3   no route\n");
    EXPECT_EQ(drops_text(drops, {.wide = true}),
              "REASON     PACKETS   HELP\n"
              "no_route         3   no route\n"
              "too_big          0   larger\n");
    EXPECT_EQ(drops_text(parsed("[]")), "no packet was dropped\n");
}

TEST(Report, AnExplanationIsAListOfStepsAndAVerdict) {
    EXPECT_EQ(explain_text(parsed(R"({"steps": [
                {"stage": "service", "what": "10.96.0.10:80 -> 10.244.1.5:8080", "why": "1 of 2"},
                {"stage": "tx", "what": "port default/web"}],
                "verdict": "forward", "outPort": "default/web", "service": "default/web",
                "translatedTo": "10.244.1.5:8080"})")),
              " 1. service  10.96.0.10:80 -> 10.244.1.5:8080\n"
              "             1 of 2\n"
              " 2. tx       port default/web\n"
              "verdict: forward, port default/web, service default/web, to 10.244.1.5:8080\n");
    EXPECT_EQ(explain_text(parsed(R"({"steps": [], "verdict": "drop", "drop": "no_route"})")),
              "verdict: drop (no_route)\n");
}

TEST(Report, LongExplanationsAndHelpGoOnInTheNextLine) {
    const Screen narrow{.columns = 40, .is_known = true};
    EXPECT_EQ(explain_text(parsed(R"({"steps": [{"stage": "tx", "what": "port default/web",
                "why": "packets of up to 1450 bytes; larger ones are fragmented"}],
                "verdict": "forward"})"),
                           narrow),
              " 1. tx  port default/web\n"
              "        packets of up to 1450 bytes;\n"
              "        larger ones are fragmented\n"
              "verdict: forward\n");
    EXPECT_EQ(drops_text(parsed(R"([{"reason": "no_route", "packets": 3,
                "help": "no route to the destination"}])"),
                         narrow),
              "REASON    PACKETS  HELP\n"
              "no_route        3  no route to the\n"
              "                   destination\n");
}

TEST(Report, ResolveSaysWhichServersOutsideDoNotAnswer) {
    const char* const reply = R"({"name": "example.org", "type": "A", "records": [], "upstream":
        {"name": "example.org", "servers": ["192.0.2.1:53", "192.0.2.2:53"],
         "silent": ["192.0.2.2:53"]}})";
    EXPECT_EQ(resolve_text(parsed(reply)),
              "example.org A: example.org is asked for upstream: 192.0.2.1:53, 192.0.2.2:53 (does "
              "not answer)\n");
}

TEST(Report, HealthNamesTheProblems) {
    EXPECT_EQ(health_text(parsed(R"({"status": "degraded", "generation": 3, "uptimeSeconds": 3725,
                "node": "node-a", "workers": [{"id": 0, "alive": true}, {"id": 1, "alive": false}],
                "problems": ["worker 1 does not run"]})")),
              "degraded: node node-a, generation 3, up 1h02m, 1 of 2 workers alive\n"
              "  worker 1 does not run\n");
    EXPECT_EQ(health_text(parsed(R"({"status": "ok", "generation": 3, "uptimeSeconds": 5,
                "node": "node-a", "workers": [{"id": 0, "alive": true}], "problems": [],
                "elsewhere": ["DNS server 192.0.2.1:53 does not answer"]})")),
              "ok: node node-a, generation 3, up 5s, 1 of 1 workers alive\n"
              "  elsewhere: DNS server 192.0.2.1:53 does not answer\n");
    EXPECT_NE(health_text(parsed(R"({"ready": false})")).find("alive, not ready\n"),
              std::string::npos);
    EXPECT_NE(health_text(parsed(R"({"uptimeSeconds": 5})")).find("up 5s"), std::string::npos);
    EXPECT_NE(health_text(parsed(R"({"uptimeSeconds": 65})")).find("up 1m05s"), std::string::npos);
    EXPECT_NE(health_text(parsed(R"({"uptimeSeconds": 90000})")).find("up 1d01h"),
              std::string::npos);
}

TEST(Report, APodsPortIsToldInOneLine) {
    EXPECT_EQ(pod_add_text(parsed(R"({"port": {"name": "default/web", "id": 5,
                "mac": "02:00:0a:f4:01:0a", "addresses": ["10.244.1.10", "fd00::10"], "mtu": 1450,
                "netns": "/run/netns/web", "ifname": "eth0"}})")),
              "port default/web added: eth0 in /run/netns/web, 10.244.1.10,fd00::10 at "
              "02:00:0a:f4:01:0a, MTU 1450\n");
}

TEST(Report, FlannelsAnnotationsAreReadyToPaste) {
    EXPECT_EQ(
        flannel_text(parsed(R"({"node": "node-a", "vtepMac": "02:6d:2b:2f:c3:2f", "vni": 1,
                "port": 8472, "podCidrs": ["10.244.1.0/24"], "annotations": {
                "flannel.alpha.coreos.com/backend-type": "vxlan",
                "flannel.alpha.coreos.com/backend-data":
                    "{\"VNI\":1,\"VtepMAC\":\"02:6d:2b:2f:c3:2f\"}"}})")),
        "# node node-a: VTEP 02:6d:2b:2f:c3:2f, VNI 1, UDP port 8472, pods 10.244.1.0/24\n"
        "kubectl annotate --overwrite node node-a \\\n"
        "    flannel.alpha.coreos.com/backend-type='vxlan' \\\n"
        "    flannel.alpha.coreos.com/backend-data='{\"VNI\":1,\"VtepMAC\":\"02:6d:2b:2f:c3:2f\"}'"
        "\n");
}

TEST(Report, RepliesOfAnotherShapeAreShownAsEmpty) {
    for (const char* text : {"{}", "[]", "null", "3", R"({"steps": 1, "ports": 2, "drops": 3})"}) {
        const auto reply = parsed(text);
        EXPECT_NE(change_text(reply), "");
        EXPECT_NE(stats_text(reply, std::nullopt), "");
        EXPECT_NE(stats_text(reply, StatsBefore{reply, 1}), "");
        EXPECT_NE(drops_text(reply, {.wide = true}), "");
        EXPECT_NE(explain_text(reply), "");
        EXPECT_NE(health_text(reply), "");
        EXPECT_NE(pod_add_text(reply), "");
        EXPECT_NE(flannel_text(reply), "");
    }
}

}  // namespace
}  // namespace podlane::control
