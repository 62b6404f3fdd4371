// Frontends as kube-proxy would have them.
#include "control/compile/services.h"

#include <gmock/gmock.h>

#include "tests/unit/compile/world.h"

namespace podlane::control::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::string_view kWeb = R"(---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  clusterIP: 10.96.0.10
  selector: {app: web}
  ports: [{name: http, protocol: TCP, port: 80, targetPort: http}]
)";

std::string pod(std::string_view name, std::string_view address, std::string_view node,
                bool ready = true, std::string_view extra = "") {
    return fmt::format(R"(---
apiVersion: v1
kind: Pod
metadata: {{name: {0}, labels: {{app: web}}{4}}}
spec:
  nodeName: "{2}"
  containers: [{{name: c, ports: [{{name: http, containerPort: 8080}}]}}]
status: {{phase: Running, podIP: {1}, podIPs: [{{ip: {1}}}], conditions: [{{type: Ready, status: "{3}"}}]}}
)",
                       name, address, node, ready ? "True" : "False", extra);
}

TEST(Services, AClusterIpHasItsReadyEndpointsHereAndElsewhere) {
    World world;
    ASSERT_EQ(world.apply(kWeb), "");
    EXPECT_THAT(world.frontends(), ElementsAre("default/web ClusterIP 10.96.0.10:80/TCP in= out= "
                                               "reject"));
    ASSERT_EQ(world.apply(slice("web", {"10.244.2.5 @node-b", "10.244.1.10 @node-a",
                                        "10.244.2.6 @node-b notready"})),
              "");
    EXPECT_THAT(world.frontends(), ElementsAre("default/web ClusterIP 10.96.0.10:80/TCP "
                                               "in=10.244.1.10:8080,10.244.2.5:8080 "
                                               "out=10.244.1.10:8080,10.244.2.5:8080 reject"));
}

TEST(Services, WithoutAReadyEndpointThoseThatStillServeWhileTheyTerminateAreUsed) {
    World world;
    ASSERT_EQ(
        world.apply(std::string(kWeb) + slice("web", {"10.244.1.10 terminating", "10.244.1.11 gone",
                                                      "10.244.1.12 notready"})),
        "");
    EXPECT_THAT(world.frontends(), ElementsAre(HasSubstr("in=10.244.1.10:8080 ")));
    ASSERT_EQ(world.apply(slice("web", {"10.244.1.10 terminating", "10.244.1.13"})), "");
    EXPECT_THAT(world.frontends(), ElementsAre(HasSubstr("in=10.244.1.13:8080 ")));
}

TEST(Services, PortsOfSlicesAreMatchedByNameAndProtocol) {
    World world;
    ASSERT_EQ(world.apply(service("dns", R"({clusterIP: 10.96.0.2, ports: [
        {name: dns, protocol: UDP, port: 53}, {name: dns-tcp, protocol: TCP, port: 53},
        {name: metrics, protocol: TCP, port: 9153}]})") +
                          slice("dns", {"10.244.1.5"},
                                "{name: dns, protocol: UDP, port: 1053}, "
                                "{name: dns-tcp, protocol: TCP, port: 2053}, "
                                "{name: metrics, protocol: SCTP, port: 3053}")),
              "");
    EXPECT_THAT(world.frontends(), ElementsAre(HasSubstr("10.96.0.2:53/TCP in=10.244.1.5:2053 "),
                                               HasSubstr("10.96.0.2:9153/TCP in= "),
                                               HasSubstr("10.96.0.2:53/UDP in=10.244.1.5:1053 ")));
}

TEST(Services, SeveralSlicesAreOneSetWithoutDuplicates) {
    World world;
    ASSERT_EQ(
        world.apply(std::string(kWeb) + slice("web", {"10.244.1.10", "10.244.1.11 notready"}) +
                    slice("web", {"10.244.1.11", "10.244.1.10 notready"},
                          "{name: http, protocol: TCP, port: 8080}", "2")),
        "");
    EXPECT_THAT(world.frontends(), ElementsAre(HasSubstr("in=10.244.1.10:8080,10.244.1.11:8080 ")));
}

TEST(Services, HeadlessAndExternalNameHaveNoFrontends) {
    World world;
    ASSERT_EQ(world.apply(service("a", "{clusterIP: None, ports: [{port: 80}]}") +
                          service("b", "{type: ExternalName, externalName: example.com}")),
              "");
    EXPECT_THAT(world.frontends(), IsEmpty());
}

