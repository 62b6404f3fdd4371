// Objects that an API server stores: none of them may be refused, and each is read as kube-proxy
// reads it. What was passed over is said in a notice.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "control/kube/address.h"
#include "control/kube/json.h"
#include "tests/unit/kube/support.h"

namespace podlane::control {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string sloppy_ip(std::string_view text) {
    const auto ip = parse_ip_sloppily(text);
    return ip ? to_string(*ip) : "none";
}
std::string sloppy_cidr(std::string_view text) {
    const auto cidr = parse_cidr_sloppily(text);
    return cidr ? to_string(*cidr) : "none";
}

TEST(SloppyAddress, LeadingZerosAreDecimal) {
    EXPECT_EQ(sloppy_ip("10.96.0.011"), "10.96.0.11");
    EXPECT_EQ(sloppy_ip("010.244.001.009"), "10.244.1.9");
    EXPECT_EQ(sloppy_ip("0000000010.00.0.08"), "10.0.0.8");
    EXPECT_EQ(sloppy_ip("0fd00::0001"), "fd00::1");
    EXPECT_EQ(sloppy_ip("64:ff9b::010.0.0.01"), "64:ff9b::a00:1");
}

TEST(SloppyAddress, AnIpv4MappedAddressIsTheIpv4Address) {
    EXPECT_EQ(sloppy_ip("::ffff:10.244.1.9"), "10.244.1.9");
    EXPECT_EQ(sloppy_ip("::FFFF:0a0:b"), "0.160.0.11");
    EXPECT_EQ(sloppy_ip("0:0:0:0:0:ffff:a00:1"), "10.0.0.1");
    EXPECT_EQ(sloppy_ip("::10.0.0.1"), "::10.0.0.1");
}

TEST(SloppyAddress, WhatGoRefusesIsRefused) {
    for (const char* text : {"", "10.0.0", "10.0.0.256", "10.0.0.1 ", "0x0a.0.0.1", "fe80::1%eth0",
                             "1:2:3:4:5:6:7:8:9", "::1::", "[::1]", "10..0.1", "12345::", "010"}) {
        EXPECT_EQ(sloppy_ip(text), "none") << text;
    }
}

TEST(SloppyCidr, HostBitsAreClearedAndZerosPassedOver) {
    EXPECT_EQ(sloppy_cidr("10.244.1.5/24"), "10.244.1.0/24");
    EXPECT_EQ(sloppy_cidr("010.244.01.5/024"), "10.244.1.0/24");
    EXPECT_EQ(sloppy_cidr("fd00::5/64"), "fd00::/64");
}

TEST(SloppyCidr, AMappedPrefixIsTheIpv4One) {
    EXPECT_EQ(sloppy_cidr("::ffff:10.0.0.0/104"), "10.0.0.0/8");
    EXPECT_EQ(sloppy_cidr("::ffff:10.1.2.3/128"), "10.1.2.3/32");
    EXPECT_EQ(sloppy_cidr("::ffff:0:0/96"), "0.0.0.0/0");
    EXPECT_EQ(sloppy_cidr("::ffff:10.0.0.0/90"), "::ffc0:0:0/90") << "wider than IPv4";
}

TEST(SloppyCidr, WhatGoRefusesIsRefused) {
    for (const char* text : {"10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8",
                             "::/129", "10.0.0.0/8/8", "/8"}) {
        EXPECT_EQ(sloppy_cidr(text), "none") << text;
    }
}

/// Reads one object; its notices are in `notices`.
template <class T>
ObjectPtr<T> read_legal(std::string_view text, std::vector<std::string>* notices = nullptr) {
    ParsedObjects parsed = parse(text);
    if (notices != nullptr) *notices = parsed.notices;
    if (parsed.objects.size() == 1 && std::holds_alternative<ObjectPtr<T>>(parsed.objects[0])) {
        return std::get<ObjectPtr<T>>(parsed.objects[0]);
    }
    ADD_FAILURE() << "not one object of the kind";
    return std::make_shared<const T>();
}

template <class T>
std::vector<std::string> texts(const std::vector<T>& values) {
    std::vector<std::string> out;
    for (const T& value : values) out.push_back(to_string(value));
    return out;
}

TEST(LegalService, ItsNameMayBeginWithADigit) {
    const auto service = read_legal<Service>(
        "--- {apiVersion: v1, kind: Service, metadata: {name: 1web}, spec: {ports: [{port: 80}]}}");
    EXPECT_EQ(service->meta.name, "1web");
    const auto ingress = read_legal<Ingress>(
        "--- {apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: i}, spec: "
        "{defaultBackend: {service: {name: 1web, port: {number: 80}}}}}");
    EXPECT_EQ(ingress->default_backend->service, "1web");
}

TEST(LegalService, AddressesAreReadAsKubeProxyReadsThem) {
    const auto service = read_legal<Service>(R"(
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: LoadBalancer
  clusterIP: 10.98.4.011
  clusterIPs: [10.98.4.011, "0fd00::5"]
  externalIPs: [192.000.2.1, "::ffff:192.0.2.2"]
  loadBalancerSourceRanges: [" 010.0.0.9/8\t", "::ffff:192.0.2.0/120"]
  ports: [{port: 80}]
status: {loadBalancer: {ingress: [{ip: 198.51.100.007}, {ip: ""}]}}
)");
    EXPECT_THAT(texts(service->cluster_ips), ElementsAre("10.98.4.11", "fd00::5"));
    EXPECT_THAT(texts(service->external_ips), ElementsAre("192.0.2.1", "192.0.2.2"));
    EXPECT_THAT(texts(service->source_ranges), ElementsAre("10.0.0.0/8", "192.0.2.0/24"));
    EXPECT_EQ(to_string(*service->load_balancer.at(0).ip), "198.51.100.7");
    EXPECT_FALSE(service->load_balancer.at(1).ip);
}

TEST(LegalService, AnUnknownTrafficDistributionIsNone) {
    std::vector<std::string> notices;
    const auto service = read_legal<Service>(
        "--- {apiVersion: v1, kind: Service, metadata: {name: a}, spec: {trafficDistribution: "
        "PreferSameRack, ports: [{port: 80}]}}",
        &notices);
    EXPECT_EQ(service->traffic_distribution, TrafficDistribution::kNone);
    EXPECT_THAT(notices, ElementsAre(HasSubstr("spec.trafficDistribution: \"PreferSameRack\" is "
                                               "not PreferClose, PreferSameZone or")));
}

TEST(LegalService, NullAndEmptyAreAbsentInEveryOptionalField) {
    const auto bare = read_legal<Service>(
        "--- {apiVersion: v1, kind: Service, metadata: {name: a}, spec: {ports: [{port: 80}]}}");
    for (const char* nothing : {"null", "\"\""}) {
        std::string text = "--- {apiVersion: v1, kind: Service, metadata: {name: a";
        for (const char* key : {"namespace", "creationTimestamp"}) {
            text += fmt::format(", {}: {}", key, nothing);
        }
        text += ", labels: null, annotations: {podlane.io/load-balancer-ips: null}}, spec: {";
        for (const char* key : {"type", "clusterIP", "sessionAffinity", "externalTrafficPolicy",
                                "internalTrafficPolicy", "trafficDistribution", "loadBalancerIP",
                                "loadBalancerClass"}) {
            text += fmt::format("{}: {}, ", key, nothing);
        }
        for (const char* key :
             {"clusterIPs", "externalIPs", "selector", "sessionAffinityConfig", "ipFamilies",
              "ipFamilyPolicy", "healthCheckNodePort", "loadBalancerSourceRanges",
              "publishNotReadyAddresses", "allocateLoadBalancerNodePorts", "externalName"}) {
            text += fmt::format("{}: null, ", key);
        }
        text += fmt::format(
            "ports: [{{port: 80, name: {0}, protocol: {0}, targetPort: {0}, "
            "nodePort: null, appProtocol: {0}}}]}}, "
            "status: {{loadBalancer: {{ingress: null}}}}}}",
            nothing);
        EXPECT_EQ(*read_legal<Service>(text), *bare) << text;
    }
}

TEST(LegalService, ALabelOfNullIsEmpty) {
    const auto service = read_legal<Service>(
        "--- {apiVersion: v1, kind: Service, metadata: {name: a, labels: {x: null}}, spec: {ports: "
        "[{port: 80}]}}");
    EXPECT_EQ(service->meta.labels, (Labels{{"x", ""}}));
}

TEST(LegalEndpointSlice, AddressesAndPortsAreReadAsKubeProxyReadsThem) {
    std::vector<std::string> notices;
    const auto slice = read_legal<EndpointSlice>(R"(
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: a}
addressType: IPv4
ports: [{name: zero, port: 0}, {name: none, port: null}, {name: far, port: 70000}, {name: ok, port: 80}]
endpoints:
- {addresses: [010.244.1.9]}
- {addresses: ["::ffff:10.244.1.10"]}
- {addresses: [239.1.1.1]}
)",
                                                 &notices);
    ASSERT_EQ(slice->endpoints.size(), 2U);
    EXPECT_EQ(to_string(slice->endpoints[0].address), "10.244.1.9");
    EXPECT_EQ(to_string(slice->endpoints[1].address), "10.244.1.10");
    for (size_t i = 0; i < 3; ++i) EXPECT_FALSE(slice->ports.at(i).port) << i;
    EXPECT_EQ(slice->ports.at(3).port, 80);
    EXPECT_THAT(notices, ElementsAre(HasSubstr("ports[2].port: 70000 is not a port"),
                                     HasSubstr("\"239.1.1.1\" is multicast; it is passed over")));
}

