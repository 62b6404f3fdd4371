#include "control/compile/names.h"

#include <gmock/gmock.h>

#include "lib/dns/name.h"
#include "tests/unit/compile/world.h"

namespace podlane::control::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

NodeConfig node_with_dns() {
    NodeConfig config = node_a();
    config.cluster.dns = {ip("10.96.0.10"), ip("fd00:96::a")};
    return config;
}

const DnsService* known_service(const World& world, const std::string& name,
                                const std::string& name_space = "default") {
    return world.now().dns->find_service(*dns_label_from_text(name) +
                                         *dns_label_from_text(name_space));
}

std::vector<std::string> texts(const DnsAddresses& addresses) {
    std::vector<std::string> out;
    for (const auto& address : addresses.v4) out.push_back(to_string(IpAddress(address)));
    for (const auto& address : addresses.v6) out.push_back(to_string(IpAddress(address)));
    return out;
}

/// "HOST ADDRESS..." of each host.
std::vector<std::string> hosts(const DnsService& service) {
    std::vector<std::string> out;
    for (const DnsHost& host : service.hosts) {
        out.push_back(host.label);
        for (const std::string& address : texts(host.addresses)) out.back() += " " + address;
    }
    return out;
}

/// "NAME PROTOCOL PORT HOST" of each port.
std::vector<std::string> ports(const DnsService& service) {
    std::vector<std::string> out;
    for (const DnsServicePort& port : service.ports) {
        const bool own = port.host == DnsServicePort::kService;
        out.push_back(fmt::format("{} {} {} {}", port.name, port.protocol, port.port,
                                  own ? "-" : service.hosts[port.host].label));
    }
    return out;
}

std::vector<std::string> pointers(const World& world, std::string_view address) {
    const IpAddress parsed = ip(address);
    const DnsPointers* found = world.now().dns->find_pointers(
        parsed.is_v4() ? dns_address_key(parsed.as<V4>()) : dns_address_key(parsed.as<V6>()));
    std::vector<std::string> out;
    if (found == nullptr) return out;
    for (const std::string& name : found->names) out.push_back(dns_name_text(name));
    return out;
}

constexpr std::string_view kDb = R"(---
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {clusterIP: None, ports: [{name: sql, port: 3306}]}
)";
constexpr std::string_view kSql = "{name: sql, protocol: TCP, port: 13306}";

TEST(Names, WithoutDnsThereIsNoZone) {
    World world;
    ASSERT_EQ(world.apply(kDb), "");
    EXPECT_EQ(world.now().dns, nullptr);
}

TEST(Names, TheServersAddressHasAName) {
    World world(node_with_dns());
    world.plug(plugged_in());
    ASSERT_NE(world.now().dns, nullptr);
    EXPECT_TRUE(world.now().dns->is_server<V4>(ip("10.96.0.10").as<V4>()));
    EXPECT_TRUE(world.now().dns->is_server<V6>(ip("fd00:96::a").as<V6>()));
    EXPECT_THAT(pointers(world, "10.96.0.10"), ElementsAre("ns.dns.cluster.local"));
    EXPECT_EQ(world.now().dns->identity().reverse.size(), 4u);
}

TEST(Names, AClusterIpHasItsAddressesAndNamedPorts) {
    World world(node_with_dns());
    ASSERT_EQ(world.apply(R"(---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  clusterIPs: [10.96.0.20, "fd00:96::20"]
  ports: [{name: http, port: 80}, {name: dns, port: 53, protocol: UDP}]
)"),
              "");
    ASSERT_NE(known_service(world, "web"), nullptr);
    EXPECT_THAT(texts(known_service(world, "web")->addresses),
                ElementsAre("10.96.0.20", "fd00:96::20"));
    EXPECT_THAT(ports(*known_service(world, "web")), ElementsAre("dns 17 53 -", "http 6 80 -"));
    EXPECT_THAT(pointers(world, "fd00:96::20"), ElementsAre("web.default.svc.cluster.local"));
    ASSERT_EQ(world.remove(Kind::kService, "default", "web"), "");
    EXPECT_EQ(known_service(world, "web"), nullptr);
    EXPECT_THAT(pointers(world, "fd00:96::20"), IsEmpty());
}

