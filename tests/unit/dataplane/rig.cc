#include "tests/unit/dataplane/rig.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

#include "lib/proto/checksum.h"
#include "lib/proto/ethernet.h"
#include "lib/proto/ipv4.h"
#include "lib/proto/ipv6.h"
#include "lib/proto/udp.h"
#include "lib/proto/virtio_net.h"
#include "lib/proto/vxlan.h"

namespace podlane::dataplane {

namespace {

using Names = RigNames;

rte_mempool* pool() {
    static const Eal eal = [] {
        EalRequest request;
        request.hugepages = HugepageUse::kOff;
        auto started = start_eal(request);
        if (!started) throw std::runtime_error(started.error().message);
        return std::move(started).value();
    }();
    static const PacketPool packets = [] {
        PacketPoolRequest request;
        request.mbufs = 4096;
        auto made = create_packet_pool(request);
        if (!made) throw std::runtime_error(made.error().message);
        return std::move(made).value();
    }();
    return packets.get();
}

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
        {one(W::kPodA), R{RouteKind::kAdjacency, pod_a, adjacency(Rig::kToPodA), {}, ""}},
        {one(W::kPodB), R{RouteKind::kAdjacency, pod_b, adjacency(Rig::kToPodB), {}, ""}},
        {one(W::kGateway), R{RouteKind::kGateway, kNoPort, kNoAdjacency, {}, ""}},
        {prefix<F>(W::kPodCidr), R{RouteKind::kUnreachable, kNoPort, kNoAdjacency, {}, ""}},
        {one(W::kNode), R{RouteKind::kHost, host, adjacency(Rig::kToHost), {}, ""}},
        {one(W::kPeer), R{RouteKind::kAdjacency, uplink, adjacency(Rig::kToPeer), {}, ""}},
        {prefix<F>(W::kUplinkCidr), R{RouteKind::kConnected, uplink, kNoAdjacency, {}, ""}},
        {prefix<F>(W::kRemoteCidr),
         R{RouteKind::kAdjacency, uplink, adjacency(Rig::kToRemotePods), {}, ""}},
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
    state.has_uplink_source = true;
    state.uplink_source = ip<F>(W::kNode);
    state.has_vtep = true;
    state.vtep = ip<F>(W::kNode);
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
    const VxlanHeader vxlan = VxlanHeader::with_vni(1);
    std::memcpy(at + 42, &vxlan, sizeof(vxlan));
    return out;
}

}  // namespace

Rig::Rig() {
    shared_ = std::make_unique<Shared>(1);
    shared_->pool = pool();
    shared_->idle = IdleMode::kPoll;
    shared_->control_doorbell.sleeping = false;
    FlowTableOptions options;
    options.capacity = 1024;
    shared_->flows_v4 = FlowTable<V4>::create(options, shared_->domain).value();
    shared_->flows_v6 = FlowTable<V6>::create(options, shared_->domain).value();
    worker_ = std::make_unique<Worker>(*shared_, 0);
    add_port(kPodA, PortKind::kPod, "default/a", 65535);
    add_port(kPodB, PortKind::kPod, "default/b", 65535);
    add_port(kUplink, PortKind::kUplink, "uplink0", 1514);
    add_port(kHost, PortKind::kHost, "podlane0", 65535);

    auto first = make_empty_snapshot();
    const PortId a = port(kPodA), b = port(kPodB), up = port(kUplink), host = port(kHost);
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
    first->overlay = {true, 1, be16(8472), Names::kVtepMac};
    auto& adjacencies = first->adjacencies;
    adjacencies.set(kToPodA, ethernet(a, Names::kPodAMac, Names::kGatewayMac, 1450));
    adjacencies.set(kToPodB, ethernet(b, Names::kPodBMac, Names::kGatewayMac, 1450));
    adjacencies.set(kToHost, ethernet(host, Names::kUplinkMac, Names::kGatewayMac, 1500));
    adjacencies.set(kToPeer, ethernet(up, Names::kPeerMac, Names::kUplinkMac, 1500));
    adjacencies.set(kToRemotePods, tunnel(up));
    fill_family<V4>(first->v4, up, host, a, b);
    fill_family<V6>(first->v6, up, host, a, b);
    publish(std::move(first));
    shared_->domain.online(0);
}

Rig::~Rig() {
    worker_->turn();
    shared_->domain.offline(0);
    worker_.reset();
    for (const int fd : far_ends_) close(fd);
}

void Rig::add_port(Who who, PortKind kind, const std::string& name, uint32_t max_frame) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends) != 0) {
        throw std::runtime_error("socketpair");
    }
    TapPortSpec spec;
    spec.name = name;
    spec.kind = kind;
    spec.mtu = 1500;
    spec.vnet_header_bytes = sizeof(VirtioNetHeader);
    spec.queue_fds = {ends[0]};
    auto opened = open_tap_port(spec, 1).value();
    opened->port.id = PortId{static_cast<uint16_t>(who)};
    // The uplink is to behave like a network card without offloads.
    opened->port.caps.max_frame_bytes = max_frame;
    opened->port.caps.tx_l4_checksum = kind != PortKind::kUplink;
    shared_->ports.set(opened->port.id, &opened->port);
    (void)worker_->watch(ends[0], opened->port.id);
    ports_.push_back(std::move(opened));
    far_ends_.push_back(ends[1]);
}

void Rig::publish(std::shared_ptr<const Snapshot> next) {
    if (snapshot_) old_.push_back(snapshot_);
    snapshot_ = std::move(next);
    shared_->snapshot.store(snapshot_.get(), std::memory_order_release);
}

void Rig::turn() {
    for (int quiet = 0; quiet < 3;) quiet = worker_->turn() == 0 ? quiet + 1 : 0;
}

void Rig::send(Who from, const Frame& frame, bool partial) {
    std::vector<uint8_t> bytes(sizeof(VirtioNetHeader));
    if (partial) bytes[0] = kVirtioNeedsChecksum;
    bytes.insert(bytes.end(), frame.begin(), frame.end());
    ASSERT_EQ(write(far_ends_[from], bytes.data(), bytes.size()),
              static_cast<ssize_t>(bytes.size()));
    turn();
}

std::vector<Frame> Rig::take(Who from) {
    std::vector<Frame> out;
    std::vector<uint8_t> buffer(70000);
    for (;;) {
        const ssize_t got = read(far_ends_[from], buffer.data(), buffer.size());
        if (got < static_cast<ssize_t>(sizeof(VirtioNetHeader))) return out;
        last_partial_ = (buffer[0] & kVirtioNeedsChecksum) != 0;
        out.emplace_back(buffer.begin() + sizeof(VirtioNetHeader), buffer.begin() + got);
    }
}

Frame Rig::take_one(Who from) {
    const auto frames = take(from);
    EXPECT_EQ(frames.size(), 1u);
    return frames.empty() ? Frame{} : frames.front();
}

uint64_t Rig::drops(Drop reason) const {
    return shared_->counters[0]->drops[static_cast<size_t>(reason)].get();
}

uint64_t Rig::all_drops() const {
    uint64_t sum = 0;
    for (const Counter& counter : shared_->counters[0]->drops) sum += counter.get();
    return sum;
}

std::vector<Event> Rig::events() {
    std::vector<Event> out;
    Event event;
    while (shared_->events[0]->pop(event)) out.push_back(event);
    return out;
}

void Rig::command(const Command& command) {
    (void)shared_->commands.push(command);
    turn();
}

}  // namespace podlane::dataplane
