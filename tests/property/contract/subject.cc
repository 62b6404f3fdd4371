#include "tests/property/contract/subject.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "tests/support/world.h"

namespace podlane::contract {

namespace {

using control::Service;
using control::test::RandomObjects;
using dataplane::RigNames;

IpAddress ip_of(const std::string& text) {
    return parse_ip(text).value();
}
IpPrefix prefix_of(const std::string& text) {
    return parse_prefix(text).value();
}

template <class T>
std::vector<control::ObjectPtr<T>> list_of(const control::ObjectStore& store) {
    std::vector<control::ObjectPtr<T>> out;
    for (const auto& [name, object] : store.all<T>()) out.push_back(object);
    return out;
}

}  // namespace

Subject::Subject(uint64_t seed) : random_(seed) {
    choose_config();
    compiler_ = std::make_unique<control::Compiler>(config_);
    plug_in();
    commit(store_.plan_apply({RandomObjects::node(0, "zone-a"), RandomObjects::node(1, "zone-b")}));
    for (unsigned i = 0; i < 30; ++i) step();
}

void Subject::choose_config() {
    config_.node = "node-a";
    control::UplinkConfig uplink;
    uplink.name = "uplink0";
    uplink.addresses = {*parse_interface_address("192.168.50.1/24"),
                        *parse_interface_address("fd00:50::1/64")};
    if (random_.chance(30)) {
        uplink.addresses.push_back(*parse_interface_address("192.168.60.1/24"));
    }
    uplink.gateways = {ip_of("192.168.50.254"), ip_of("fd00:50::fe")};
    uplink.neighbors = {{ip_of("192.168.50.254"), RigNames::kPeerMac},
                        {ip_of("fd00:50::fe"), RigNames::kPeerMac},
                        {ip_of("192.168.50.2"), RigNames::kPeerMac},
                        {ip_of("fd00:50::2"), RigNames::kPeerMac}};
    config_.uplinks = {uplink};
    config_.host = control::HostConfig{};
    config_.pods.cidrs = {prefix_of("10.244.1.0/24"), prefix_of("fd00:10:1::/64")};
    config_.pods.mtu = 1450;
    config_.pods.gateway_mac = RigNames::kGatewayMac;
    config_.overlay.mac = RigNames::kVtepMac;
    config_.cluster.pod_cidrs = {prefix_of("10.244.0.0/16"), prefix_of("fd00:10::/32")};
    config_.cluster.service_cidrs = {prefix_of("10.96.0.0/12"), prefix_of("fd00:96::/108")};
    switch (random_.below(4)) {
        case 0:
            config_.cluster.node_ports_on_primary = true;
            cluster_.node_port_addresses = {prefix_of("192.168.50.1/32"),
                                            prefix_of("fd00:50::1/128")};
            break;
        case 1:
            config_.cluster.node_port_addresses = {prefix_of("192.168.60.0/24")};
            cluster_.node_port_addresses = config_.cluster.node_port_addresses;
            break;
        default:
            break;
    }
    cluster_.node = config_.node;
    for (const auto& own : uplink.addresses) cluster_.node_addresses.push_back(own.address);
    cluster_.pod_cidrs = config_.cluster.pod_cidrs;
    cluster_.service_cidrs = config_.cluster.service_cidrs;
}

IpAddress Subject::pod(unsigned n, bool v6) {
    return RandomObjects::pod_ip(v6, 1, n);
}

void Subject::plug_in() {
    control::TopologyInput input;
    // The ports of tests/unit/dataplane/rig.h.
    const PortId pod_a{0}, pod_b{1}, uplink{2}, host{3};
    input.ports = {{pod_a, "default/a", PortKind::kPod, "tapa", RigNames::kPodAMac, 1450, {}},
                   {pod_b, "default/b", PortKind::kPod, "tapb", RigNames::kPodBMac, 1450, {}},
                   {uplink, "uplink0", PortKind::kUplink, "eth1", RigNames::kUplinkMac, 1500, {}},
                   {host, "podlane0", PortKind::kHost, "podlane0", RigNames::kUplinkMac, 1500, {}}};
    for (const auto& each : config_.uplinks.front().neighbors) {
        input.neighbours.push_back(
            {uplink, each.address, each.mac, control::NeighbourStatus::kResolved});
    }
    const auto add = [&](const char* name, PortId port, const MacAddress& mac, unsigned n) {
        input.pods.push_back({name, port, mac, {pod(n, false), pod(n, true)}, 1450});
        for (const bool v6 : {false, true}) cluster_.local_pods.push_back(pod(n, v6));
    };
    add("default/a", pod_a, RigNames::kPodAMac, 0);
    add("default/b", pod_b, RigNames::kPodBMac, 1);
    const auto compiled = compiler_->next(store_, {.topology = &input});
    if (!compiled.ok()) throw std::runtime_error(compiled.error().message);
}

void Subject::commit(const control::ChangeSet& changes) {
    store_.commit(changes);
    if (const auto compiled = compiler_->next(store_, {.objects = &changes}); !compiled.ok()) {
        store_.revert(changes);
        return;
    }
    cluster_.nodes = list_of<control::Node>(store_);
    cluster_.pods = list_of<control::Pod>(store_);
    cluster_.services = list_of<Service>(store_);
    cluster_.slices = list_of<control::EndpointSlice>(store_);
    cluster_.endpoints = list_of<control::Endpoints>(store_);
}

void Subject::step() {
    if (random_.chance(20)) {
        const control::ObjectKey key = key_of(random_.object());
        // Without the other node, its pods cannot be reached.
        if (key.kind != control::Kind::kNode) commit(store_.plan_delete({key}));
        return;
    }
    std::vector<control::Object> objects;
    for (unsigned i = 0; i <= random_.below(3); ++i) objects.push_back(random_.object());
    commit(store_.plan_apply(objects));
}

IpAddress Subject::source(From from, bool v6) {
    switch (from) {
        case From::kPod:
            return pod(random_.below(kPods), v6);
        case From::kHost:
            return ip_of(v6 ? "fd00:50::1" : "192.168.50.1");
        case From::kOverlay:
            return RandomObjects::pod_ip(v6, 2, random_.below(6));
        case From::kUplink:
            break;
    }
    if (random_.chance(10)) return RandomObjects::pod_ip(v6, 2, random_.below(6));
    const std::vector<std::string> v4s{"203.0.113.9", "198.51.100.9", "192.168.50.254",
                                       "192.168.50.2"};
    const std::vector<std::string> v6s{"2001:db8::9", "2001:db9::9", "fd00:50::fe", "fd00:50::2"};
    return ip_of(random_.one_of(v6 ? v6s : v4s));
}

void Subject::aim_at(const Service& service, Packet& packet) {
    const bool anything = random_.chance(10);
    std::vector<IpAddress> places;
    const auto add = [&](const IpAddress& address, size_t weight) {
        const bool has_family =
            std::any_of(service.cluster_ips.begin(), service.cluster_ips.end(),
                        [&](const IpAddress& own) { return own.is_v4() == address.is_v4(); });
        if (has_family || anything) places.insert(places.end(), weight, address);
    };
    for (const IpAddress& address : service.cluster_ips) add(address, 2);
    for (const IpAddress& address : service.external_ips) add(address, 1);
    for (const auto& ingress : service.load_balancer) {
        const bool is_balanced = service.type == control::ServiceType::kLoadBalancer;
        if (ingress.ip && (is_balanced || anything)) add(*ingress.ip, 2);
    }
    const auto& port = random_.one_of(service.ports);
    packet.protocol = static_cast<uint8_t>(port.protocol);
    const bool by_node = places.empty() || (port.node_port != 0 && random_.chance(35));
    packet.dst = random_.one_of(by_node ? cluster_.node_addresses : places);
    packet.dst_port = by_node ? port.node_port : port.port;
}

void Subject::aim_at_host_port(Packet& packet) {
    packet.dst = random_.one_of(cluster_.node_addresses);
    for (unsigned tries = 0; tries < 10 && !cluster_.pods.empty(); ++tries) {
        const auto& port = random_.one_of(random_.one_of(cluster_.pods)->ports);
        packet.protocol = static_cast<uint8_t>(port.protocol);
        packet.dst_port = port.host_port;
        if (packet.dst_port != 0) return;
    }
}

void Subject::aim_elsewhere(Packet& packet) {
    std::vector<IpAddress> places = cluster_.node_addresses;
    for (const char* text : {"10.96.0.200", "203.0.113.9", "fd00:96::ff", "2001:db8::9"}) {
        places.push_back(ip_of(text));
    }
    for (const bool v6 : {false, true}) places.push_back(random_.pod_ip(v6));
    packet.dst = random_.one_of(places);
    packet.dst_port = static_cast<uint16_t>(random_.chance(50) ? 80 : 30000 + random_.below(60));
}

Packet Subject::packet() {
    Packet made;
    const unsigned aim = random_.below(100);
    if (aim < 85 && !cluster_.services.empty()) {
        aim_at(*random_.one_of(cluster_.services), made);
    } else if (aim < 95) {
        aim_at_host_port(made);
    } else {
        aim_elsewhere(made);
    }
    // Sometimes another port of the same address, or no port at all.
    if (made.dst_port == 0 || random_.chance(4))
        made.dst_port = static_cast<uint16_t>(80 + random_.below(4));
    if (random_.chance(2)) made.protocol = 132;
    made.from = static_cast<From>(random_.below(4));
    made.src = source(made.from, made.dst.is_v6());
    made.src_port = static_cast<uint16_t>(1024 + random_.below(60000));
    if (random_.chance(2)) {
        made.protocol = made.dst.is_v6() ? 58 : 1;
        made.src_port = made.dst_port = 0;
    }
    return made;
}

}  // namespace podlane::contract
