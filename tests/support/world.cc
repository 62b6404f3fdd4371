#include "tests/support/world.h"

#include <cstring>
#include <utility>
#include <vector>

#include "lib/proto/checksum.h"
#include "lib/proto/ethernet.h"
#include "lib/proto/ip_protocol.h"
#include "lib/proto/ipv4.h"
#include "lib/proto/overlay.h"
#include "lib/proto/udp.h"

namespace podlane::dataplane {

namespace {

using Names = RigNames;
constexpr NodeNumber kPeerNode{1};

template <Family F>
Prefix<F> prefix(const char* text) {
    return parse_prefix(text).value().as<F>();
}

template <Family F>
std::shared_ptr<const EndpointSet<F>> endpoints(std::vector<Endpoint<F>> list) {
    auto set = std::make_shared<EndpointSet<F>>();
    set->endpoints = std::move(list);
    return set;
}

template <Family F>
void add_service(FamilyState<F>& state, uint8_t protocol) {
    using W = World<F>;
    const auto backend = endpoints<F>({{ip<F>(W::kPodB), be16(8080)}});
    Frontend<F> cluster;
    cluster.protocol = protocol;
    cluster.address = ip<F>(W::kService);
    cluster.port = be16(80);
    cluster.service = ServiceId{7};
    cluster.inside = cluster.outside = backend;
    cluster.service_name = "default/web";
    state.frontends.set({cluster.address, cluster.port, protocol},
                        std::make_shared<Frontend<F>>(cluster));
    Frontend<F> node = cluster;
    node.kind = FrontendKind::kNodePort;
    node.any_address = true;
    node.address = {};
    node.port = be16(30080);
    node.masquerade_outside = true;
    state.frontends.set({{}, node.port, protocol}, std::make_shared<Frontend<F>>(node));
    Frontend<F> empty = cluster;
    empty.address = ip<F>(W::kEmptyService);
    empty.inside = empty.outside = endpoints<F>({});
    state.frontends.set({empty.address, empty.port, protocol},
                        std::make_shared<Frontend<F>>(empty));
}

template <Family F>
void fill_family(FamilyState<F>& state, PortId uplink, PortId host, PortId pod_a, PortId pod_b) {
    using W = World<F>;
    using R = Route<F>;
    const auto adjacency = [](uint32_t id) { return AdjacencyId{id}; };
    const auto one = [](const char* text) {
        return Prefix<F>{ip<F>(text), static_cast<uint8_t>(F::kAddressBits)};
    };
    std::vector<std::pair<Prefix<F>, R>> routes{
        {one(W::kPodA), R{RouteKind::kAdjacency, pod_a, adjacency(kToPodA), {}, ""}},
        {one(W::kPodB), R{RouteKind::kAdjacency, pod_b, adjacency(kToPodB), {}, ""}},
        {one(W::kGateway), R{RouteKind::kGateway, kNoPort, kNoAdjacency, {}, ""}},
        {prefix<F>(W::kPodCidr), R{RouteKind::kUnreachable, kNoPort, kNoAdjacency, {}, ""}},
        {one(W::kNode), R{RouteKind::kHost, host, adjacency(kToHost), {}, ""}},
        {one(W::kPeer), R{RouteKind::kAdjacency, uplink, adjacency(kToPeer), {}, ""}},
        {prefix<F>(W::kUplinkCidr), R{RouteKind::kConnected, uplink, kNoAdjacency, {}, ""}},
        {prefix<F>(W::kRemoteCidr),
         R{RouteKind::kAdjacency, uplink, adjacency(kToRemotePods), {}, ""}},
        {prefix<F>(W::kServiceCidr), R{RouteKind::kUnallocated, kNoPort, kNoAdjacency, {}, ""}},
        {Prefix<F>{{}, 0}, R{RouteKind::kVia, uplink, kNoAdjacency, ip<F>(W::kRouter), ""}},
    };
    state.routes = std::make_shared<const Lpm<F, R>>(routes);
    std::vector<std::pair<Prefix<F>, uint8_t>> keep{
        {prefix<F>(W::kClusterCidr), uint8_t{1}},
        {prefix<F>(W::kServiceCidr), uint8_t{2}},
        {one(W::kNode), uint8_t{3}},
        {one(W::kPeer), uint8_t{3}},
    };
    state.keep_source = std::make_shared<const Lpm<F, uint8_t>>(keep);
    state.pod_cidrs = {prefix<F>(W::kPodCidr)};
    state.gateways = {ip<F>(W::kGateway)};
    state.node_addresses = {ip<F>(W::kNode)};
    state.node_port_addresses = {ip<F>(W::kNode)};
    state.has_uplink_source = true;
    state.uplink_source = ip<F>(W::kNode);
    state.has_vtep = true;
    state.vtep = ip<F>(W::kNode);
    state.tunnel_peers = std::make_shared<const Lpm<F, NodeNumber>>(
        std::vector<std::pair<Prefix<F>, NodeNumber>>{{one(W::kPeer), kPeerNode}});
    state.tunnel_sources = state.node_prefixes =
        std::make_shared<const Lpm<F, NodeNumber>>(std::vector<std::pair<Prefix<F>, NodeNumber>>{
            {one(W::kPeer), kPeerNode}, {prefix<F>(W::kRemoteCidr), kPeerNode}});
    add_service(state, kProtocolTcp);
    add_service(state, kProtocolUdp);
    state.frontends.set({ip<F>(W::kService), be16(0), 0}, nullptr);
    state.frontends.set({ip<F>(W::kEmptyService), be16(0), 0}, nullptr);
}

Adjacency ethernet(PortId port, const MacAddress& dst, const MacAddress& src, uint16_t mtu) {
    Adjacency out;
    out.kind = AdjacencyKind::kEthernet;
    out.port = port;
    out.dst = dst;
    out.src = src;
    out.mtu = mtu;
    return out;
}

/// The IPv4 tunnel to the peer node; IPv6 pods travel in it as well.
Adjacency tunnel(PortId uplink) {
    Adjacency out = ethernet(uplink, Names::kPeerVtepMac, Names::kVtepMac, 1450);
    out.kind = AdjacencyKind::kTunnel;
    out.outer_bytes = 50;
    out.outer_l3_bytes = 20;
    uint8_t* at = out.outer.data();
    std::memcpy(at, Names::kPeerMac.bytes.data(), 6);
    std::memcpy(at + 6, Names::kUplinkMac.bytes.data(), 6);
    at[12] = 8;
    Ipv4Header header{};
    header.version_ihl = 0x45;
    header.ttl = 64;
    header.protocol = kProtocolUdp;
    header.src = ip<V4>(World<V4>::kNode);
    header.dst = ip<V4>(World<V4>::kPeer);
    std::memcpy(at + 14, &header, sizeof(header));
    out.outer_partial_sum = checksum_partial({at + 14, sizeof(header)});
    UdpHeader udp{};
    udp.dst_port = be16(8472);
    std::memcpy(at + 34, &udp, sizeof(udp));
    const OverlayHeader vxlan = overlay_header(OverlayFormat::kVxlan, 1);
    std::memcpy(at + 42, &vxlan, sizeof(vxlan));
    return out;
}

}  // namespace

std::shared_ptr<Snapshot> make_world(const WorldPorts& ports) {
    auto first = make_empty_snapshot();
    const auto [a, b, up, host] = ports;
    auto views = std::make_shared<PortViews>();
    (*views)[index_of(a)] = {PortKind::kPod, Names::kGatewayMac, Names::kPodAMac, 1450};
    (*views)[index_of(b)] = {PortKind::kPod, Names::kGatewayMac, Names::kPodBMac, 1450};
    (*views)[index_of(up)] = {PortKind::kUplink, Names::kUplinkMac, {}, 1500};
    (*views)[index_of(host)] = {PortKind::kHost, Names::kGatewayMac, Names::kUplinkMac, 1500};
    first->ports = views;
    first->gateway_mac = Names::kGatewayMac;
    first->fdb = std::make_shared<const Fdb>(std::vector<std::pair<MacAddress, uint16_t>>{
        {Names::kPodAMac, static_cast<uint16_t>(index_of(a))},
        {Names::kPodBMac, static_cast<uint16_t>(index_of(b))}});
    first->bridge_ports = {a, b};
    first->host_port = host;
    first->host_uplink = up;
    first->overlay = {true, OverlayFormat::kVxlan, 1, be16(8472), Names::kVtepMac};
    auto& adjacencies = first->adjacencies;
    adjacencies.set(kToPodA, ethernet(a, Names::kPodAMac, Names::kGatewayMac, 1450));
    adjacencies.set(kToPodB, ethernet(b, Names::kPodBMac, Names::kGatewayMac, 1450));
    adjacencies.set(kToHost, ethernet(host, Names::kUplinkMac, Names::kGatewayMac, 1500));
    adjacencies.set(kToPeer, ethernet(up, Names::kPeerMac, Names::kUplinkMac, 1500));
    adjacencies.set(kToRemotePods, tunnel(up));
    fill_family<V4>(first->v4, up, host, a, b);
    fill_family<V6>(first->v6, up, host, a, b);
    return first;
}

}  // namespace podlane::dataplane
