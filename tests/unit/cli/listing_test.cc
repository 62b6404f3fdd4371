#include "control/cli/listing.h"

#include <gtest/gtest.h>

#include "control/cli/kinds.h"

namespace podlane::control {
namespace {

using nlohmann::ordered_json;

ordered_json json(const char* text) {
    return ordered_json::parse(text);
}

TEST(Listing, ServicesLookAsInKubectl) {
    const auto items = json(R"([
      {"metadata": {"name": "web", "namespace": "default"},
       "spec": {"type": "NodePort", "clusterIP": "10.96.0.10", "clusterIPs": ["10.96.0.10", "fd00::a"],
                "ports": [{"port": 80, "nodePort": 30080, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}],
                "selector": {"app": "web", "tier": "front"}, "sessionAffinity": "None",
                "externalTrafficPolicy": "Local", "internalTrafficPolicy": "Cluster"}},
      {"metadata": {"name": "lb", "namespace": "prod"},
       "spec": {"type": "LoadBalancer", "clusterIP": "10.96.0.11", "externalIPs": ["203.0.113.9"],
                "ports": [{"port": 443, "protocol": "TCP"}]},
       "status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.1"}, {"hostname": "lb.example"}]}}},
      {"metadata": {"name": "ext", "namespace": "prod"},
       "spec": {"type": "ExternalName", "externalName": "db.example.com"}}])");
    EXPECT_EQ(list_text("services", items, false),
              "NAME          TYPE           CLUSTER-IP           EXTERNAL-IP                       "
              "   PORT(S)\n"
              "default/web   NodePort       10.96.0.10,fd00::a   <none>                            "
              "   80:30080/TCP,53/UDP\n"
              "prod/lb       LoadBalancer   10.96.0.11           "
              "203.0.113.1,lb.example,203.0.113.9   443/TCP\n"
              "prod/ext      ExternalName   <none>               db.example.com                    "
              "   <none>\n");
    const std::string wide = list_text("services", items, true);
    EXPECT_NE(wide.find("SELECTOR"), std::string::npos);
    EXPECT_NE(wide.find("app=web,tier=front"), std::string::npos);
    EXPECT_NE(wide.find("Local"), std::string::npos);
}

TEST(Listing, AServiceThatWaitsForItsAddressSaysWhy) {
    const auto items = json(R"([{"metadata": {"name": "lb", "namespace": "prod"},
      "spec": {"type": "LoadBalancer"}, "status": {"loadBalancer": {}, "conditions": [
        {"type": "LoadBalancerAddress", "status": "False", "reason": "PoolExhausted",
         "message": "each of 4 is taken"}]}}])");
    EXPECT_NE(list_text("services", items, false).find("<pending>"), std::string::npos);
    const std::string wide = list_text("services", items, true);
    EXPECT_NE(wide.find("PoolExhausted: each of 4 is taken"), std::string::npos);
}

TEST(Listing, AddressesShowWhoAnswersForThem) {
    const auto items = json(R"([{"address": "192.0.2.1", "service": "prod/lb", "node": "node-b",
                                 "here": false, "candidates": ["node-a", "node-b"]}])");
    EXPECT_EQ(list_text("addresses", items, false),
              "ADDRESS     SERVICE   NODE\n"
              "192.0.2.1   prod/lb   node-b\n");
    EXPECT_NE(list_text("addresses", items, true).find("node-a,node-b"), std::string::npos);
}

