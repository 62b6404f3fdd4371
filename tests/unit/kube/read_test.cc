// What the readers of the kinds make of good objects: values, defaults, what is absent.
#include "control/kube/read.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/unit/kube/support.h"

namespace podlane::control {
namespace {

TEST(ReadService, FillsInKubernetesDefaults) {
    const auto service = parse_one<Service>(
        "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n");
    EXPECT_EQ(service->meta.name_space, "default");
    EXPECT_EQ(service->type, ServiceType::kClusterIp);
    EXPECT_EQ(service->ports.at(0).target_port, (PortRef{80, ""}));
    EXPECT_EQ(service->ports.at(0).protocol, Protocol::kTcp);
    EXPECT_FALSE(service->selector);
    EXPECT_EQ(service->affinity_seconds, 0U);
    EXPECT_TRUE(service->cluster_ips.empty());
    EXPECT_EQ(service->internal_policy, TrafficPolicy::kCluster);
}

TEST(ReadService, ReadsAllThatConcernsTheDataplane) {
    const auto service = parse_one<Service>(R"(
apiVersion: v1
kind: Service
metadata:
  name: web
  namespace: shop
  annotations: {service.kubernetes.io/topology-mode: Auto}
spec:
  type: LoadBalancer
  clusterIP: 10.96.0.5
  clusterIPs: [10.96.0.5, "fd00:10:96::5"]
  ipFamilies: [IPv4, IPv6]
  ipFamilyPolicy: RequireDualStack
  selector: {app: web}
  ports:
    - {name: http, port: 80, targetPort: web, nodePort: 30080, appProtocol: http}
    - {name: dns, port: 53, targetPort: 5353, protocol: UDP}
  externalIPs: [192.0.2.80]
  sessionAffinity: ClientIP
  externalTrafficPolicy: Local
  internalTrafficPolicy: Local
  healthCheckNodePort: 32000
  loadBalancerSourceRanges: ["10.1.2.3/8", " 192.0.2.0/24 "]
  loadBalancerClass: example.org/lb
  publishNotReadyAddresses: true
  trafficDistribution: PreferClose
status:
  loadBalancer: {ingress: [{ip: 192.0.2.81, ipMode: Proxy}, {hostname: lb.example.org}]}
)");
    EXPECT_EQ(service->cluster_ips.size(), 2U);
    EXPECT_EQ(service->ports.at(0).target_port, (PortRef{0, "web"}));
    EXPECT_EQ(service->ports.at(0).node_port, 30080);
    EXPECT_EQ(service->ports.at(1).protocol, Protocol::kUdp);
    EXPECT_EQ(service->affinity_seconds, 10800U);
    EXPECT_EQ(service->external_policy, TrafficPolicy::kLocal);
    EXPECT_EQ(service->internal_policy, TrafficPolicy::kLocal);
    EXPECT_EQ(service->health_check_node_port, 32000);
    EXPECT_EQ(to_string(service->source_ranges.at(0)), "10.0.0.0/8");
    EXPECT_EQ(to_string(service->source_ranges.at(1)), "192.0.2.0/24");
    EXPECT_TRUE(service->load_balancer.at(0).is_proxy);
    EXPECT_EQ(service->load_balancer.at(1).hostname, "lb.example.org");
    EXPECT_EQ(service->traffic_distribution, TrafficDistribution::kPreferSameZone);
    EXPECT_EQ(service->topology_mode, "Auto");
    EXPECT_TRUE(service->publish_not_ready);
    EXPECT_EQ(service->ip_family_policy, IpFamilyPolicy::kRequireDualStack);
}

TEST(ReadService, KnowsHeadlessAndExternalNameServices) {
    const auto headless = parse_one<Service>(
        "--- {apiVersion: v1, kind: Service, metadata: {name: a}, spec: {clusterIP: None, "
        "clusterIPs: "
        "[None]}}");
    EXPECT_TRUE(headless->headless);
    EXPECT_TRUE(headless->cluster_ips.empty());
    const auto external = parse_one<Service>(
        "--- {apiVersion: v1, kind: Service, metadata: {name: a}, spec: {type: ExternalName, "
        "externalName: db.example.org., clusterIP: ''}}");
    EXPECT_EQ(external->external_name, "db.example.org.");
}

TEST(ReadEndpointSlice, ResolvesConditions) {
    const auto slice = parse_one<EndpointSlice>(R"(
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, labels: {kubernetes.io/service-name: web}}
addressType: IPv6
ports:
  - {name: "", port: 80}
  - {name: any, protocol: UDP}
endpoints:
  - addresses: ["fd00::1", "fd00::2"]
  - {addresses: ["fd00::3"], conditions: {ready: false}}
  - {addresses: ["fd00::4"], conditions: {ready: false, serving: true, terminating: true}}
  - {addresses: ["fd00::5"], conditions: {ready: null}, zone: z, hostname: h, nodeName: n1,
     hints: {forZones: [{name: z}], forNodes: [{name: n1}]}, targetRef: {kind: Pod, name: p}}
)");
    EXPECT_EQ(slice->service, "web");
    EXPECT_EQ(slice->ports.at(0).port, 80);
    EXPECT_FALSE(slice->ports.at(1).port);
    ASSERT_EQ(slice->endpoints.size(), 4U);
    const auto conditions = [&](size_t i) {
        const SliceEndpoint& e = slice->endpoints[i];
        return std::vector<bool>{e.ready, e.serving, e.terminating};
    };
    EXPECT_EQ(conditions(0), (std::vector<bool>{true, true, false}));
    EXPECT_EQ(conditions(1), (std::vector<bool>{false, true, false}));
    EXPECT_EQ(conditions(2), (std::vector<bool>{false, true, true}));
    EXPECT_EQ(conditions(3), (std::vector<bool>{true, true, false}));
    EXPECT_EQ(to_string(slice->endpoints[0].address), "fd00::1");
    EXPECT_EQ(slice->endpoints[3].hint_zones, std::vector<std::string>{"z"});
    EXPECT_EQ(slice->endpoints[3].hint_nodes, std::vector<std::string>{"n1"});
    EXPECT_EQ(slice->endpoints[3].pod, "p");
}

TEST(ReadEndpointSlice, KeepsNoNamesForAddresses) {
    const auto slice = parse_one<EndpointSlice>(
        "--- {apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: a}, "
        "addressType: "
        "FQDN, endpoints: [{addresses: [db.example.org]}]}");
    EXPECT_EQ(slice->address_type, AddressType::kFqdn);
    EXPECT_TRUE(slice->endpoints.empty());
}

TEST(ReadEndpoints, TellsReadyFromNotReady) {
    const auto endpoints = parse_one<Endpoints>(
        "--- {apiVersion: v1, kind: Endpoints, metadata: {name: a}, subsets: [{addresses: [{ip: "
        "10.0.0.1, nodeName: n1}], notReadyAddresses: [{ip: 10.0.0.2}], ports: [{port: 80}]}]}");
    const EndpointSubset& subset = endpoints->subsets.at(0);
    EXPECT_TRUE(subset.endpoints.at(0).ready);
    EXPECT_EQ(subset.endpoints.at(0).node_name, "n1");
    EXPECT_FALSE(subset.endpoints.at(1).ready);
    EXPECT_TRUE(subset.endpoints.at(1).serving);
    EXPECT_EQ(subset.ports.at(0).port, 80);
}

TEST(ReadPod, TakesAddressesPortsAndState) {
    const auto pod = parse_one<Pod>(R"(
apiVersion: v1
kind: Pod
metadata: {name: web, deletionTimestamp: "2026-11-23T05:43:15Z"}
spec:
  nodeName: n1
  hostname: h
  subdomain: s
  containers:
    - ports: [{name: http, containerPort: 80, hostPort: 8080, hostIP: 0.0.0.0}]
    - ports: [{containerPort: 53, protocol: UDP, hostPort: 53, hostIP: 192.0.2.1}]
  initContainers:
    - ports: [{containerPort: 1}]
    - {restartPolicy: Always, ports: [{containerPort: 9090}]}
status:
  phase: Running
  hostIP: 192.0.2.1
  podIP: 10.244.1.2
  podIPs: [{ip: 10.244.1.2}, {ip: "fd00::2"}]
  conditions: [{type: Initialized, status: "True"}, {type: Ready, status: "True"}]
)");
    EXPECT_TRUE(pod->ready);
    EXPECT_TRUE(pod->terminating);
    EXPECT_EQ(pod->ips.size(), 2U);
    ASSERT_EQ(pod->ports.size(), 3U);
    EXPECT_EQ(pod->ports[0].host_port, 8080);
    EXPECT_FALSE(pod->ports[0].host_ip);
    EXPECT_EQ(to_string(pod->ports[1].host_ip.value()), "192.0.2.1");
    EXPECT_EQ(pod->ports[2].port, 9090);
    EXPECT_EQ(pod->phase, PodPhase::kRunning);
}

TEST(ReadPod, TakesTheAddressesThatItMaySendFrom) {
    const auto pod = parse_one<Pod>(
        "--- {apiVersion: v1, kind: Pod, metadata: {name: a, annotations: "
        "{podlane.io/allowed-addresses: '10.1.2.3, fd00:9::/64,'}}}");
    ASSERT_EQ(pod->allowed_addresses.size(), 2U);
    EXPECT_EQ(to_string(pod->allowed_addresses[0]), "10.1.2.3/32");
    EXPECT_EQ(to_string(pod->allowed_addresses[1]), "fd00:9::/64");
}

TEST(ReadPod, NeedsAReadyConditionToBeReady) {
    const auto pod = parse_one<Pod>(
        "--- {apiVersion: v1, kind: Pod, metadata: {name: a}, spec: "
        "{hostNetwork: true, containers: [{ports: [{containerPort: 80, "
        "hostPort: 80}]}]}, status: {phase: Failed, podIP: ''}}");
    EXPECT_FALSE(pod->ready);
    EXPECT_TRUE(pod->is_finished());
    EXPECT_TRUE(pod->host_network);
    EXPECT_EQ(pod->ports.at(0).host_port, 0);
    EXPECT_TRUE(pod->ips.empty());
}

TEST(ReadNode, TakesFlannelsAnnotations) {
    const auto node = parse_one<Node>(R"(
apiVersion: v1
kind: Node
metadata:
  name: n1
  annotations:
    flannel.alpha.coreos.com/backend-type: vxlan
    flannel.alpha.coreos.com/backend-data: '{"VNI":1,"VtepMAC":"02:00:00:00:00:01"}'
    flannel.alpha.coreos.com/backend-v6-data: '{"VNI":1,"VtepMAC":"02:00:00:00:00:02"}'
    flannel.alpha.coreos.com/public-ip: 192.0.2.1
    flannel.alpha.coreos.com/public-ipv6: fd00::1
spec: {podCIDR: 10.244.1.0/24}
status:
  addresses: [{type: Hostname, address: n1}, {type: InternalIP, address: 192.0.2.1},
              {type: ExternalIP, address: 198.51.100.1}]
  conditions: [{type: Ready, status: Unknown}]
)");
    ASSERT_TRUE(node->flannel);
    EXPECT_EQ(node->flannel->backend_type, "vxlan");
    EXPECT_EQ(node->flannel->vni, 1U);
    EXPECT_EQ(to_string(node->flannel->vtep_mac.value()), "02:00:00:00:00:01");
    EXPECT_EQ(to_string(node->flannel->vtep_mac_v6.value()), "02:00:00:00:00:02");
    EXPECT_EQ(to_string(node->flannel->public_ip.value()), "192.0.2.1");
    EXPECT_EQ(to_string(node->flannel->public_ipv6.value()), "fd00::1");
    EXPECT_EQ(to_string(node->pod_cidrs.at(0)), "10.244.1.0/24");
    EXPECT_EQ(node->internal_ips.size(), 1U);
    EXPECT_EQ(node->external_ips.size(), 1U);
    EXPECT_FALSE(node->ready);
}

TEST(ReadNode, NeedsNothingOfFlannel) {
    const auto node = parse_one<Node>("--- {apiVersion: v1, kind: Node, metadata: {name: n1}}");
    EXPECT_FALSE(node->flannel);
    EXPECT_TRUE(node->ready);
    const auto host_gw = parse_one<Node>(
        "--- {apiVersion: v1, kind: Node, metadata: {name: n1, annotations: "
        "{flannel.alpha.coreos.com/backend-type: host-gw, "
        "flannel.alpha.coreos.com/backend-data: 'null'}}}");
    EXPECT_EQ(host_gw->flannel->backend_type, "host-gw");
    EXPECT_FALSE(host_gw->flannel->vni);
}

TEST(ReadNetworkPolicy, AppliesTheDefaultsOfPolicyTypes) {
    const auto policy = [](const std::string& spec) {
        return parse_one<NetworkPolicy>(
            "--- {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p}, "
            "spec: {" +
            spec + "}}");
    };
    EXPECT_TRUE(policy("podSelector: {}")->affects_ingress);
    EXPECT_FALSE(policy("podSelector: {}")->affects_egress);
    EXPECT_TRUE(policy("egress: [{}]")->affects_egress);
    EXPECT_FALSE(policy("policyTypes: [Egress]")->affects_ingress);
    EXPECT_TRUE(policy("policyTypes: [Egress]")->affects_egress);
    EXPECT_TRUE(policy("policyTypes: [Ingress, Egress]")->affects_ingress);
}

TEST(ReadNetworkPolicy, KeepsAbsentAndEmptyApart) {
    const auto policy = parse_one<NetworkPolicy>(R"(
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: p}
spec:
  podSelector: {matchLabels: {app: web}, matchExpressions: [{key: tier, operator: Exists}]}
  ingress:
    - from:
        - {podSelector: {}}
        - {namespaceSelector: {matchLabels: {team: a}}, podSelector: {}}
        - ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}
      ports:
        - {port: 80, endPort: 90}
        - {port: http, protocol: TCP}
        - {protocol: UDP}
    - {}
)");
    EXPECT_EQ(policy->pod_selector.match_expressions.size(), 1U);
    ASSERT_EQ(policy->ingress.size(), 2U);
    const PolicyRule& rule = policy->ingress[0];
    EXPECT_TRUE(rule.peers.at(0).pod_selector->empty());
    EXPECT_FALSE(rule.peers.at(0).namespace_selector);
    EXPECT_EQ(rule.peers.at(1).namespace_selector->match_labels.at("team"), "a");
    EXPECT_EQ(to_string(rule.peers.at(2).ip_block->except.at(0)), "10.1.0.0/16");
    EXPECT_EQ(rule.ports.at(0).end_port, 90);
    EXPECT_EQ(rule.ports.at(1).port->name, "http");
    EXPECT_FALSE(rule.ports.at(2).port);
    EXPECT_TRUE(policy->ingress[1].peers.empty());
}