TEST(Names, EndpointsOfAClusterIpMakeNoNewZone) {
    World world(node_with_dns());
    ASSERT_EQ(world.apply("---\napiVersion: v1\nkind: Service\nmetadata: {name: web}\n"
                          "spec: {clusterIP: 10.96.0.20, ports: [{name: http, port: 80}]}\n"),
              "");
    const auto zone = world.now().dns;
    ASSERT_EQ(world.apply(slice("web", {"10.244.1.5", "10.244.1.6"})), "");
    EXPECT_EQ(world.now().dns, zone);
    EXPECT_THAT(pointers(world, "10.244.1.5"), IsEmpty());
}

TEST(Names, WithoutAnAddressAServiceHasNone) {
    World world(node_with_dns());
    ASSERT_EQ(world.apply("---\napiVersion: v1\nkind: Service\nmetadata: {name: web}\n"
                          "spec: {ports: [{name: http, port: 80}]}\n"),
              "");
    EXPECT_EQ(known_service(world, "web"), nullptr);
    EXPECT_FALSE(world.now().dns->has_namespace("\7default"));
}

TEST(Names, AHeadlessServiceHasItsReadyEndpointsByHostnameOrAddress) {
    World world(node_with_dns());
    ASSERT_EQ(world.apply(std::string(kDb) + R"(---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: db-1, labels: {kubernetes.io/service-name: db}}
addressType: IPv4
ports: [{name: sql, protocol: TCP, port: 13306}, {name: "", protocol: TCP, port: 1}]
endpoints:
- {addresses: [10.244.1.5], hostname: db-0}
- {addresses: [10.244.2.6]}
- {addresses: [10.244.2.7], hostname: db-2, conditions: {ready: false}}
- {addresses: [10.244.2.8], hostname: db-3, conditions: {ready: false, serving: true, terminating: true}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: db-2, labels: {kubernetes.io/service-name: db}}
addressType: IPv6
ports: [{name: sql, protocol: TCP, port: 13306}]
endpoints:
- {addresses: ["fd00:10:1::5"], hostname: db-0}
)"),
              "");
    const DnsService* db = known_service(world, "db");
    ASSERT_NE(db, nullptr);
    EXPECT_THAT(texts(db->addresses), ElementsAre("10.244.1.5", "10.244.2.6", "fd00:10:1::5"));
    EXPECT_THAT(hosts(*db), ElementsAre("10-244-2-6 10.244.2.6", "db-0 10.244.1.5 fd00:10:1::5"));
    EXPECT_THAT(ports(*db), ElementsAre("sql 6 13306 10-244-2-6", "sql 6 13306 db-0"));
    EXPECT_THAT(pointers(world, "10.244.1.5"), ElementsAre("db-0.db.default.svc.cluster.local"));
    EXPECT_THAT(pointers(world, "10.244.2.7"), IsEmpty());
}

TEST(Names, AHeadlessServiceWithoutReadyEndpointsHasNone) {
    World world(node_with_dns());
    ASSERT_EQ(world.apply(std::string(kDb) + slice("db", {"10.244.1.5 notready"}, kSql)), "");
    EXPECT_EQ(known_service(world, "db"), nullptr);
    ASSERT_EQ(world.apply(slice("db", {"10.244.1.5"}, kSql)), "");
    EXPECT_NE(known_service(world, "db"), nullptr);
    ASSERT_EQ(world.remove(Kind::kEndpointSlice, "default", "db-1"), "");
    EXPECT_EQ(known_service(world, "db"), nullptr);
    EXPECT_THAT(pointers(world, "10.244.1.5"), IsEmpty());
}

TEST(Names, PublishNotReadyAddressesCountsAll) {
    World world(node_with_dns());
    ASSERT_EQ(world.apply("---\napiVersion: v1\nkind: Service\nmetadata: {name: db}\n"
                          "spec: {clusterIP: None, publishNotReadyAddresses: true}\n" +
                          slice("db", {"10.244.1.5 notready"}, kSql)),
              "");
    ASSERT_NE(known_service(world, "db"), nullptr);
    EXPECT_THAT(texts(known_service(world, "db")->addresses), ElementsAre("10.244.1.5"));
}