TEST(Services, ANodePortIsServedOnEveryNodeAddressAndMasqueradedUnderPolicyCluster) {
    World world;
    ASSERT_EQ(world.apply(service("np", R"({type: NodePort, clusterIP: 10.96.0.3,
        ports: [{name: http, port: 80, nodePort: 30080}]})") +
                          slice("np", {"10.244.2.5 @node-b"})),
              "");
    EXPECT_THAT(world.frontends(), ElementsAre(HasSubstr("ClusterIP 10.96.0.3:80/TCP"),
                                               "default/np NodePort *:30080/TCP "
                                               "in=10.244.2.5:8080 out=10.244.2.5:8080 reject"));
    const auto* frontend = world.now().v4.frontends.find({{}, be16(30080), 6});
    ASSERT_NE(frontend, nullptr);
    EXPECT_TRUE(frontend->any_address && frontend->masquerade_outside);
    EXPECT_FALSE(world.now().v4.frontends.has_address({}));
}

TEST(Services, ExternalPolicyLocalGivesOutsideThisNodesEndpointsAndDropsWithoutOne) {
    World world;
    const std::string local = service("np", R"({type: NodePort, clusterIP: 10.96.0.3,
        externalTrafficPolicy: Local, ports: [{name: http, port: 80, nodePort: 30080}]})");
    ASSERT_EQ(world.apply(local + slice("np", {"10.244.2.5 @node-b", "10.244.1.7 @node-a"})), "");
    EXPECT_THAT(world.frontends(),
                ElementsAre(HasSubstr("ClusterIP"),
                            HasSubstr("in=10.244.1.7:8080,10.244.2.5:8080 out=10.244.1.7:8080 "
                                      "drop")));
    EXPECT_FALSE(world.now().v4.frontends.find({{}, be16(30080), 6})->masquerade_outside);
    ASSERT_EQ(world.apply(slice("np", {"10.244.2.5 @node-b"})), "");
    EXPECT_THAT(world.frontends(),
                ElementsAre(HasSubstr("ClusterIP"), HasSubstr("in=10.244.2.5:8080 out= drop")));
    ASSERT_EQ(world.apply(slice("np", {})), "");
    EXPECT_THAT(world.frontends(),
                ElementsAre(HasSubstr("ClusterIP"), HasSubstr("in= out= reject")))
        << "a Service without any endpoint rejects, whatever its policy";
}

TEST(Services, ATerminatingLocalEndpointServesPolicyLocalThoughOthersAreReady) {
    World world;
    ASSERT_EQ(world.apply(service("np", R"({type: NodePort, clusterIP: 10.96.0.3,
        externalTrafficPolicy: Local, ports: [{name: http, port: 80, nodePort: 30080}]})") +
                          slice("np", {"10.244.2.5 @node-b", "10.244.1.7 @node-a terminating"})),
              "");
    EXPECT_THAT(world.frontends(),
                ElementsAre(HasSubstr("in=10.244.2.5:8080 out=10.244.2.5:8080 reject"),
                            HasSubstr("in=10.244.2.5:8080 out=10.244.1.7:8080 drop")));
}

TEST(Services, InternalPolicyLocalConcernsTheClusterIp) {
    World world;
    ASSERT_EQ(world.apply(service("in", R"({clusterIP: 10.96.0.4, internalTrafficPolicy: Local,
        ports: [{name: http, port: 80}]})") +
                          slice("in", {"10.244.2.5 @node-b"})),
              "");
    EXPECT_THAT(world.frontends(), ElementsAre(HasSubstr("in= out= drop")));
    ASSERT_EQ(world.apply(slice("in", {"10.244.2.5 @node-b", "10.244.1.7 @node-a"})), "");
    EXPECT_THAT(world.frontends(),
                ElementsAre(HasSubstr("in=10.244.1.7:8080 out=10.244.1.7:8080")));
}