TEST(ReadIngress, TakesHostsPathsBackendsAndSecrets) {
    const auto ingress = parse_one<Ingress>(R"(
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: i}
spec:
  ingressClassName: nginx
  defaultBackend: {service: {name: web, port: {name: http}}}
  rules:
    - host: "*.example.org"
      http:
        paths:
          - {path: /a, pathType: Exact, backend: {service: {name: web, port: {number: 80}}}}
          - {pathType: ImplementationSpecific, backend: {resource: {kind: Bucket, name: b}}}
  tls: [{hosts: [a.example.org], secretName: cert}]
status: {loadBalancer: {ingress: [{ip: 192.0.2.1}, {hostname: lb.example.org}]}}
)");
    EXPECT_EQ(ingress->class_name, "nginx");
    EXPECT_EQ(ingress->addresses, (std::vector<std::string>{"192.0.2.1", "lb.example.org"}));
    EXPECT_EQ(ingress->default_backend->port.name, "http");
    ASSERT_EQ(ingress->rules.at(0).paths.size(), 1U);
    EXPECT_EQ(ingress->rules[0].paths[0].backend.port.number, 80);
    EXPECT_EQ(ingress->rules[0].paths[0].type, PathType::kExact);
    EXPECT_EQ(ingress->tls.at(0).secret_name, "cert");
}