TEST(Listing, PodsAndNodesShowAddressesAndReadiness) {
    EXPECT_EQ(list_text("pods", json(R"([
                {"metadata": {"name": "web-0", "namespace": "default"}, "spec": {"nodeName": "node-a"},
                 "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}],
                            "podIPs": [{"ip": "10.244.1.5"}, {"ip": "fd00::5"}]}},
                {"metadata": {"name": "new", "namespace": "default"}}])"),
                        false),
              "NAME            READY    STATUS    IP                   NODE\n"
              "default/web-0   True     Running   10.244.1.5,fd00::5   node-a\n"
              "default/new     <none>   <none>    <none>               <none>\n");
    EXPECT_EQ(list_text("nodes", json(R"([
                {"metadata": {"name": "node-a", "annotations":
                   {"flannel.alpha.coreos.com/backend-type": "vxlan"}},
                 "spec": {"podCIDRs": ["10.244.1.0/24"]},
                 "status": {"addresses": [{"type": "Hostname", "address": "a"},
                                          {"type": "InternalIP", "address": "192.168.50.1"}]}}])"),
                        true),
              "NAME     READY    INTERNAL-IP    POD-CIDRS       EXTERNAL-IP   BACKEND   "
              "BACKEND-DATA   LABELS\n"
              "node-a   <none>   192.168.50.1   10.244.1.0/24   <none>        vxlan     <none>     "
              "    <none>\n");
}

TEST(Listing, EndpointSlicesTellWhichEndpointsGetNoTraffic) {
    const auto items = json(R"([{"metadata": {"name": "web-1", "namespace": "default",
        "labels": {"kubernetes.io/service-name": "web"}}, "addressType": "IPv4",
        "ports": [{"port": 8080}, {"port": 8443}],
        "endpoints": [{"addresses": ["10.244.1.5"], "conditions": {"ready": true}},
                      {"addresses": ["10.244.1.6"], "conditions": {"ready": false}},
                      {"addresses": ["10.244.1.7"], "conditions": {"ready": false, "terminating": true}},
                      {"addresses": ["10.244.1.8"]}]}])");
    EXPECT_EQ(list_text("endpointslices", items, true),
              "NAME            ADDRESSTYPE   PORTS       ENDPOINTS"
              "                                                           SERVICE\n"
              "default/web-1   IPv4          8080,8443   "
              "10.244.1.5,10.244.1.6(unready),10.244.1.7(terminating),10.244.1.8   web\n");
    EXPECT_EQ(list_text("endpoints", json(R"([{"metadata": {"name": "web", "namespace": "default"},
        "subsets": [{"addresses": [{"ip": "10.244.1.5"}]}, {"addresses": [{"ip": "10.244.1.6"}]}]}])"),
                        false),
              "NAME          ENDPOINTS\n"
              "default/web   10.244.1.5,10.244.1.6\n");
}

TEST(Listing, PoliciesNamespacesAndIngresses) {
    EXPECT_EQ(list_text("networkpolicies", json(R"([
                {"metadata": {"name": "all", "namespace": "a"}, "spec": {"podSelector": {}}},
                {"metadata": {"name": "web", "namespace": "a"},
                 "spec": {"podSelector": {"matchLabels": {"app": "web"}}},
                 "status": {"podsHere": 2}}])"),
                        false),
              "NAME    POD-SELECTOR   PODS-HERE\n"
              "a/all   <all>          <none>\n"
              "a/web   app=web        2\n");
    EXPECT_EQ(list_text("namespaces", json(R"([{"metadata": {"name": "a"}}])"), false),
              "NAME\na\n");
    EXPECT_EQ(list_text("ingresses", json(R"([{"metadata": {"name": "i", "namespace": "a"},
                "spec": {"ingressClassName": "nginx", "rules": [{"host": "x.org"}, {}]},
                "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"},
                                                        {"hostname": "lb.x.org"}]}}}])"),
                        false),
              "NAME   CLASS   HOSTS   ADDRESS\na/i    nginx   x.org   192.0.2.1,lb.x.org\n");
}