TEST(Services, ALoadBalancerHasItsVipsItsSourceRangesAndANodePort) {
    World world;
    ASSERT_EQ(world.apply(R"(
apiVersion: v1
kind: Service
metadata: {name: lb}
spec:
  type: LoadBalancer
  clusterIP: 10.96.0.5
  externalIPs: [198.51.100.7]
  loadBalancerSourceRanges: [203.0.113.0/24, "2001:db8::/32"]
  ports: [{name: http, port: 80, nodePort: 30081}]
status: {loadBalancer: {ingress: [{ip: 192.0.2.80}, {ip: 192.0.2.81, ipMode: Proxy}, {hostname: x.example}]}}
)"),
              "");
    EXPECT_THAT(world.frontends(),
                ElementsAre(HasSubstr("ClusterIP 10.96.0.5:80"), HasSubstr("NodePort *:30081"),
                            HasSubstr("LoadBalancer 192.0.2.80:80"),
                            HasSubstr("ExternalIP 198.51.100.7:80")));
    const auto rows = frontend_rows(world.now());
    EXPECT_TRUE(rows[1].source_ranges.empty());
    EXPECT_EQ(rows[2].source_ranges, (std::vector{*parse_prefix("203.0.113.0/24")}));
}

TEST(Services, BothFamiliesOfADualStackServiceGetTheirOwnEndpoints) {
    World world;
    ASSERT_EQ(world.apply(service("dual", R"({type: NodePort,
        clusterIP: 10.96.0.6, clusterIPs: [10.96.0.6, "fd00:96::6"],
        ports: [{name: http, port: 80, nodePort: 30082}]})") +
                          slice("dual", {"10.244.1.7 @node-a"}) +
                          slice("dual", {"fd00:10:1::7 @node-a"},
                                "{name: http, protocol: TCP, port: 8080}", "v6")),
              "");
    EXPECT_THAT(world.frontends(),
                ElementsAre(HasSubstr("10.96.0.6:80/TCP in=10.244.1.7:8080 "),
                            HasSubstr("[fd00:96::6]:80/TCP in=[fd00:10:1::7]:8080"),
                            HasSubstr("*:30082/TCP in=10.244.1.7:8080"),
                            HasSubstr("*:30082/TCP in=[fd00:10:1::7]:8080")));
}

TEST(Services, WithoutASliceTheEndpointsAreTheReadyPodsThatTheSelectorMatches) {
    World world;
    ASSERT_EQ(
        world.apply(std::string(kWeb) + pod("a", "10.244.1.10", "node-a") +
                    pod("b", "10.244.2.10", "node-b") + pod("c", "10.244.2.11", "node-b", false)),
        "");
    EXPECT_THAT(world.frontends(), ElementsAre(HasSubstr("in=10.244.1.10:8080,10.244.2.10:8080 ")));
    ASSERT_EQ(world.apply(pod("c", "10.244.2.11", "node-b")), "");
    ASSERT_EQ(world.remove(Kind::kPod, "default", "a"), "");
    EXPECT_THAT(world.frontends(), ElementsAre(HasSubstr("in=10.244.2.10:8080,10.244.2.11:8080 ")));
    ASSERT_EQ(world.apply(slice("web", {"10.244.9.9"})), "");
    EXPECT_THAT(world.frontends(), ElementsAre(HasSubstr("in=10.244.9.9:8080 ")))
        << "a slice takes the place of the pods";
    ASSERT_EQ(world.remove(Kind::kEndpointSlice, "default", "web-1"), "");
    EXPECT_THAT(world.frontends(), ElementsAre(HasSubstr("in=10.244.2.10:8080,10.244.2.11:8080 ")));
}

TEST(Services, PublishNotReadyAddressesTakesPodsThatAreNotReady) {
    World world;
    ASSERT_EQ(world.apply(service("web", R"({clusterIP: 10.96.0.10, selector: {app: web},
        publishNotReadyAddresses: true, ports: [{port: 80, targetPort: 8080}]})") +
                          pod("c", "10.244.2.11", "node-b", false)),
              "");
    EXPECT_THAT(world.frontends(), ElementsAre(HasSubstr("in=10.244.2.11:8080 ")));
}

TEST(Services, EndpointsObjectsCountOnlyWithoutASlice) {
    World world;
    ASSERT_EQ(
        world.apply(service("old", "{clusterIP: 10.96.0.8, ports: [{name: http, port: 80}]}") +
                    R"(---
apiVersion: v1
kind: Endpoints
metadata: {name: old}
subsets: [{addresses: [{ip: 192.0.2.1}], notReadyAddresses: [{ip: 192.0.2.2}], ports: [{name: http, port: 81}]}]
)"),
        "");
    EXPECT_THAT(world.frontends(), ElementsAre(HasSubstr("in=192.0.2.1:81 ")));
    ASSERT_EQ(world.apply(slice("old", {"10.244.1.9"})), "");
    EXPECT_THAT(world.frontends(), ElementsAre(HasSubstr("in=10.244.1.9:8080 ")));
}