TEST(ReadIngress, TakesItsAgeAndTheOlderWayToNameAClass) {
    const auto ingress = parse_one<Ingress>(
        "--- {apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: i, "
        "creationTimestamp: \"2026-01-31T12:00:00Z\", annotations: {kubernetes.io/ingress.class: "
        "nginx}}}");
    EXPECT_EQ(ingress->meta.created, 1769860800);
    EXPECT_EQ(ingress->class_name, "nginx");
}

TEST(ReadIngressClass, TakesWhetherItIsTheDefault) {
    const char* form =
        "--- {{apiVersion: networking.k8s.io/v1, kind: IngressClass, metadata: {{name: c, "
        "annotations: {{ingressclass.kubernetes.io/is-default-class: \"{}\"}}}}, spec: "
        "{{controller: a.b/c}}}}";
    EXPECT_TRUE(parse_one<IngressClass>(fmt::format(fmt::runtime(form), "true"))->is_default);
    EXPECT_FALSE(parse_one<IngressClass>(fmt::format(fmt::runtime(form), "false"))->is_default);
    EXPECT_EQ(parse_one<IngressClass>(fmt::format(fmt::runtime(form), "x"))->controller, "a.b/c");
}

TEST(ReadServiceCidr, TakesItsCidrsAndRefusesWhatIsNone) {
    const std::string head =
        "apiVersion: networking.k8s.io/v1\nkind: ServiceCIDR\nmetadata: {name: more}\n";
    const auto more =
        parse_one<ServiceCidr>(head + "spec: {cidrs: [172.30.0.0/16, \"fd00:30::/108\"]}\n");
    ASSERT_EQ(more->cidrs.size(), 2U);
    EXPECT_EQ(to_string(more->cidrs[1]), "fd00:30::/108");
    const auto wrong = parse_objects(head + "spec: {cidrs: [172.30.0.0/33]}\n", "t");
    ASSERT_FALSE(wrong.ok());
    EXPECT_NE(wrong.error().message.find("ServiceCIDR more: spec.cidrs[0]"), std::string::npos)
        << wrong.error().message;
}