TEST(Listing, LiveStateIsLinedUp) {
    EXPECT_EQ(list_text("ports", json(R"([
                {"name": "uplink0", "id": 1, "kind": "uplink", "device": "net_tap0", "state": "up",
                 "mac": "02:00:00:00:00:01", "mtu": 1500, "addresses": ["192.168.50.1/24"], "queues": 2},
                {"name": "default/web", "id": 5, "kind": "pod", "state": "up",
                 "mac": "02:00:0a:f4:01:0a", "mtu": 1450, "addresses": ["10.244.1.10"], "queues": 1}])"),
                        false),
              "NAME          KIND     STATE   MAC                  MTU   ADDRESSES\n"
              "uplink0       uplink   up      02:00:00:00:00:01   1500   192.168.50.1/24\n"
              "default/web   pod      up      02:00:0a:f4:01:0a   1450   10.244.1.10\n");
    EXPECT_EQ(list_text("neighbors", json(R"([
                {"address": "192.168.50.2", "mac": "02:00:00:00:00:02", "port": "uplink0",
                 "state": "reachable", "ageSeconds": 12},
                {"address": "192.168.50.3", "mac": "", "port": "uplink0", "state": "incomplete"}])"),
                        false),
              "ADDRESS        MAC                 PORT      STATE           AGE\n"
              "192.168.50.2   02:00:00:00:00:02   uplink0   reachable       12s\n"
              "192.168.50.3   <none>              uplink0   incomplete   <none>\n");
    EXPECT_EQ(list_text("workers", json(R"([{"id": 0, "cpu": 1, "tid": 4711, "generation": 3,
                "rxPackets": 100, "busyCycles": 25, "idleCycles": 75, "queues": ["uplink0:0"]}])"),
                        false),
              "ID   CPU    TID   GENERATION   RX-PACKETS    BUSY   QUEUES\n"
              " 0     1   4711            3          100   25.0%   uplink0:0\n");
    EXPECT_EQ(list_text("frontends", json(R"([{"service": "default/web", "portName": "",
                "kind": "NodePort", "address": "*", "protocol": "TCP", "port": 30080,
                "inside": ["10.244.1.5:8080", "[fd00::5]:8080"], "outside": [],
                "whenEmpty": "reject", "affinitySeconds": 0, "sourceRanges": []}])"),
                        false),
              "SERVICE       PORTNAME   KIND       ADDRESS   PORT        INSIDE\n"
              "default/web   <none>     NodePort   *         30080/TCP   "
              "10.244.1.5:8080,[fd00::5]:8080\n");
}

TEST(Listing, EveryKindHasColumnsAndWideHasNoFewer) {
    for (const CliKind& kind : cli_kinds()) {
        const bool has_object_columns = !object_columns(kind.plural).empty();
        EXPECT_EQ(has_object_columns, kind.is_object) << kind.plural;
        EXPECT_EQ(live_columns(kind.plural).empty(), kind.is_object) << kind.plural;
        const auto items = json(R"([{}, 1, null, {"metadata": 5, "spec": [], "status": "x"}])");
        EXPECT_LE(list_text(kind.plural, items, false).size(),
                  list_text(kind.plural, items, true).size());
        EXPECT_EQ(list_text(kind.plural, json("[]"), false),
                  "no " + std::string(kind.plural) + '\n');
    }
}

TEST(Listing, LongListsAreCutExceptWhenWide) {
    const auto items = json(R"([{"name": "p", "addresses": ["1", "2", "3", "4", "5", "6"]}])");
    EXPECT_NE(list_text("ports", items, false).find("1,2,3,4,+2 more\n"), std::string::npos);
    EXPECT_NE(list_text("ports", items, true).find("1,2,3,4,5,6"), std::string::npos);
    const auto four = json(R"([{"name": "p", "addresses": ["1", "2", "3", "4"]}])");
    EXPECT_NE(list_text("ports", four, false).find("1,2,3,4\n"), std::string::npos);
}

TEST(Listing, AColumnMayBeForWideAlone) {
    const ListColumn column = wide_column(list_column("A", "/a"));
    EXPECT_TRUE(column.is_wide);
    EXPECT_EQ(column.cell({{"a", 1}}), "1");
}

}  // namespace
}  // namespace podlane::control
