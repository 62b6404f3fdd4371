#include "control/cli/listing.h"

#include <gtest/gtest.h>

#include "control/cli/kinds.h"

namespace podlane::control {
namespace {

using nlohmann::ordered_json;

ordered_json json(const char* text) {
    return ordered_json::parse(text);
}

std::string listed(std::string_view kind, const ordered_json& items, bool is_wide) {
    return list_text(*find_kind(kind), items, {.columns = 200, .wide = is_wide});
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
    EXPECT_EQ(listed("services", items, false),
              "NAME          TYPE           CLUSTER-IP           EXTERNAL-IP                       "
              "   PORT(S)\n"
              "default/web   NodePort       10.96.0.10,fd00::a   <none>                            "
              "   80:30080/TCP,53/UDP\n"
              "prod/lb       LoadBalancer   10.96.0.11           "
              "203.0.113.1,lb.example,203.0.113.9   443/TCP\n"
              "prod/ext      ExternalName   <none>               db.example.com                    "
              "   <none>\n");
    const std::string wide = listed("services", items, true);
    EXPECT_NE(wide.find("SELECTOR"), std::string::npos);
    EXPECT_NE(wide.find("app=web,tier=front"), std::string::npos);
    EXPECT_NE(wide.find("Local"), std::string::npos);
}

TEST(Listing, AServiceThatWaitsForItsAddressSaysWhy) {
    const auto items = json(R"([{"metadata": {"name": "lb", "namespace": "prod"},
      "spec": {"type": "LoadBalancer"}, "status": {"loadBalancer": {}, "conditions": [
        {"type": "LoadBalancerAddress", "status": "False", "reason": "PoolExhausted",
         "message": "each of 4 is taken"}]}}])");
    EXPECT_NE(listed("services", items, false).find("<pending>"), std::string::npos);
    const std::string wide = listed("services", items, true);
    EXPECT_NE(wide.find("PoolExhausted: each of 4 is taken"), std::string::npos);
}

TEST(Listing, AddressesShowWhoAnswersForThem) {
    const auto items = json(R"([{"address": "192.0.2.1", "service": "prod/lb", "node": "node-b",
                                 "here": false, "candidates": ["node-a", "node-b"]}])");
    EXPECT_EQ(listed("addresses", items, false),
              "ADDRESS     SERVICE   NODE\n"
              "192.0.2.1   prod/lb   node-b\n");
    EXPECT_NE(listed("addresses", items, true).find("node-a,node-b"), std::string::npos);
}

TEST(Listing, PodsAndNodesShowAddressesAndReadiness) {
    EXPECT_EQ(listed("pods", json(R"([
                {"metadata": {"name": "web-0", "namespace": "default"}, "spec": {"nodeName": "node-a"},
                 "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}],
                            "podIPs": [{"ip": "10.244.1.5"}, {"ip": "fd00::5"}]}},
                {"metadata": {"name": "new", "namespace": "default"}}])"),
                     false),
              "NAME            READY    STATUS    IP                   NODE\n"
              "default/web-0   True     Running   10.244.1.5,fd00::5   node-a\n"
              "default/new     <none>   <none>    <none>               <none>\n");
    EXPECT_EQ(listed("nodes", json(R"([
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
    EXPECT_EQ(listed("endpointslices", items, true),
              "NAME            ADDRESSTYPE   PORTS       ENDPOINTS"
              "                                                           SERVICE\n"
              "default/web-1   IPv4          8080,8443   "
              "10.244.1.5,10.244.1.6(unready),10.244.1.7(terminating),10.244.1.8   web\n");
    EXPECT_EQ(listed("endpoints", json(R"([{"metadata": {"name": "web", "namespace": "default"},
        "subsets": [{"addresses": [{"ip": "10.244.1.5"}]}, {"addresses": [{"ip": "10.244.1.6"}]}]}])"),
                     false),
              "NAME          ENDPOINTS\n"
              "default/web   10.244.1.5,10.244.1.6\n");
}

TEST(Listing, PoliciesNamespacesAndIngresses) {
    EXPECT_EQ(listed("networkpolicies", json(R"([
                {"metadata": {"name": "all", "namespace": "a"}, "spec": {"podSelector": {}}},
                {"metadata": {"name": "web", "namespace": "a"},
                 "spec": {"podSelector": {"matchLabels": {"app": "web"}}},
                 "status": {"podsHere": 2}}])"),
                     false),
              "NAME    POD-SELECTOR   PODS-HERE\n"
              "a/all   <all>          <none>\n"
              "a/web   app=web        2\n");
    EXPECT_EQ(listed("namespaces", json(R"([{"metadata": {"name": "a"}}])"), false), "NAME\na\n");
    EXPECT_EQ(listed("ingresses", json(R"([{"metadata": {"name": "i", "namespace": "a"},
                "spec": {"ingressClassName": "nginx", "rules": [{"host": "x.org"}, {}]},
                "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"},
                                                        {"hostname": "lb.x.org"}]}}}])"),
                     false),
              "NAME   CLASS   HOSTS   ADDRESS\na/i    nginx   x.org   192.0.2.1,lb.x.org\n");
}