TEST(ReadSecret, DecodesTheKeyPair) {
    const auto secret = parse_one<Secret>(
        "--- {apiVersion: v1, kind: Secret, metadata: {name: s}, type: kubernetes.io/tls, data: "
        "{tls.crt: Zm9v, tls.key: YmFy, ca.crt: 5}, stringData: {tls.key: plain}}");
    EXPECT_EQ(secret->certificate, "foo");
    EXPECT_EQ(secret->key, "plain") << "stringData comes before data, as in Kubernetes";
}

TEST(ReadSecret, OfAnotherTypeIsSkippedWithANotice) {
    const ParsedObjects parsed = parse(
        "--- {apiVersion: v1, kind: Secret, metadata: {name: s}, data: {password: Zm9v}}\n"
        "--- {apiVersion: v1, kind: Secret, metadata: {name: t}, type: Opaque}");
    EXPECT_TRUE(parsed.objects.empty());
    ASSERT_EQ(parsed.notices.size(), 2U);
    EXPECT_EQ(parsed.notices[0], "Secret s: skipped, not a dataplane object");
}

TEST(ReadSecret, AnErrorDoesNotShowIt) {
    for (const char* data :
         {"data: {tls.crt: Zm9v, tls.key: hidden!}", "data: {tls.crt: Zm9v, tls.key: [hidden]}",
          "stringData: {tls.crt: Zm9v, tls.key: {hidden: x}}", "data: hidden"}) {
        const auto parsed = parse_objects(
            fmt::format("--- {{apiVersion: v1, kind: Secret, metadata: {{name: s}}, type: "
                        "kubernetes.io/tls, {}}}",
                        data),
            "t");
        ASSERT_FALSE(parsed.ok());
        EXPECT_EQ(parsed.error().message.find("hidden"), std::string::npos)
            << parsed.error().message;
    }
}

}  // namespace
}  // namespace podlane::control