TEST(Services, AnEndpointWithoutANodeIsLocalWhileItsAddressHasAPortHere) {
    World world;
    ASSERT_EQ(world.apply(service("np", R"({type: NodePort, clusterIP: 10.96.0.3,
        externalTrafficPolicy: Local, ports: [{name: http, port: 80, nodePort: 30080}]})") +
                          slice("np", {"10.244.1.10", "10.244.2.5"})),
              "");
    EXPECT_THAT(world.frontends(), ElementsAre(HasSubstr("ClusterIP"), HasSubstr("out= drop")));
    world.plug(plugged_in());
    EXPECT_THAT(world.frontends(),
                ElementsAre(HasSubstr("ClusterIP"), HasSubstr("out=10.244.1.10:8080 drop")));
    world.plug({});
    EXPECT_THAT(world.frontends(), ElementsAre(HasSubstr("ClusterIP"), HasSubstr("out= drop")));
}

TEST(Services, TwoServicesCannotHaveOneClusterIp) {
    World world;
    ASSERT_EQ(world.apply(kWeb), "");
    const auto before = world.compiler.current();
    const std::string error =
        world.apply(service("other", "{clusterIP: 10.96.0.10, ports: [{port: 81}]}"));
    EXPECT_THAT(error, HasSubstr("Service default/other"));
    EXPECT_THAT(error, HasSubstr("10.96.0.10 is already taken by Service default/web"));
    EXPECT_EQ(world.compiler.current(), before) << "a refused change leaves the generation";
    EXPECT_EQ(world.replace(service("other", "{clusterIP: 10.96.0.10, ports: [{port: 81}]}")), "")
        << "one change may hand the address over";
    EXPECT_THAT(world.frontends(), ElementsAre(HasSubstr("default/other ClusterIP 10.96.0.10:81")));
    EXPECT_TRUE(world.now().v4.frontends.has_address(ip("10.96.0.10").as<V4>()));
}

TEST(Services, TwoServicesCannotHaveOneNodePort) {
    World world;
    const std::string error = world.apply(
        service("a",
                "{type: NodePort, clusterIP: 10.96.0.1, ports: [{port: 1, nodePort: 30000}]}") +
        service("b",
                "{type: NodePort, clusterIP: 10.96.0.2, ports: [{port: 2, nodePort: 30000}]}"));
    EXPECT_THAT(error, HasSubstr("Service default/b"));
    EXPECT_THAT(error, HasSubstr("30000/TCP is already taken by Service default/a"));
}

TEST(Services, OneExternalIpOfTwoServicesIsTheFirstOnesWithANotice) {
    World world;
    const auto external = [](std::string_view name, std::string_view cluster_ip) {
        return service(name, fmt::format("{{clusterIP: {}, externalIPs: [198.51.100.7], "
                                         "ports: [{{port: 80}}]}}",
                                         cluster_ip));
    };
    ASSERT_EQ(world.apply(external("b", "10.96.0.2")), "");
    ASSERT_EQ(world.apply(external("a", "10.96.0.1")), "");
    EXPECT_THAT(world.notices, ElementsAre(HasSubstr("both want 198.51.100.7:80/TCP; it is served "
                                                     "for Service default/a")));
    EXPECT_EQ(world.frontends("default/a").size(), 2u);
    EXPECT_EQ(world.frontends("default/b").size(), 1u);
    ASSERT_EQ(world.remove(Kind::kService, "default", "a"), "");
    EXPECT_EQ(world.frontends("default/b").size(), 2u);
}

TEST(Services, ANodePortOutOfRangeIsServedWithANotice) {
    World world;
    ASSERT_EQ(world.apply(service("np", R"({type: NodePort, clusterIP: 10.96.0.3,
        ports: [{port: 80, nodePort: 80}]})")),
              "");
    EXPECT_THAT(world.notices,
                ::testing::Contains(HasSubstr("outside cluster.nodePorts (30000-32767)")));
    EXPECT_EQ(world.frontends().size(), 2u);
}