// discovery.k8s.io/v1: "A nil value should be interpreted as true" of ready and of serving, "as
// false" of terminating; kube-proxy's endpointslicecache.go does so for each by itself.
TEST(LegalEndpointSlice, ReadyAndServingOfNullAreTrueAndTerminatingIsFalse) {
    const auto slice = read_legal<EndpointSlice>(R"(
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: a}
addressType: IPv4
ports: null
endpoints:
- {addresses: [10.0.0.1], conditions: null, hints: null, targetRef: null, hostname: null, nodeName: null, zone: null}
- {addresses: [10.0.0.2], conditions: {ready: null, serving: null, terminating: null}, hints: {forZones: null}}
- {addresses: [10.0.0.3], conditions: {ready: false, serving: null, terminating: true}}
- {addresses: [10.0.0.4], conditions: {ready: null, serving: false, terminating: null}}
)");
    const auto conditions = [&](size_t i) {
        const SliceEndpoint& e = slice->endpoints.at(i);
        return std::vector<bool>{e.ready, e.serving, e.terminating};
    };
    EXPECT_EQ(conditions(0), (std::vector<bool>{true, true, false}));
    EXPECT_EQ(conditions(1), (std::vector<bool>{true, true, false}));
    EXPECT_EQ(conditions(2), (std::vector<bool>{false, true, true}));
    EXPECT_EQ(conditions(3), (std::vector<bool>{true, false, false}));
}