TEST(Names, WithoutSlicesThePodsThatAreSelectedCount) {
    World world(node_with_dns());
    const auto pod = [](std::string_view name, std::string_view address, std::string_view more) {
        return fmt::format(
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {}, labels: {{app: db}}}}\n"
            "spec: {{{}containers: [{{name: c, ports: [{{name: sql, containerPort: 13306}}]}}]}}\n"
            "status: {{phase: Running, podIP: {}, conditions: [{{type: Ready, status: "
            "'True'}}]}}\n",
            name, more, address);
    };
    ASSERT_EQ(world.apply(R"(---
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {clusterIP: None, selector: {app: db}, ports: [{name: sql, port: 3306, targetPort: sql}]}
)" + pod("db-0", "10.244.1.5", "hostname: db-0, subdomain: db, ") +
                          pod("db-1", "10.244.1.6", "hostname: db-1, subdomain: other, ")),
              "");
    ASSERT_NE(known_service(world, "db"), nullptr);
    EXPECT_THAT(hosts(*known_service(world, "db")),
                ElementsAre("10-244-1-6 10.244.1.6", "db-0 10.244.1.5"));
    EXPECT_THAT(ports(*known_service(world, "db")), SizeIs(2));
    ASSERT_EQ(world.apply(pod("db-2", "10.244.1.7", "")), "");
    EXPECT_THAT(hosts(*known_service(world, "db")), SizeIs(3));
    ASSERT_EQ(world.remove(Kind::kPod, "default", "db-2"), "");
    ASSERT_EQ(world.remove(Kind::kPod, "default", "db-1"), "");
    ASSERT_EQ(world.remove(Kind::kPod, "default", "db-0"), "");
    EXPECT_EQ(known_service(world, "db"), nullptr);
    ASSERT_EQ(world.apply(pod("db-0", "10.244.1.5", "")), "");
    EXPECT_NE(known_service(world, "db"), nullptr) << "it is still looked for";
}

TEST(Names, AnExternalNameIsAnAlias) {
    World world(node_with_dns());
    ASSERT_EQ(world.apply("---\napiVersion: v1\nkind: Service\nmetadata: {name: out}\n"
                          "spec: {type: ExternalName, externalName: www.example.com.}\n"),
              "");
    ASSERT_NE(known_service(world, "out"), nullptr);
    EXPECT_EQ(dns_name_text(known_service(world, "out")->alias), "www.example.com");
}

TEST(Names, EachChangeRaisesTheSerial) {
    World world(node_with_dns());
    ASSERT_EQ(world.apply(std::string(kDb) + slice("db", {"10.244.1.5"}, kSql)), "");
    const uint32_t first = world.now().dns->serial();
    ASSERT_EQ(world.apply(slice("db", {"10.244.1.5", "10.244.1.6"}, kSql)), "");
    EXPECT_EQ(world.now().dns->serial(), first + 1);
    ASSERT_EQ(world.apply("---\napiVersion: v1\nkind: Namespace\nmetadata: {name: x}\n"), "");
    EXPECT_EQ(world.now().dns->serial(), first + 1);
}

TEST(Names, ARefusedChangeLeavesThemAsTheyWere) {
    World world(node_with_dns());
    constexpr auto kService = [](std::string_view name) {
        return fmt::format(
            "---\napiVersion: v1\nkind: Service\nmetadata: {{name: {}}}\n"
            "spec: {{clusterIP: 10.96.0.20, ports: [{{port: 80}}]}}\n",
            name);
    };
    ASSERT_EQ(world.apply(kService("a")), "");
    const auto zone = world.now().dns;
    EXPECT_NE(world.apply(kService("b")), "");
    EXPECT_EQ(world.now().dns, zone);
}

TEST(DnsPort, HasTheServersAddressesAndIsNoPartOfTheBridge) {
    World world(node_with_dns());
    TopologyInput input = plugged_in();
    const PortId port{3};
    const MacAddress server = mac("02:00:00:00:00:0d");
    input.ports.push_back({port, "dns", PortKind::kDns, "dns", server, 1450, {}});
    world.plug(input);
    const Snapshot& now = world.now();
    EXPECT_EQ(now.port(port).kind, PortKind::kDns);
    EXPECT_EQ(now.port(port).mac, now.gateway_mac);
    EXPECT_THAT(now.bridge_ports, ElementsAre(kPodPort));
    const Route<V4>* route = now.v4.routes->find(ip("10.96.0.10").as<V4>());
    ASSERT_NE(route, nullptr);
    EXPECT_EQ(route->kind, RouteKind::kAdjacency);
    const Adjacency& adjacency = now.adjacencies[index_of(route->adjacency)];
    EXPECT_EQ(adjacency.port, port);
    EXPECT_EQ(adjacency.dst, server);
    EXPECT_EQ(now.v6.routes->find(ip("fd00:96::a").as<V6>())->kind, RouteKind::kAdjacency);
    EXPECT_NE(now.v4.keep_source->find(ip("10.96.0.10").as<V4>()), nullptr);
}

}  // namespace
}  // namespace podlane::control::test