TEST(Services, AnEpochRisesExactlyWhenAnEndpointGoes) {
    World world;
    ASSERT_EQ(world.apply(std::string(kWeb) + slice("web", {"10.244.1.10", "10.244.1.11"})), "");
    const auto* frontend = world.now().v4.frontends.find({ip("10.96.0.10").as<V4>(), be16(80), 6});
    ASSERT_NE(frontend, nullptr);
    const ServiceId id = frontend->service;
    const auto epoch = [&] { return world.now().service_epochs[index_of(id)]; };
    const uint32_t first = epoch();
    ASSERT_EQ(world.apply(slice("web", {"10.244.1.10", "10.244.1.11", "10.244.1.12"})), "");
    EXPECT_EQ(epoch(), first);
    ASSERT_EQ(world.apply(slice("web", {"10.244.1.10", "10.244.1.12"})), "");
    EXPECT_EQ(epoch(), first + 1);
    ASSERT_EQ(world.apply(service("web2", "{clusterIP: 10.96.0.11, ports: [{port: 80}]}")), "");
    EXPECT_EQ(epoch(), first + 1);
    ASSERT_EQ(world.remove(Kind::kService, "default", "web"), "");
    EXPECT_EQ(epoch(), first + 2);
}

TEST(Services, AServicePortKeepsItsIdAndTheIdItsName) {
    World world;
    ASSERT_EQ(world.apply(kWeb), "");
    const auto id_of = [&](std::string_view address, uint16_t port) {
        const auto* frontend = world.now().v4.frontends.find({ip(address).as<V4>(), be16(port), 6});
        return frontend != nullptr ? frontend->service : kNoService;
    };
    const ServiceId id = id_of("10.96.0.10", 80);
    ASSERT_NE(id, kNoService);
    const ServicePortName* name = world.compiler.services().find(id);
    ASSERT_NE(name, nullptr);
    EXPECT_EQ(to_string(name->name), "default/web");
    EXPECT_EQ(name->port_name, "http");
    ASSERT_EQ(world.apply(service("web", R"({clusterIP: 10.96.0.10,
        ports: [{name: http, port: 8080}, {name: other, port: 81}]})")),
              "");
    EXPECT_EQ(id_of("10.96.0.10", 8080), id);
    EXPECT_NE(id_of("10.96.0.10", 81), id);
    ASSERT_EQ(world.remove(Kind::kService, "default", "web"), "");
    EXPECT_EQ(world.compiler.services().find(id), nullptr);
}

TEST(Services, FrontendsOfOnePortShareTheirEndpointSet) {
    World world;
    ASSERT_EQ(world.apply(service("np", R"({type: NodePort, clusterIP: 10.96.0.3,
        ports: [{name: http, port: 80, nodePort: 30080}]})") +
                          slice("np", {"10.244.2.5", "10.244.2.6"})),
              "");
    const auto* cluster_ip = world.now().v4.frontends.find({ip("10.96.0.3").as<V4>(), be16(80), 6});
    const auto* node_port = world.now().v4.frontends.find({{}, be16(30080), 6});
    EXPECT_EQ(cluster_ip->inside, node_port->outside);
    const auto set = cluster_ip->inside;
    ASSERT_EQ(world.apply(service("np", R"({type: NodePort, clusterIP: 10.96.0.3,
        ports: [{name: http, port: 80, nodePort: 30081}]})")),
              "");
    EXPECT_EQ(world.now().v4.frontends.find({{}, be16(30081), 6})->inside, set)
        << "what did not change is not built again";
}

TEST(Services, ANewPlaceForDatagramsIsToldToFlowsThatWereNoServicesOrAnothers) {
    World world;
    const auto epoch = [&](ServiceId id) { return world.now().service_epochs[index_of(id)]; };
    const auto apply = [&](std::string_view name, std::string_view rest) {
        const uint32_t before = epoch(kNoService);
        EXPECT_EQ(world.apply(service(name, rest)), "");
        return epoch(kNoService) - before;
    };
    EXPECT_EQ(apply("tcp", "{clusterIP: 10.96.0.3, ports: [{port: 53}]}"), 0u);
    const std::string udp = "ports: [{name: dns, protocol: UDP, port: 53, nodePort: 30053}]}";
    EXPECT_EQ(apply("udp", "{type: NodePort, clusterIP: 10.96.0.4, " + udp), 2u);
    const ServiceId id = world.now().v4.frontends.find({{}, be16(30053), 17})->service;
    const uint32_t before = epoch(id);
    EXPECT_EQ(
        apply("udp", "{type: NodePort, internalTrafficPolicy: Local, clusterIP: 10.96.0.4, " + udp),
        0u)
        << "served before";
    EXPECT_EQ(epoch(id), before);
    EXPECT_EQ(apply("exact",
                    "{clusterIP: 10.96.0.5, externalIPs: [192.168.50.1], "
                    "ports: [{protocol: UDP, port: 30053}]}"),
              2u);
    EXPECT_GT(epoch(id), before) << "who used the NodePort at this address";
}

