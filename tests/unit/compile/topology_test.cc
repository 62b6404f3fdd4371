// Where packets go: routes, ports, bridge, and what bumps the topology's epoch.
#include "control/compile/topology.h"

#include <gmock/gmock.h>

#include "control/compile/topology_builder.h"
#include "control/compile/topology_tables.h"
#include "tests/unit/compile/world.h"

namespace podlane::control::test {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

NeighbourView resolved(std::string_view address, std::string_view mac_text) {
    return {kUplink, ip(address), mac(mac_text), NeighbourStatus::kResolved};
}
NeighbourView failed(std::string_view address) {
    return {kUplink, ip(address), {}, NeighbourStatus::kFailed};
}
NeighbourView unresolved(std::string_view address) {
    return {kUplink, ip(address), {}, {}};
}

std::string node(std::string_view name, std::string_view cidrs, std::string_view addresses) {
    std::string list;
    for (size_t at = 0; at < addresses.size();) {
        const size_t end = std::min(addresses.find(' ', at), addresses.size());
        list +=
            fmt::format("{{type: InternalIP, address: '{}'}}, ", addresses.substr(at, end - at));
        at = end + 1;
    }
    return fmt::format(
        "---\napiVersion: v1\nkind: Node\nmetadata: {{name: {}}}\n"
        "spec: {{podCIDRs: [{}]}}\nstatus: {{addresses: [{}]}}\n",
        name, cidrs, list);
}

/// "KIND PORT ORIGIN" of the route to an address, "via ADDRESS" in front of the origin.
std::string route_to(const Snapshot& snapshot, std::string_view text) {
    const IpAddress address = ip(text);
    const auto describe = [&]<Family F>(const Route<F>* route) -> std::string {
        if (route == nullptr) return "none";
        return fmt::format(
            "{}{}{} ({})", to_string(route->kind),
            route->port == kNoPort ? "" : fmt::format(" port {}", index_of(route->port)),
            route->kind == RouteKind::kVia ? " via " + to_string(IpAddress(route->via)) : "",
            route->origin);
    };
    return address.is_v4() ? describe(snapshot.v4.routes->find(address.as<V4>()))
                           : describe(snapshot.v6.routes->find(address.as<V6>()));
}

AdjacencyId adjacency_id(const Snapshot& snapshot, std::string_view text) {
    const IpAddress address = ip(text);
    if (address.is_v4()) return snapshot.v4.routes->find(address.as<V4>())->adjacency;
    return snapshot.v6.routes->find(address.as<V6>())->adjacency;
}
const Adjacency& adjacency(const Snapshot& snapshot, std::string_view text) {
    return snapshot.adjacencies[index_of(adjacency_id(snapshot, text))];
}

TEST(Topology, ALocalPodHasARouteAndAnAdjacencyFromTheGatewaysMac) {
    World world;
    world.plug(plugged_in());
    EXPECT_EQ(route_to(world.now(), "10.244.1.10"), "adjacency port 2 (pod default/web)");
    EXPECT_EQ(route_to(world.now(), "fd00:10:1::10"), "adjacency port 2 (pod default/web)");
    const Adjacency& to_pod = adjacency(world.now(), "10.244.1.10");
    EXPECT_EQ(to_pod.kind, AdjacencyKind::kEthernet);
    EXPECT_EQ(to_pod.port, kPodPort);
    EXPECT_EQ(to_pod.dst, kPodMac);
    EXPECT_EQ(to_pod.src, gateway_mac_of(world.config));
    EXPECT_EQ(to_pod.mtu, 1450);
    EXPECT_EQ(route_to(world.now(), "10.244.1.11"), "unreachable (pods.cidrs, no pod has it)");
    EXPECT_EQ(route_to(world.now(), "10.244.1.1"), "gateway (pod gateway)");
    EXPECT_EQ(route_to(world.now(), "fd00:10:1::1"), "gateway (pod gateway)");
}

TEST(Topology, TheNodesOwnAddressesLeadToItsKernel) {
    World world;
    world.plug(plugged_in());
    EXPECT_EQ(route_to(world.now(), "192.168.50.1"), "host port 1 (address of uplink uplink0)");
    EXPECT_EQ(route_to(world.now(), "fd00:50::1"), "host port 1 (address of uplink uplink0)");
    const Adjacency& to_host = adjacency(world.now(), "192.168.50.1");
    EXPECT_EQ(to_host.port, kHost);
    EXPECT_EQ(to_host.dst, kUplinkMac);
    EXPECT_EQ(to_host.src, gateway_mac_of(world.config));
    EXPECT_EQ(to_host.mtu, 1500);

    TopologyInput without_host = plugged_in();
    without_host.ports.erase(without_host.ports.begin() + 1);
    world.plug(without_host);
    EXPECT_EQ(route_to(world.now(), "192.168.50.1"), "host (address of uplink uplink0)");
    EXPECT_EQ(adjacency_id(world.now(), "192.168.50.1"), kNoAdjacency);
    EXPECT_EQ(world.now().host_port, kNoPort);
}

TEST(Topology, NodePortsAreServedAtAllOwnAddressesOrAtThoseOfTheConfiguration) {
    const auto served = [](auto change) {
        NodeConfig config = node_a();
        config.uplinks[0].addresses.push_back(*parse_interface_address("192.168.60.1/24"));
        change(config.cluster);
        World world(config);
        world.plug(plugged_in());
        std::vector<std::string> out;
        for (const auto& a : world.now().v4.node_port_addresses)
            out.push_back(to_string(IpAddress(a)));
        return out;
    };
    EXPECT_THAT(served([](ClusterConfig&) {}), ElementsAre("192.168.50.1", "192.168.60.1"));
    EXPECT_THAT(served([](ClusterConfig& c) { c.node_ports_on_primary = true; }),
                ElementsAre("192.168.50.1"));
    EXPECT_THAT(
        served([](ClusterConfig& c) { c.node_port_addresses = {prefix("192.168.60.0/24")}; }),
        ElementsAre("192.168.60.1"));
}

TEST(Topology, ClusterCidrsOutsideAndLinkHaveTheirRoutes) {
    World world;
    world.plug(plugged_in());
    EXPECT_EQ(route_to(world.now(), "10.244.9.9"),
              "unreachable (cluster.podCidrs, no node has it)");
    EXPECT_EQ(route_to(world.now(), "10.96.7.7"), "unallocated (cluster.serviceCidrs)");
    EXPECT_EQ(route_to(world.now(), "192.168.50.77"), "connected port 0 (uplink uplink0)");
    EXPECT_EQ(route_to(world.now(), "8.8.8.8"),
              "via port 0 via 192.168.50.254 (default gateway of uplink uplink0)");
    EXPECT_EQ(route_to(world.now(), "2001:db8::1"),
              "via port 0 via fd00:50::fe (default gateway of uplink uplink0)");
    EXPECT_THAT(world.compiler.wanted_neighbours(),
                ElementsAre(WantedNeighbour{kUplink, ip("192.168.50.254")},
                            WantedNeighbour{kUplink, ip("fd00:50::fe")}));
}

TEST(Topology, AnAnsweredNeighbourAndGatewayBecomeAdjacencies) {
    World world;
    TopologyInput input = plugged_in();
    input.neighbours = {resolved("192.168.50.254", "02:00:00:00:00:fe"),
                        resolved("192.168.50.77", "02:00:00:00:00:77"), unresolved("192.168.50.78"),
                        resolved("10.1.1.1", "02:00:00:00:00:66")};
    world.plug(input);
    EXPECT_EQ(route_to(world.now(), "192.168.50.77"), "adjacency port 0 (neighbour on uplink0)");
    EXPECT_EQ(adjacency(world.now(), "192.168.50.77").dst, mac("02:00:00:00:00:77"));
    EXPECT_EQ(adjacency(world.now(), "192.168.50.77").src, kUplinkMac);
    EXPECT_EQ(adjacency(world.now(), "192.168.50.77").mtu, 1500);
    EXPECT_EQ(route_to(world.now(), "192.168.50.78"), "connected port 0 (uplink uplink0)");
    EXPECT_EQ(route_to(world.now(), "8.8.8.8"),
              "adjacency port 0 (default gateway of uplink uplink0)");
    EXPECT_EQ(adjacency_id(world.now(), "8.8.8.8"), adjacency_id(world.now(), "192.168.50.254"));
    EXPECT_EQ(adjacency(world.now(), "10.1.1.1").dst, mac("02:00:00:00:00:fe"))
        << "a neighbour off the link is none";
}

TEST(Topology, ASilentNeighbourFailsInPlaceAndItsReturnMovesNoFlow) {
    World world;
    TopologyInput input = plugged_in();
    input.neighbours = {resolved("192.168.50.77", "02:00:00:00:00:77")};
    world.plug(input);
    const uint32_t epoch = world.now().topology_epoch;
    const AdjacencyId id = adjacency_id(world.now(), "192.168.50.77");
    const auto kind = [&] { return adjacency(world.now(), "192.168.50.77").kind; };

    input.neighbours = {failed("192.168.50.77")};
    world.plug(input);
    EXPECT_EQ(kind(), AdjacencyKind::kFailed);
    input.neighbours = {unresolved("192.168.50.77")};
    world.plug(input);
    EXPECT_EQ(kind(), AdjacencyKind::kUnresolved);
    input.neighbours = {resolved("192.168.50.77", "02:00:00:00:00:99")};
    world.plug(input);
    EXPECT_EQ(kind(), AdjacencyKind::kEthernet);
    EXPECT_EQ(adjacency(world.now(), "192.168.50.77").dst, mac("02:00:00:00:00:99"));
    EXPECT_EQ(adjacency_id(world.now(), "192.168.50.77"), id);
    EXPECT_EQ(world.now().topology_epoch, epoch);

    input.neighbours = {};
    world.plug(input);
    EXPECT_EQ(route_to(world.now(), "192.168.50.77"), "connected port 0 (uplink uplink0)");
    EXPECT_EQ(world.now().adjacencies[index_of(id)].kind, AdjacencyKind::kNone)
        << "which its flows see";
    EXPECT_EQ(world.now().topology_epoch, epoch) << "and the others do not care";
}

TEST(Topology, WhoComesNewMovesNoFlow) {
    World world;
    world.plug(plugged_in());
    const uint32_t epoch = world.now().topology_epoch;
    TopologyInput input = plugged_in();
    input.neighbours = {resolved("192.168.50.77", "02:00:00:00:00:77"), failed("192.168.50.78"),
                        resolved("192.168.50.254", "02:00:00:00:00:fe"),
                        resolved("fd00:50::77", "02:00:00:00:00:77")};
    world.plug(input);
    EXPECT_EQ(route_to(world.now(), "8.8.8.8"),
              "adjacency port 0 (default gateway of uplink uplink0)");
    input.ports.push_back({PortId{3}, "default/b", PortKind::kPod, "tap", {}, 1450, {}});
    input.pods.push_back(
        {"default/b", PortId{3}, mac("02:00:0a:f4:01:0b"), {ip("10.244.1.11")}, 0});
    world.plug(input);
    EXPECT_EQ(route_to(world.now(), "10.244.1.11"), "adjacency port 3 (pod default/b)");
    ASSERT_EQ(world.apply(node("node-b", "10.244.2.0/24", "192.168.50.2")), "");
    EXPECT_EQ(route_to(world.now(), "10.244.2.9"), "adjacency port 0 (node node-b)");
    EXPECT_EQ(world.now().topology_epoch, epoch);
}

TEST(Topology, WhoTakesAddressesFromAnotherMovesTheirFlows) {
    World world;
    TopologyInput input = plugged_in();
    input.neighbours = {resolved("192.168.50.254", "02:00:00:00:00:fe")};
    world.plug(input);
    const uint32_t epoch = world.now().topology_epoch;
    // Outside cluster.podCidrs, so that its addresses had the default gateway's adjacency.
    ASSERT_EQ(world.apply(node("node-b", "10.200.2.0/24", "192.168.50.2")), "");
    EXPECT_EQ(route_to(world.now(), "10.200.2.9"), "adjacency port 0 (node node-b)");
    EXPECT_EQ(world.now().topology_epoch, epoch + 1);
    // One of a node's two prefixes goes; the tunnel that leads to the other stays in use.
    const std::string both = "10.200.2.0/24, 'fd00:10:2::/64'";
    ASSERT_EQ(world.apply(node("node-b", both, "192.168.50.2")), "");
    EXPECT_EQ(world.now().topology_epoch, epoch + 1);
    ASSERT_EQ(world.apply(node("node-b", "10.200.2.0/24", "192.168.50.2")), "");
    EXPECT_EQ(world.now().topology_epoch, epoch + 2);
    // With the last one the tunnel goes, and its flows see that.
    ASSERT_EQ(world.remove(Kind::kNode, "", "node-b"), "");
    EXPECT_EQ(world.now().topology_epoch, epoch + 2);
}

TEST(Topology, WhatDoesNotChangeIsSharedAndKeepsTheEpoch) {
    World world;
    world.plug(plugged_in());
    const auto before = world.compiler.current();
    world.plug(plugged_in());
    EXPECT_EQ(world.now().generation, before->generation + 1);
    EXPECT_EQ(world.now().topology_epoch, before->topology_epoch);
    EXPECT_EQ(world.now().v4.routes, before->v4.routes);
    EXPECT_EQ(world.now().v6.keep_source, before->v6.keep_source);
    EXPECT_EQ(world.now().ports, before->ports);
    EXPECT_EQ(world.now().fdb, before->fdb);

    TopologyInput renamed = plugged_in();
    renamed.pods[0].name = "default/other";
    world.plug(renamed);
    EXPECT_EQ(world.now().topology_epoch, before->topology_epoch) << "a name sends no packet";
    EXPECT_EQ(route_to(world.now(), "10.244.1.10"), "adjacency port 2 (pod default/other)");

    TopologyInput narrower = renamed;
    narrower.pods[0].mtu = 1400;
    world.plug(narrower);
    EXPECT_EQ(adjacency(world.now(), "10.244.1.10").mtu, 1400);
    EXPECT_EQ(world.now().topology_epoch, before->topology_epoch) << "its flows see it there";
}

TEST(Topology, PortsAreSeenWithTheirKindMacAndPeer) {
    World world;
    world.plug(plugged_in());
    const MacAddress gateway = gateway_mac_of(world.config);
    EXPECT_EQ(world.now().port(kUplink).kind, PortKind::kUplink);
    EXPECT_EQ(world.now().port(kUplink).mac, kUplinkMac);
    EXPECT_EQ(world.now().port(kHost).kind, PortKind::kHost);
    EXPECT_EQ(world.now().port(kHost).mac, gateway);
    EXPECT_EQ(world.now().port(kHost).peer_mac, kUplinkMac);
    EXPECT_EQ(world.now().port(kPodPort).kind, PortKind::kPod);
    EXPECT_EQ(world.now().port(kPodPort).mac, gateway);
    EXPECT_EQ(world.now().port(kPodPort).peer_mac, kPodMac);
    EXPECT_EQ(world.now().port(PortId{3}).kind, PortKind::kNone);
    EXPECT_EQ(world.now().gateway_mac, gateway);
    EXPECT_THAT(world.now().bridge_ports, ElementsAre(kPodPort));
    EXPECT_EQ(std::pair(world.now().host_port, world.now().host_uplink), std::pair(kHost, kUplink));
    EXPECT_EQ(gateway.bytes[0], 0x02);
}

TEST(Topology, LearnedMacsNeverTakeAPodsOrTheGateways) {
    World world;
    TopologyInput input = plugged_in();
    const PortId other{3};
    input.pods.push_back({"default/b", other, mac("02:00:0a:f4:01:0b"), {ip("10.244.1.11")}, 0});
    input.learned = {{mac("06:00:00:00:00:01"), other},
                     {kPodMac, other},
                     {gateway_mac_of(world.config), other},
                     {mac("06:00:00:00:00:02"), PortId{9}}};
    world.plug(input);
    EXPECT_EQ(world.now().fdb->find(mac("06:00:00:00:00:01")), 3);
    EXPECT_EQ(world.now().fdb->find(kPodMac), 2);
    EXPECT_EQ(world.now().fdb->find(gateway_mac_of(world.config)), Fdb::kMissing);
    EXPECT_EQ(world.now().fdb->find(mac("06:00:00:00:00:02")), Fdb::kMissing) << "no such port";
}

TEST(Topology, ANodesPodsAreReachedThroughATunnelToIt) {
    World world;
    TopologyInput input = plugged_in();
    input.neighbours = {resolved("192.168.50.2", "02:00:00:00:00:02")};
    world.plug(input);
    ASSERT_EQ(world.apply(node("node-b", "10.244.2.0/24, 'fd00:10:2::/64'", "192.168.50.2")), "");
    EXPECT_EQ(route_to(world.now(), "10.244.2.9"), "adjacency port 0 (node node-b)");
    EXPECT_EQ(route_to(world.now(), "fd00:10:2::9"), "adjacency port 0 (node node-b)");
    EXPECT_EQ(adjacency_id(world.now(), "10.244.2.9"), adjacency_id(world.now(), "fd00:10:2::9"));
    const Adjacency& tunnel = adjacency(world.now(), "10.244.2.9");
    EXPECT_EQ(tunnel.kind, AdjacencyKind::kTunnel);
    EXPECT_EQ(tunnel.mtu, 1450);
    EXPECT_EQ(tunnel.dst, derive_vtep_mac(ip("192.168.50.2")));
    EXPECT_EQ(tunnel.src, derive_vtep_mac(ip("192.168.50.1")));
    EXPECT_EQ(tunnel.src, world.now().overlay.mac);
    EXPECT_TRUE(world.now().overlay.enabled);
    EXPECT_EQ(world.now().overlay.port.host(), 8472);
    EXPECT_TRUE(world.now().v4.has_vtep);
    EXPECT_EQ(IpAddress(world.now().v4.vtep), ip("192.168.50.1"));
    EXPECT_THAT(world.compiler.wanted_neighbours(),
                Contains(WantedNeighbour{kUplink, ip("192.168.50.2")}));

    ASSERT_EQ(world.remove(Kind::kNode, "", "node-b"), "");
    EXPECT_EQ(route_to(world.now(), "10.244.2.9"),
              "unreachable (cluster.podCidrs, no node has it)");
}

TEST(Topology, ATunnelWaitsForItsNextHopInPlace) {
    World world;
    world.plug(plugged_in());
    ASSERT_EQ(world.apply(node("node-b", "10.244.2.0/24", "192.168.50.2") +
                          node("node-c", "10.244.3.0/24", "172.16.0.3")),
              "");
    const AdjacencyId id = adjacency_id(world.now(), "10.244.2.9");
    EXPECT_EQ(adjacency(world.now(), "10.244.2.9").kind, AdjacencyKind::kUnresolved);
    TopologyInput input = plugged_in();
    input.neighbours = {resolved("192.168.50.2", "02:00:00:00:00:02")};
    world.plug(input);
    EXPECT_EQ(adjacency(world.now(), "10.244.2.9").kind, AdjacencyKind::kTunnel);
    EXPECT_EQ(adjacency(world.now(), "10.244.3.9").kind, AdjacencyKind::kUnresolved)
        << "its way leads by the gateway";
    input.neighbours = {failed("192.168.50.2")};
    world.plug(input);
    EXPECT_EQ(adjacency(world.now(), "10.244.2.9").kind, AdjacencyKind::kFailed);
    input.neighbours = {resolved("192.168.50.254", "02:00:00:00:00:fe")};
    world.plug(input);
    EXPECT_EQ(adjacency(world.now(), "10.244.3.9").kind, AdjacencyKind::kTunnel);
    EXPECT_EQ(adjacency(world.now(), "10.244.3.9").outer[5], 0xfe) << "outer MAC: the gateway's";
    EXPECT_EQ(adjacency_id(world.now(), "10.244.2.9"), id);
}

TEST(Topology, FlannelsAnnotationsSayWhereItsTunnelEnds) {
    World world;
    TopologyInput input = plugged_in();
    input.neighbours = {resolved("192.168.50.3", "02:00:00:00:00:03"),
                        resolved("fd00:50::3", "02:00:00:00:00:03")};
    world.plug(input);
    ASSERT_EQ(world.apply(R"(
apiVersion: v1
kind: Node
metadata:
  name: node-f
  annotations:
    flannel.alpha.coreos.com/backend-type: vxlan
    flannel.alpha.coreos.com/backend-data: '{"VNI":1,"VtepMAC":"ca:fe:00:00:00:04"}'
    flannel.alpha.coreos.com/backend-v6-data: '{"VNI":1,"VtepMAC":"ca:fe:00:00:00:06"}'
    flannel.alpha.coreos.com/public-ip: 192.168.50.3
    flannel.alpha.coreos.com/public-ipv6: "fd00:50::3"
spec: {podCIDRs: [10.244.3.0/24, "fd00:10:3::/64"]}
status: {addresses: [{type: InternalIP, address: 10.0.0.3}]}
)"),
              "");
    EXPECT_EQ(adjacency(world.now(), "10.244.3.9").dst, mac("ca:fe:00:00:00:04"));
    EXPECT_EQ(adjacency(world.now(), "10.244.3.9").outer_l3_bytes, 20);
    EXPECT_EQ(adjacency(world.now(), "fd00:10:3::9").dst, mac("ca:fe:00:00:00:06"));
    EXPECT_EQ(adjacency(world.now(), "fd00:10:3::9").outer_l3_bytes, 40)
        << "flannel takes IPv6 inside of IPv6 only";
    EXPECT_EQ(adjacency(world.now(), "fd00:10:3::9").mtu, 1430);
}

TEST(Topology, DirectRoutesLeadToTheNodeAsANeighbour) {
    NodeConfig config = node_a();
    config.overlay.format = std::nullopt;
    World world(config);
    world.plug(plugged_in());
    ASSERT_EQ(world.apply(node("node-b", "10.244.2.0/24, 'fd00:10:2::/64'", "192.168.50.2")), "");
    EXPECT_EQ(route_to(world.now(), "10.244.2.9"), "via port 0 via 192.168.50.2 (node node-b)");
    EXPECT_THAT(world.notices, Contains(HasSubstr("no InternalIP by which its podCIDR fd00:10:2")));
    TopologyInput input = plugged_in();
    input.neighbours = {resolved("192.168.50.2", "02:00:00:00:00:02")};
    world.plug(input);
    EXPECT_EQ(route_to(world.now(), "10.244.2.9"), "adjacency port 0 (node node-b)");
    EXPECT_EQ(adjacency(world.now(), "10.244.2.9").dst, kNodeBMac);
    EXPECT_EQ(adjacency(world.now(), "10.244.2.9").mtu, 1500);
    EXPECT_FALSE(world.now().overlay.enabled);
    EXPECT_FALSE(world.now().v4.has_vtep);
}

TEST(Topology, NodesThatCannotBeRoutedAreLeftOutWithANotice) {
    World world;
    world.plug(plugged_in());
    ASSERT_EQ(
        world.apply(node("node-a", "10.244.77.0/24", "10.9.9.9") + node("b", "", "192.168.50.2") +
                    node("c", "10.244.3.0/24", "") + node("d", "10.244.1.0/25", "192.168.50.4") +
                    node("e", "10.244.5.0/24", "192.168.50.5") +
                    node("f", "10.244.5.0/24", "192.168.50.6")),
        "");
    EXPECT_THAT(
        world.notices,
        ElementsAre(HasSubstr("10.244.77.0/24 is not in"), HasSubstr("InternalIP is not 192.168"),
                    HasSubstr("Node b: no podCIDRs"), HasSubstr("Node c: no InternalIP"),
                    HasSubstr("Node d: podCIDR 10.244.1.0/25 overlaps this node's"),
                    HasSubstr("Node f: podCIDR 10.244.5.0/24 is Node e's, which is older")));
    EXPECT_EQ(route_to(world.now(), "10.244.77.1"),
              "unreachable (cluster.podCidrs, no node has it)")
        << "this node's own object makes no route";
    EXPECT_EQ(route_to(world.now(), "10.244.3.1"),
              "unreachable (cluster.podCidrs, no node has it)");
}

TEST(Topology, SourcesAreKeptTowardsPodsServicesAndNodes) {
    World world;
    world.plug(plugged_in());
    ASSERT_EQ(world.apply(node("node-b", "172.20.2.0/24", "192.168.50.2 fd00:50::2")), "");
    const auto kept = [&](std::string_view text) -> int {
        const IpAddress address = ip(text);
        const uint8_t* value = address.is_v4() ? world.now().v4.keep_source->find(address.as<V4>())
                                               : world.now().v6.keep_source->find(address.as<V6>());
        return value != nullptr ? *value : 0;
    };
    EXPECT_EQ(kept("10.244.9.9"), 1);
    EXPECT_EQ(kept("172.20.2.1"), 1)
        << "a node's pod CIDR counts though the configuration has it not";
    EXPECT_EQ(kept("10.96.1.1"), 2);
    EXPECT_EQ(kept("192.168.50.1"), 3);
    EXPECT_EQ(kept("192.168.50.2"), 3);
    EXPECT_EQ(kept("fd00:50::2"), 3);
    EXPECT_EQ(kept("10.244.1.1"), 3);
    EXPECT_EQ(kept("192.168.50.254"), 0) << "the gateway knows no way back to a pod";
    EXPECT_EQ(kept("8.8.8.8"), 0);
    EXPECT_TRUE(world.now().v4.has_uplink_source);
    EXPECT_EQ(IpAddress(world.now().v4.uplink_source), ip("192.168.50.1"));
}

TEST(Topology, WithSeveralUplinksTheSubnetDecidesAndThenTheGateway) {
    NodeConfig config = node_a();
    UplinkConfig storage;
    storage.name = "uplink1";
    storage.addresses = {*parse_interface_address("10.50.0.1/24")};
    storage.mtu = 9000;
    config.uplinks.insert(config.uplinks.begin(), storage);
    World world(config);
    TopologyInput input = plugged_in();
    const PortId storage_port{7};
    input.ports.push_back(
        {storage_port, "uplink1", PortKind::kUplink, "eth2", mac("02:00:00:00:00:77"), 9000, {}});
    input.neighbours = {{storage_port, ip("10.50.0.2"), kNodeBMac, NeighbourStatus::kResolved}};
    world.plug(input);
    ASSERT_EQ(world.apply(node("node-b", "10.244.2.0/24", "10.50.0.2") +
                          node("node-c", "10.244.3.0/24", "10.60.0.3")),
              "");
    EXPECT_EQ(adjacency(world.now(), "10.244.2.9").port, storage_port);
    EXPECT_EQ(adjacency(world.now(), "10.244.2.9").mtu, 8950);
    EXPECT_EQ(adjacency(world.now(), "10.244.3.9").port, kUplink);
    EXPECT_EQ(IpAddress(world.now().v4.uplink_source), ip("192.168.50.1"))
        << "the source towards outside is the gateway's uplink's";
}

TEST(Topology, StaticNeighboursOfTheConfigurationNeedNoAnswer) {
    NodeConfig config = node_a();
    config.uplinks[0].neighbors = {{ip("192.168.50.254"), mac("02:00:00:00:00:fe")}};
    World world(config);
    world.plug(plugged_in());
    EXPECT_EQ(route_to(world.now(), "8.8.8.8"),
              "adjacency port 0 (default gateway of uplink uplink0)");
}

TEST(Topology, APodsAddressIsItsAlone) {
    World world;
    TopologyInput input = plugged_in();
    input.pods.push_back({"default/a",
                          PortId{3},
                          mac("02:00:0a:f4:01:0b"),
                          {ip("10.244.1.10"), ip("10.244.1.1")},
                          0});
    world.plug(input);
    EXPECT_THAT(world.notices,
                ElementsAre(HasSubstr("pod default/a: 10.244.1.1 is the gateway's address"),
                            HasSubstr("pod default/web: 10.244.1.10 is pod default/a's")));
}

TEST(Topology, ANoticeIsGivenOnceWhileItHolds) {
    World world;
    ASSERT_EQ(world.apply(node("b", "", "192.168.50.2")), "");
    EXPECT_THAT(world.notices, Contains(HasSubstr("Node b: no podCIDRs")));
    world.plug(plugged_in());
    EXPECT_THAT(world.notices, IsEmpty());
    ASSERT_EQ(world.remove(Kind::kNode, "", "b"), "");
    ASSERT_EQ(world.apply(node("b", "", "192.168.50.2")), "");
    EXPECT_THAT(world.notices, ElementsAre(HasSubstr("Node b: no podCIDRs")));
}

TEST(TopologyTables, PrefixesOverlapWhenOneHoldsTheOther) {
    EXPECT_TRUE(overlap(prefix("10.244.0.0/16"), prefix("10.244.3.0/24")));
    EXPECT_TRUE(overlap(prefix("10.244.3.0/24"), prefix("10.244.0.0/16")));
    EXPECT_FALSE(overlap(prefix("10.244.2.0/24"), prefix("10.244.3.0/24")));
    EXPECT_FALSE(overlap(prefix("0.0.0.0/0"), prefix("::/0")));
    EXPECT_EQ(host_prefix(ip("fd00::1")), prefix("fd00::1/128"));
    EXPECT_EQ(TopologyTables{}.family<V6>().routes.size(), 0u);
}

}  // namespace
}  // namespace podlane::control::test