TEST(Listing, LiveStateIsLinedUp) {
    EXPECT_EQ(listed("ports", json(R"([
                {"name": "uplink0", "id": 1, "kind": "uplink", "device": "net_tap0", "state": "up",
                 "mac": "02:00:00:00:00:01", "mtu": 1500, "addresses": ["192.168.50.1/24"], "queues": 2},
                {"name": "default/web", "id": 5, "kind": "pod", "state": "up",
                 "mac": "02:00:0a:f4:01:0a", "mtu": 1450, "addresses": ["10.244.1.10"], "queues": 1}])"),
                     false),
              "NAME          STATE   MAC                  MTU   ADDRESSES\n"
              "uplink0       up      02:00:00:00:00:01   1500   192.168.50.1/24\n"
              "default/web   up      02:00:0a:f4:01:0a   1450   10.244.1.10\n");
    EXPECT_EQ(listed("neighbors", json(R"([
                {"address": "192.168.50.2", "mac": "02:00:00:00:00:02", "port": "uplink0",
                 "state": "reachable", "ageSeconds": 12},
                {"address": "192.168.50.3", "mac": "", "port": "uplink0", "state": "incomplete"}])"),
                     false),
              "ADDRESS        MAC                 PORT      STATE           AGE\n"
              "192.168.50.2   02:00:00:00:00:02   uplink0   reachable       12s\n"
              "192.168.50.3   <none>              uplink0   incomplete   <none>\n");
    EXPECT_EQ(listed("workers", json(R"([{"id": 0, "cpu": 1, "tid": 4711, "generation": 3,
                "rxPackets": 100, "busyCycles": 25, "idleCycles": 75, "queues": ["uplink0:0"]}])"),
                     false),
              "ID   CPU    TID   GENERATION   RX-PACKETS    BUSY   QUEUES\n"
              " 0     1   4711            3          100   25.0%   uplink0:0\n");
    EXPECT_EQ(listed("frontends", json(R"([{"service": "default/web", "portName": "",
                "kind": "NodePort", "address": "*", "protocol": "TCP", "port": 30080,
                "inside": ["10.244.1.5:8080", "[fd00::5]:8080"], "outside": [],
                "whenEmpty": "reject", "affinitySeconds": 0, "sourceRanges": []}])"),
                     false),
              "SERVICE       KIND       ADDRESS   PORT        INSIDE\n"
              "default/web   NodePort   *         30080/TCP   "
              "10.244.1.5:8080,[fd00::5]:8080\n");
}

TEST(Listing, EveryKindHasColumnsAndWideHasNoFewer) {
    for (const CliKind& kind : cli_kinds()) {
        const auto columns = kind.object ? object_columns(*kind.object) : live_columns(*kind.live);
        EXPECT_FALSE(columns.empty()) << kind.plural;
        const auto items = json(R"([{}, 1, null, {"metadata": 5, "spec": [], "status": "x"}])");
        EXPECT_LE(listed(kind.plural, items, false).size(),
                  listed(kind.plural, items, true).size());
        EXPECT_EQ(listed(kind.plural, json("[]"), false), "");
    }
}