TEST(Services, AHostPortAfterANodePortIsToldToFlowsAtAddressesThatHadNoNodePorts) {
    World world;
    ASSERT_EQ(world.apply(service("udp", R"({type: NodePort, clusterIP: 10.96.0.4,
        ports: [{protocol: UDP, port: 53, nodePort: 30053}]})")),
              "");
    const uint32_t before = world.now().service_epochs[index_of(kNoService)];
    ASSERT_EQ(world.apply(R"(---
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  nodeName: node-a
  containers: [{name: c, ports: [{containerPort: 53, protocol: UDP, hostPort: 30053}]}]
status: {phase: Running, podIP: 10.244.1.20}
)"),
              "");
    ASSERT_EQ(world.remove(Kind::kService, "default", "udp"), "");
    EXPECT_EQ(world.now().v4.frontends.find({{}, be16(30053), 17})->kind, FrontendKind::kHostPort);
    EXPECT_GT(world.now().service_epochs[index_of(kNoService)], before);
}

TEST(Services, ADatagramFlowMayKeepItsEndpointElsewhereWhenThePolicyBecomesLocal) {
    World world;
    ASSERT_EQ(
        world.apply(service("dns", R"({clusterIP: 10.96.0.3, internalTrafficPolicy: Local,
        ports: [{name: dns, protocol: UDP, port: 53}]})") +
                    slice("dns", {"10.244.2.5 @node-b"}, "{name: dns, protocol: UDP, port: 53}")),
        "");
    const auto* frontend = world.now().v4.frontends.find({ip("10.96.0.3").as<V4>(), be16(53), 17});
    EXPECT_TRUE(frontend->inside->endpoints.empty());
    EXPECT_TRUE(frontend->may_keep({ip("10.244.2.5").as<V4>(), be16(53)}));
    EXPECT_FALSE(frontend->may_keep({ip("10.244.2.6").as<V4>(), be16(53)}));
}

TEST(Services, AHealthCheckCountsReadyAddressesOfThisNodeOnce) {
    World world;
    const auto web = [](std::string_view policy) {
        return service("web", fmt::format("{{type: LoadBalancer, clusterIP: 10.96.0.3, {}, ports: "
                                          "[{{name: http, port: 80}}, {{name: tls, port: 443}}]}}",
                                          policy));
    };
    const std::string local = web("externalTrafficPolicy: Local, healthCheckNodePort: 32000");
    const auto checks = [&] { return world.compiler.services().health_checks(); };
    ASSERT_EQ(world.apply(local), "");
    const HealthCheck none{32000, 0, std::nullopt};
    EXPECT_EQ(checks(), (HealthChecks{{{"default", "web"}, none}}));
    ASSERT_EQ(world.apply(slice("web",
                                {"10.244.1.5 @node-a", "10.244.1.6 @node-a notready",
                                 "10.244.1.7 @node-a terminating", "10.244.2.5 @node-b"},
                                "{name: http, port: 8080}, {name: tls, port: 8443}")),
              "");
    EXPECT_EQ(checks().at({"default", "web"}).local_v4, 1u);
    EXPECT_EQ(checks().at({"default", "web"}).local_v6, std::nullopt);
    const uint64_t epoch = world.compiler.services().health_epoch();
    ASSERT_EQ(world.apply(service("other", "{clusterIP: 10.96.0.4, ports: [{port: 80}]}")), "");
    EXPECT_EQ(world.compiler.services().health_epoch(), epoch) << "nothing to tell";
    ASSERT_EQ(world.apply(web("externalTrafficPolicy: Cluster")), "");
    EXPECT_TRUE(checks().empty());
    EXPECT_GT(world.compiler.services().health_epoch(), epoch);
}

}  // namespace
}  // namespace podlane::control::test
