// Pod ports: created when a pod starts, removed when it ends or its namespace is gone.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "control/node/node_model.h"
#include "control/node/pod_interface.h"
#include "control/node/pod_names.h"
#include "lib/base/join.h"

namespace podlane::control {

namespace {

Refusal bad_pod(std::string message) {
    return refusal(RefusalKind::kBadRequest, std::move(message));
}

/// The resolver settings that the kubelet writes for dnsPolicy ClusterFirst.
PodDns dns_of(const NodeConfig& config, const std::string& pod) {
    const std::string name_space = pod.substr(0, pod.find('/'));
    const std::string& domain = config.cluster.domain;
    return {
        config.cluster.dns, {name_space + ".svc." + domain, "svc." + domain, domain}, {"ndots:5"}};
}

std::string cidrs_text(const NodeConfig& config) {
    std::string text;
    for (const IpPrefix& cidr : config.pods.cidrs) {
        text += (text.empty() ? "" : ", ") + to_string(cidr);
    }
    return text;
}

/// What is wrong with the limits; nothing if they are valid.
std::optional<std::string> check_bandwidth(const Bandwidth& limits) {
    for (const auto& [way, limit] :
         {std::pair{"ingress", &limits.ingress}, std::pair{"egress", &limits.egress}}) {
        if (limit->bits_per_second == 0 && limit->burst_bits != 0) {
            return fmt::format("bandwidth: {0}Burst is {1}, and there is no {0}Rate", way,
                               limit->burst_bits);
        }
    }
    return std::nullopt;
}

/// The network and broadcast addresses of an IPv4 CIDR cannot be a host's.
bool is_edge_of(const IpPrefix& cidr, const IpAddress& address) {
    if (address == cidr.address) return true;
    if (!address.is_v4() || cidr.length > 30) return false;
    return address == address_plus(cidr.address, (uint64_t{1} << (32 - cidr.length)) - 1);
}

/// A port's name in messages: its pod, and the container if there is one.
std::string words_of(const AttachedPod& pod) {
    if (pod.container.empty()) return "pod " + pod.pod;
    return fmt::format("pod {} (container {}, {})", pod.pod, pod.container, pod.ifname);
}

}  // namespace

bool NodeModel::is_mac_taken(const MacAddress& mac) const {
    return mac == gateway_mac_of(config_) || ports_.has_mac(mac);
}

MacAddress NodeModel::pick_pod_mac(const std::string& pod) const {
    for (unsigned attempt = 0;; ++attempt) {
        const MacAddress mac = derive_pod_mac(config_.node, pod, attempt);
        if (!is_mac_taken(mac)) return mac;
    }
}

PodPortView NodeModel::view_of(const AttachedPod& pod) const {
    PodPortView view;
    view.name = pod.name;
    view.id = static_cast<unsigned>(index_of(pod.port.id()));
    view.pod = pod.pod;
    view.container = pod.container;
    view.mac = pod.mac;
    view.addresses = pod.addresses;
    view.gateways = pod_gateways(config_, pod.addresses);
    view.mtu = pod.mtu;
    view.netns = pod.netns;
    view.ifname = pod.ifname;
    view.socket_path = pod.socket.path;
    if (!config_.cluster.dns.empty()) view.dns = dns_of(config_, pod.pod);
    return view;
}

Outcome<NodeModel::PodPlan> NodeModel::plan_pod(const PodAddRequest& request) const {
    PodPlan plan;
    if (!is_pod_name(request.pod)) {
        return bad_pod(
            fmt::format("pod: {} is not NAMESPACE/NAME in Kubernetes' spelling", request.pod));
    }
    if (!is_interface_name(request.ifname)) {
        return bad_pod(
            fmt::format("ifname: {} is no interface name (1-15 characters, no slash, no "
                        "white space)",
                        request.ifname));
    }
    if (!request.container.empty() && !is_container_id(request.container)) {
        return bad_pod(
            fmt::format("container: {} is no container id (letters, digits, and after the first "
                        "also _ . -, 253 at most)",
                        request.container));
    }
    if (request.netns.empty()) return bad_pod("netns: the path is empty");
    if (!request.mac.empty()) {
        const auto mac = parse_mac(request.mac);
        if (!mac || mac->is_multicast() || mac->is_zero()) {
            return bad_pod(fmt::format("mac: {} is no MAC address of one interface", request.mac));
        }
        plan.mac = *mac;
    }
    if (request.addresses.empty()) return bad_pod("addresses: a pod needs at least one");
    const std::vector<IpAddress> bridge = config_.pods.gateways();
    for (const std::string& text : request.addresses) {
        const auto address = parse_ip(text);
        if (!address) return bad_pod(fmt::format("addresses: {} is no IP address", text));
        const IpPrefix* cidr = pod_cidr_of(config_, *address);
        if (cidr == nullptr) {
            return bad_pod(fmt::format("addresses: {} is in none of this node's pod CIDRs ({})",
                                       text, cidrs_text(config_)));
        }
        if (std::find(bridge.begin(), bridge.end(), *address) != bridge.end()) {
            return bad_pod(
                fmt::format("addresses: {} is the gateway of {}", text, to_string(*cidr)));
        }
        if (is_edge_of(*cidr, *address)) {
            return bad_pod(fmt::format("addresses: {} is the network or broadcast address of {}",
                                       text, to_string(*cidr)));
        }
        plan.addresses.push_back(*address);
        plan.interface_addresses.push_back({*address, cidr->length});
    }
    std::sort(plan.addresses.begin(), plan.addresses.end());
    if (std::adjacent_find(plan.addresses.begin(), plan.addresses.end()) != plan.addresses.end()) {
        return bad_pod("addresses: one is given twice");
    }
    plan.gateways = pod_gateways(config_, plan.addresses);
    auto host_ports = read_port_mappings(request.port_mappings);
    if (!host_ports.ok()) return bad_pod(host_ports.error().message);
    plan.host_ports = std::move(host_ports).value();
    if (auto wrong = check_bandwidth(request.bandwidth)) return bad_pod(std::move(*wrong));
    const auto interface = pod_interface(request.interface);
    if (!interface) {
        return bad_pod(
            fmt::format("interface: {} is none of tap, memif and vhostUser", request.interface));
    }
    if (*interface == PodInterface::kTap) return plan;
    plan.socket = {*interface, pod_socket_path(config_.pods.sockets, request.pod, request.ifname),
                   request.user, request.group};
    return plan;
}

std::optional<Refusal> NodeModel::check_free(const PodAddRequest& request,
                                             const PodPlan& plan) const {
    for (const IpAddress& address : plan.addresses) {
        if (const AttachedPod* other = ports_.owner_of(address)) {
            return refusal(
                RefusalKind::kConflict,
                fmt::format("{} is the address of {}", to_string(address), words_of(*other)));
        }
    }
    if (is_mac_taken(plan.mac)) {
        return refusal(RefusalKind::kConflict,
                       fmt::format("{} is another port's MAC address", request.mac));
    }
    for (const ContainerPort& port : plan.host_ports) {
        // The pod's own previous sandbox gives it up.
        const AttachedPod* other = ports_.host_port_user(port, request.pod);
        if (other == nullptr) continue;
        return refusal(RefusalKind::kConflict,
                       fmt::format("portMappings: port {} of the node leads to {} already",
                                   host_port_text(port), words_of(*other)));
    }
    return std::nullopt;
}

Result<LocalPort> NodeModel::open_pod_socket(const std::string& name, const PodSocket& socket,
                                             const Bandwidth& bandwidth) {
    if (auto made = make_way_for_socket(socket); !made.ok()) return made.error();
    auto port = LocalPort::open_device(dataplane_,
                                       {.name = name,
                                        .device = pod_socket_device(socket, sockets_made_++),
                                        .mtu = config_.pods.mtu,
                                        .bandwidth = bandwidth},
                                       [this, socket] {
                                           if (!leave_sockets_) remove_socket(socket);
                                       });
    if (!port.ok()) {
        remove_socket(socket);
        return port.error();
    }
    if (auto given = hand_over_socket(socket); !given.ok()) return given.error();
    return port;
}

Result<LocalPort> NodeModel::open_pod_port(const PodAddRequest& request, const PodPlan& plan,
                                           const std::string& name, const MacAddress& mac) {
    if (plan.socket.is_socket()) {
        if (taps_.netns_id(request.netns) == NetnsId{}) {
            return Error{fmt::format("{}: no network namespace is there", request.netns)};
        }
        return open_pod_socket(name, plan.socket, request.bandwidth);
    }
    auto tap = taps_.make_pod_tap({.netns_path = request.netns,
                                   .ifname = request.ifname,
                                   .mac = mac,
                                   .mtu = config_.pods.mtu,
                                   .queues = tap_queues(),
                                   .addresses = plan.interface_addresses,
                                   .gateways = plan.gateways,
                                   .shortcut = config_.pods.shortcut});
    if (!tap.ok()) return tap.error();
    return open_pod_tap(name, request.ifname, mac, request.bandwidth, std::move(tap).value());
}

Result<LocalPort> NodeModel::open_pod_tap(const std::string& name, const std::string& ifname,
                                          const MacAddress& mac, const Bandwidth& bandwidth,
                                          MadeTap tap) {
    // Workers keep to a bandwidth limit; the kernel would not.
    const bool is_pair = shortcut_.is_on() && tap.node_end != 0 && !bandwidth.is_limited();
    const int node_end = tap.node_end;
    auto port = LocalPort::open(dataplane_,
                                {.name = name,
                                 .kind = PortKind::kPod,
                                 .ifname = ifname,
                                 .mac = mac,
                                 .mtu = config_.pods.mtu,
                                 .bandwidth = bandwidth,
                                 .is_pair = is_pair},
                                std::move(tap));
    if (port.ok() && is_pair) shortcut_.add_port(port->id(), node_end, mac);
    return port;
}

Outcome<PodPortView> NodeModel::add_pod(const PodAddRequest& request) {
    auto planned = plan_pod(request);
    if (!planned.ok()) return planned.refusal();
    PodPlan& plan = planned.value();
    const PodPortKey key = request.container.empty()
                               ? PodPortKey{request.pod, ""}
                               : PodPortKey{request.container, request.ifname};
    if (const AttachedPod* there = ports_.find(key)) {
        if (there->pod == request.pod && there->netns == request.netns &&
            there->ifname == request.ifname && there->addresses == plan.addresses &&
            there->host_ports == plan.host_ports && there->bandwidth == request.bandwidth &&
            there->socket == plan.socket && (plan.mac.is_zero() || there->mac == plan.mac)) {
            return view_of(*there);
        }
        return refusal(
            RefusalKind::kConflict,
            fmt::format("{} has a port already, with other arguments", words_of(*there)));
    }
    if (auto refused = check_free(request, plan)) return std::move(*refused);
    const MacAddress mac = plan.mac.is_zero() ? pick_pod_mac(request.pod) : plan.mac;
    const std::string name = ports_.free_name(request.pod, request.ifname, request.container);
    auto port = open_pod_port(request, plan, name, mac);
    if (!port.ok()) return Refusal{RefusalKind::kFailed, port.error()};
    const PortId id = port->id();
    links_.add_mac(mac, id);
    // No device reports the end of its namespace: a TAP's queues keep that alive.
    const NetnsId netns = taps_.netns_id(request.netns);
    watched_netns_[id] = netns;
    HostPorts taken = ports_.take_host_ports(request.pod, plan.host_ports);
    const AttachedPod& pod = ports_.add({.port = std::move(port).value(),
                                         .name = name,
                                         .pod = request.pod,
                                         .container = request.container,
                                         .mac = mac,
                                         .addresses = std::move(plan.addresses),
                                         .netns = request.netns,
                                         .ifname = request.ifname,
                                         .mtu = config_.pods.mtu,
                                         .host_ports = std::move(plan.host_ports),
                                         .bandwidth = request.bandwidth,
                                         .socket = std::move(plan.socket)});
    if (auto published = publish(nullptr, true); !published.ok()) {
        links_.remove_macs(id);
        watched_netns_.erase(id);
        shortcut_.remove_port(id);
        (void)ports_.take(key);
        ports_.set_host_ports(std::move(taken));
        return Refusal{RefusalKind::kInvalid, published.error()};
    }
    if (keeper_ != nullptr) {
        keep_pod(pod, netns);
        for (const auto& [former, ports] : taken) {
            const AttachedPod& other = ports_.pods().at(former);
            keep_pod(other, taps_.netns_id(other.netns));
        }
    }
    // The address may have belonged to another pod until now, and neighbours' caches still say so.
    if (!announcements_.announce_pod(id, mac, pod.addresses)) {
        spdlog::warn("{}: pods that knew its addresses by another MAC may take a minute to find it",
                     words_of(pod));
    }
    tell({.kind = "ports",
          .type = NewsType::kAdded,
          .name = name,
          .text = fmt::format("attached with {}: {} in {}", join(request.addresses), request.ifname,
                              request.netns),
          .about = request.pod,
          .by = request.by});
    spdlog::info("{}: port {} with {}", words_of(pod), index_of(id), join(request.addresses));
    return view_of(pod);
}

void NodeModel::purge(const std::vector<IpAddress>& addresses) {
    for (const IpAddress& address : addresses) {
        Command purge;
        purge.kind = CommandKind::kPurge;
        purge.address = RawAddress::from(address);
        if (!dataplane_.command(purge)) {
            spdlog::warn("the connections of {} stay until they age out", to_string(address));
        }
    }
}

Result<void> NodeModel::detach(const PodPortKey& key, const std::string& by) {
    AttachedPod pod = ports_.take(key);
    shortcut_.remove_port(pod.port.id());
    if (auto published = publish(nullptr, true); !published.ok()) {
        ports_.add(std::move(pod));
        return published.error();
    }
    pod.port.set_published(false);
    if (keeper_ != nullptr) keeper_->erase_pod(pod.name);
    purge(pod.addresses);
    links_.remove_macs(pod.port.id());
    watched_netns_.erase(pod.port.id());
    tell({.kind = "ports",
          .type = NewsType::kDeleted,
          .name = pod.name,
          .text = "detached",
          .about = pod.pod,
          .by = by});
    return {};
}

Outcome<std::vector<PodPortKey>> NodeModel::keys_to_remove(const PodDelRequest& request) const {
    if (request.pod.empty() && request.container.empty()) {
        return bad_pod("pod: missing; name the port by pod or container");
    }
    if (!request.container.empty()) {
        std::vector<PodPortKey> keys = ports_.of_container(request.container, request.ifname);
        for (const PodPortKey& key : keys) {
            const AttachedPod& pod = *ports_.find(key);
            if (request.pod.empty() || pod.pod == request.pod) continue;
            return refusal(RefusalKind::kConflict,
                           fmt::format("container {} is of pod {}, not of {}", request.container,
                                       pod.pod, request.pod));
        }
        return keys;
    }
    if (const AttachedPod* pod = ports_.find(PodPortKey{request.pod, ""})) {
        if (pod->is_static) {
            return refusal(
                RefusalKind::kConflict,
                fmt::format("pod {} is a static port of the configuration", request.pod));
        }
        if (!request.ifname.empty() && pod->ifname != request.ifname) {
            return std::vector<PodPortKey>{};
        }
        return std::vector<PodPortKey>{pod->key()};
    }
    if (const AttachedPod* pod = ports_.find(request.pod); pod != nullptr) {
        return refusal(RefusalKind::kConflict,
                       fmt::format("the port of pod {} is a container's: name container {}",
                                   request.pod, pod->container));
    }
    return std::vector<PodPortKey>{};
}

Outcome<PodRemoval> NodeModel::remove_pod(const PodDelRequest& request) {
    auto keys = keys_to_remove(request);
    if (!keys.ok()) return keys.refusal();
    for (const PodPortKey& key : keys.value()) {
        const std::string words = words_of(*ports_.find(key));
        if (auto done = detach(key, request.by); !done.ok()) {
            return Refusal{RefusalKind::kFailed, done.error()};
        }
        spdlog::info("{}: port removed", words);
    }
    return PodRemoval{!keys->empty()};
}

}  // namespace podlane::control