// What a node with ordinary names and IPv4 addresses shows.
TEST(Listing, OrdinaryTablesFitEightyColumns) {
    const std::pair<const char*, const char*> lists[] = {
        {"ports", R"([{"name": "shop/web-7d4b9c6f5-x2x9z", "kind": "pod", "state": "up",
            "mac": "02:00:0a:f4:01:0a", "mtu": 1450, "addresses": ["10.244.1.10", "fd00:10::10"]}])"},
        {"flows", R"([{"protocol": "TCP", "from": "10.244.1.15:40000", "to": "10.96.0.10:8080",
            "translatedTo": "10.244.2.17:8080", "state": "established", "idleSeconds": 12}])"},
        {"frontends", R"([{"service": "shop/web", "kind": "LoadBalancer", "protocol": "TCP",
            "address": "192.168.50.207", "port": 30080,
            "inside": ["10.244.1.5:8080", "10.244.1.6:8080", "10.244.1.7:8080"]}])"},
        {"routes", R"([{"prefix": "10.244.2.0/24", "kind": "node", "via": "192.168.50.2",
            "port": "uplink0", "node": "node-b"}])"},
        {"workers",
         R"([{"id": 0, "cpu": 1, "tid": 471100, "generation": 1234, "rxPackets": 12345678,
            "busyCycles": 1, "idleCycles": 1, "queues": ["uplink0:0", "a/b:0", "c/d:0", "e/f:0"]}])"},
        {"services", R"([{"metadata": {"name": "web", "namespace": "shop"}, "spec": {
            "type": "LoadBalancer", "clusterIPs": ["10.96.0.10", "fd00:96::10"],
            "ports": [{"port": 80, "nodePort": 30080, "protocol": "TCP"},
                      {"port": 443, "nodePort": 30443, "protocol": "TCP"}]},
            "status": {"loadBalancer": {"ingress": [{"ip": "192.168.50.207"}]}}}])"},
    };
    for (const auto& [kind, items] : lists) {
        const std::string text = list_text(*find_kind(kind), json(items), {.is_known = true});
        size_t begin = 0;
        for (size_t end = 0; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
            EXPECT_LE(end - begin, 80U) << kind << '\n' << text;
        }
    }
}

TEST(Listing, APipeKeepsItsColumnsAndTheAddressesOfBothFamilies) {
    const auto items =
        json(R"([{"name": "shop/a-pod-with-a-long-name-7d4b9c6f5-x2x9z", "state": "up",
        "mac": "02:00:0a:f4:01:0a", "mtu": 1450,
        "addresses": ["10.244.1.10", "fd00:10::10", "fd00:10::11"]}])");
    const std::string text = list_text(*find_kind("ports"), items, {});
    EXPECT_NE(text.find("MTU"), std::string::npos) << text;
    EXPECT_NE(text.find("10.244.1.10,fd00:10::10,+1 more"), std::string::npos) << text;
}

TEST(Listing, ATerminalThatIsNarrowLosesTheLeastColumnsFirst) {
    const auto items = json(R"([{"protocol": "TCP", "from": "[fd00:10:244:1::15]:40000",
        "to": "[fd00:10:96::10]:8080", "translatedTo": "[fd00:10:244:2::17]:8080",
        "state": "established", "idleSeconds": 12}])");
    const std::string text =
        list_text(*find_kind("flows"), items, {.columns = 80, .is_known = true});
    EXPECT_EQ(text.find("IDLE"), std::string::npos) << text;
    EXPECT_NE(text.find("TRANSLATED-TO"), std::string::npos) << text;
}

TEST(Listing, NamesAreThoseOfKubectl) {
    const auto policy = json(R"({"metadata": {"name": "allow", "namespace": "shop"}})");
    EXPECT_EQ(item_name(*find_kind("netpol"), policy, false),
              "networkpolicy.networking.k8s.io/allow");
    EXPECT_EQ(item_name(*find_kind("svc"), policy, true), "service/shop/allow");
    EXPECT_EQ(item_name(*find_kind("ports"), json(R"({"name": "uplink0"})"), true), "port/uplink0");
}

TEST(Listing, AnAgeAloneIsNoNewsForAWatcher) {
    const CliKind& kind = *find_kind("neighbors");
    const auto young = json(R"({"address": "192.0.2.1", "state": "reachable", "ageSeconds": 1})");
    const auto older = json(R"({"address": "192.0.2.1", "state": "reachable", "ageSeconds": 2})");
    const auto stale = json(R"({"address": "192.0.2.1", "state": "stale", "ageSeconds": 2})");
    EXPECT_EQ(row_identity(kind, young), row_identity(kind, older));
    EXPECT_NE(row_identity(kind, older), row_identity(kind, stale));
}

TEST(Listing, LongListsAreCutExceptWhenWide) {
    const auto items = json(R"([{"name": "p", "addresses": ["1", "2", "3", "4", "5", "6"]}])");
    EXPECT_NE(listed("ports", items, false).find("1,2,3,4,+2 more\n"), std::string::npos);
    EXPECT_NE(listed("ports", items, true).find("1,2,3,4,5,6"), std::string::npos);
    const auto four = json(R"([{"name": "p", "addresses": ["1", "2", "3", "4"]}])");
    EXPECT_NE(listed("ports", four, false).find("1,2,3,4\n"), std::string::npos);
}

TEST(Listing, AColumnMayBeForWideAlone) {
    const ListColumn column = wide_column(list_column("A", "/a"));
    EXPECT_TRUE(column.is_wide);
    EXPECT_EQ(column.cell({{"a", 1}}), "1");
}

}  // namespace
}  // namespace podlane::control