TEST(LegalEndpoints, OnePortNameMayBeForTcpAndUdp) {
    const auto endpoints = read_legal<Endpoints>(R"(
apiVersion: v1
kind: Endpoints
metadata: {name: dns}
subsets:
- addresses: [{ip: 010.244.1.5, hostname: null, nodeName: null, targetRef: null}]
  notReadyAddresses: null
  ports: [{name: dns, port: 53, protocol: UDP}, {name: dns, port: 53, protocol: TCP}, {name: dns, port: 54}]
)");
    EXPECT_EQ(endpoints->subsets.at(0).ports.size(), 3U);
    EXPECT_EQ(to_string(endpoints->subsets.at(0).endpoints.at(0).address), "10.244.1.5");
}

TEST(LegalPod, OnTheHostsNetworkItsAddressMayBeAnything) {
    std::vector<std::string> notices;
    const auto pod = read_legal<Pod>(
        "--- {apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {hostNetwork: true}, status: "
        "{hostIP: '', podIP: 127.0.0.1, podIPs: [{ip: 127.0.0.1}, {ip: '::1'}, null]}}",
        &notices);
    EXPECT_THAT(texts(pod->ips), IsEmpty());
    EXPECT_THAT(notices, IsEmpty()) << "every such pod would say so";
}

TEST(LegalPod, WhatOnlyStatusSaysIsNeverWrong) {
    std::vector<std::string> notices;
    const auto pod = read_legal<Pod>(R"(
apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  containers:
  - {ports: [{containerPort: 80, hostPort: 8080}, {containerPort: 81, hostPort: 8081, hostIP: 127.0.0.01}]}
  - {ports: [{containerPort: 82, hostPort: 8082, hostIP: not-an-address}]}
  initContainers:
  - {restartPolicy: Always, ports: [{containerPort: 83, hostPort: 8080}]}
status:
  phase: Dreaming
  hostIP: node-1
  podIP: 010.244.1.7
  podIPs: [{ip: 10.244.1.9}]
  conditions: [null, {type: Ready, status: "True"}]
)",
                                     &notices);
    EXPECT_THAT(texts(pod->ips), ElementsAre("10.244.1.7")) << "the singular counts";
    EXPECT_EQ(pod->phase, PodPhase::kUnknown);
    EXPECT_TRUE(pod->ready);
    EXPECT_FALSE(pod->host_ip);
    ASSERT_EQ(pod->ports.size(), 4U);
    EXPECT_EQ(pod->ports[0].host_port, 8080);
    EXPECT_EQ(to_string(*pod->ports[1].host_ip), "127.0.0.1");
    EXPECT_EQ(pod->ports[2].host_port, 0) << "not for every address";
    EXPECT_EQ(pod->ports[3].host_port, 0) << "the first one has it";
    EXPECT_EQ(notices.size(), 5U);
}

TEST(LegalNode, AddressesThatAreNoneArePassedOver) {
    std::vector<std::string> notices;
    const auto node = read_legal<Node>(R"(
apiVersion: v1
kind: Node
metadata:
  name: node-1
  annotations: {flannel.alpha.coreos.com/backend-data: "{VNI", flannel.alpha.coreos.com/public-ip: "", flannel.alpha.coreos.com/backend-type: null}
spec: {podCIDR: 10.244.1.5/24, podCIDRs: [10.244.1.5/24, "fd00::1/64"], unschedulable: null}
status:
  addresses: [{type: InternalIP, address: ""}, {type: InternalIP, address: node-1}, {type: InternalIP, address: 192.168.050.1}, {type: ExternalIP, address: null}]
  conditions: null
)",
                                       &notices);
    EXPECT_THAT(texts(node->internal_ips), ElementsAre("192.168.50.1"));
    EXPECT_THAT(texts(node->external_ips), IsEmpty());
    EXPECT_THAT(texts(node->pod_cidrs), ElementsAre("10.244.1.0/24", "fd00::/64"));
    EXPECT_FALSE(node->flannel);
    EXPECT_TRUE(node->ready);
    EXPECT_THAT(notices, ElementsAre(HasSubstr("status.addresses[1].address: \"node-1\" is not"),
                                     HasSubstr("backend-data: \"{VNI\" is not a JSON object")));
}

TEST(LegalNode, ASinglePodCidrCountsWhereThePluralDiffers) {
    std::vector<std::string> notices;
    const auto node = read_legal<Node>(
        "--- {apiVersion: v1, kind: Node, metadata: {name: node-1}, spec: {podCIDR: 10.244.2.0/24, "
        "podCIDRs: [10.244.1.0/24]}}",
        &notices);
    EXPECT_THAT(texts(node->pod_cidrs), ElementsAre("10.244.2.0/24"));
    EXPECT_EQ(notices.size(), 1U);
}

TEST(LegalNetworkPolicy, BlocksAndSelectorsAreReadAsTheyAreStored) {
    const auto policy = read_legal<NetworkPolicy>(R"(
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: p}
spec:
  podSelector: {matchExpressions: [{key: app, operator: NotIn, values: ["not a label"]}], matchLabels: null}
  policyTypes: null
  egress: null
  ingress:
  - from: [{ipBlock: {cidr: 010.0.0.7/8, except: ["::ffff:10.1.0.0/112"]}, podSelector: null, namespaceSelector: null}]
    ports: [{port: null, protocol: null, endPort: null}]
)");
    const IpBlock& block = *policy->ingress.at(0).peers.at(0).ip_block;
    EXPECT_EQ(to_string(block.cidr), "10.0.0.0/8");
    EXPECT_THAT(texts(block.except), ElementsAre("10.1.0.0/16"));
    EXPECT_TRUE(policy->affects_ingress);
    EXPECT_FALSE(policy->affects_egress);
    EXPECT_TRUE(policy->pod_selector.matches({{"app", "web"}}));
    EXPECT_EQ(policy->ingress[0].ports.at(0), PolicyPort{});
}

TEST(LegalMeta, CreationIsReadAndPrinted) {
    std::vector<std::string> notices;
    const auto text = [](const char* time) {
        return fmt::format(
            "--- {{apiVersion: v1, kind: Namespace, metadata: {{name: a, "
            "creationTimestamp: {}}}}}",
            time);
    };
    const auto made = read_legal<Namespace>(text("\"2026-01-31T12:00:00Z\""));
    EXPECT_EQ(made->meta.created, 1769860800);
    EXPECT_EQ(to_json(*made)["metadata"]["creationTimestamp"], "2026-01-31T12:00:00Z");
    EXPECT_EQ(read_legal<Namespace>(text("yesterday"), &notices)->meta.created, 0);
    EXPECT_THAT(notices, ElementsAre(HasSubstr("\"yesterday\" is not a time such as")));
}

TEST(LegalMeta, TheOlderIsByCreationThenByName) {
    const auto meta = [](int64_t created, const char* name) {
        Meta made;
        made.name_space = "default";
        made.name = name;
        made.created = created;
        return made;
    };
    EXPECT_TRUE(meta(5, "z").is_older(meta(6, "a")));
    EXPECT_TRUE(meta(5, "a").is_older(meta(5, "b")));
    EXPECT_TRUE(meta(5, "z").is_older(meta(0, "a"))) << "without a time is the youngest";
    EXPECT_FALSE(meta(0, "b").is_older(meta(0, "a")));
}

}  // namespace
}  // namespace podlane::control
