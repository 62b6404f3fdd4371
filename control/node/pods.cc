// Pod ports: made when a pod starts, removed when it ends or its namespace dies.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "control/node/node_model.h"
#include "control/node/pod_names.h"
#include "lib/base/join.h"

namespace podlane::control {

namespace {

using Json = nlohmann::ordered_json;

RpcFailure bad(std::string message) {
    return {rpc_code::kBadParams, std::move(message)};
}

const IpPrefix* cidr_of(const NodeConfig& config, const IpAddress& address) {
    for (const IpPrefix& cidr : config.pods.cidrs) {
        if (cidr.contains(address)) return &cidr;
    }
    return nullptr;
}

/// What belongs into the pod's resolv.conf: kubelet's lines for dnsPolicy ClusterFirst, with the
/// field names of a CNI result.
Json pod_dns_json(const NodeConfig& config, const std::string& pod) {
    const std::string name_space = pod.substr(0, pod.find('/'));
    const std::string& domain = config.cluster.domain;
    Json servers = Json::array();
    for (const IpAddress& address : config.cluster.dns) servers.push_back(to_string(address));
    return {{"nameservers", std::move(servers)},
            {"search", {name_space + ".svc." + domain, "svc." + domain, domain}},
            {"options", {"ndots:5"}}};
}

std::string cidrs_text(const NodeConfig& config) {
    std::string text;
    for (const IpPrefix& cidr : config.pods.cidrs) {
        text += (text.empty() ? "" : ", ") + to_string(cidr);
    }
    return text;
}

/// Network and broadcast addresses of an IPv4 CIDR are nobody's.
bool is_edge_of(const IpPrefix& cidr, const IpAddress& address) {
    if (address == cidr.address) return true;
    if (!address.is_v4() || cidr.length > 30) return false;
    return address == address_plus(cidr.address, (uint64_t{1} << (32 - cidr.length)) - 1);
}

}  // namespace

bool NodeModel::is_mac_taken(const MacAddress& mac) const {
    return mac == gateway_mac_of(config_) ||
           std::any_of(pods_.begin(), pods_.end(),
                       [&](const auto& entry) { return entry.second.mac == mac; });
}

MacAddress NodeModel::pick_pod_mac(const std::string& pod) const {
    for (unsigned attempt = 0;; ++attempt) {
        const MacAddress mac = derive_pod_mac(config_.node, pod, attempt);
        if (!is_mac_taken(mac)) return mac;
    }
}

std::vector<IpAddress> NodeModel::gateways_of(const AttachedPod& pod) const {
    std::vector<IpAddress> gateways;
    for (const IpAddress& address : pod.addresses) {
        const IpPrefix* cidr = cidr_of(config_, address);
        if (cidr == nullptr) continue;
        const bool has_one =
            std::any_of(gateways.begin(), gateways.end(),
                        [&](const IpAddress& other) { return other.is_v4() == address.is_v4(); });
        if (!has_one) gateways.push_back(address_plus(cidr->address, 1));
    }
    return gateways;
}

Json NodeModel::pod_json(const AttachedPod& pod) const {
    Json addresses = Json::array(), gateways = Json::array();
    for (const IpAddress& address : pod.addresses) addresses.push_back(to_string(address));
    for (const IpAddress& gateway : gateways_of(pod)) gateways.push_back(to_string(gateway));
    Json port = {{"name", pod.pod},
                 {"id", index_of(pod.id)},
                 {"mac", to_string(pod.mac)},
                 {"addresses", std::move(addresses)},
                 {"gateways", std::move(gateways)},
                 {"mtu", pod.mtu},
                 {"netns", pod.netns},
                 {"ifname", pod.ifname}};
    if (!config_.cluster.dns.empty()) port["dns"] = pod_dns_json(config_, pod.pod);
    return {{"port", std::move(port)}};
}

std::variant<NodeModel::PodPlan, RpcFailure> NodeModel::plan_pod(
    const PodAddRequest& request) const {
    PodPlan plan;
    plan.pod.pod = request.pod;
    plan.pod.netns = request.netns;
    plan.pod.ifname = request.ifname;
    plan.pod.mtu = config_.pods.mtu;
    if (!is_pod_name(request.pod)) {
        return bad(
            fmt::format("pod: {} is not NAMESPACE/NAME in Kubernetes' spelling", request.pod));
    }
    if (!is_interface_name(request.ifname)) {
        return bad(
            fmt::format("ifname: {} is no interface name (1-15 characters, no slash, no "
                        "white space)",
                        request.ifname));
    }
    if (request.netns.empty()) return bad("netns: the path is empty");
    if (!request.mac.empty()) {
        const auto mac = parse_mac(request.mac);
        if (!mac || mac->is_multicast() || mac->is_zero()) {
            return bad(fmt::format("mac: {} is no MAC address of one interface", request.mac));
        }
        plan.pod.mac = *mac;
    }
    if (request.addresses.empty()) return bad("addresses: a pod needs at least one");
    const std::vector<IpAddress> bridge = config_.pods.gateways();
    for (const std::string& text : request.addresses) {
        const auto address = parse_ip(text);
        if (!address) return bad(fmt::format("addresses: {} is no IP address", text));
        const IpPrefix* cidr = cidr_of(config_, *address);
        if (cidr == nullptr) {
            return bad(fmt::format("addresses: {} is in none of this node's pod CIDRs ({})", text,
                                   cidrs_text(config_)));
        }
        if (std::find(bridge.begin(), bridge.end(), *address) != bridge.end()) {
            return bad(fmt::format("addresses: {} is the gateway of {}", text, to_string(*cidr)));
        }
        if (is_edge_of(*cidr, *address)) {
            return bad(fmt::format("addresses: {} is the network or broadcast address of {}", text,
                                   to_string(*cidr)));
        }
        plan.pod.addresses.push_back(*address);
        plan.interface_addresses.push_back({*address, cidr->length});
    }
    std::sort(plan.pod.addresses.begin(), plan.pod.addresses.end());
    if (std::adjacent_find(plan.pod.addresses.begin(), plan.pod.addresses.end()) !=
        plan.pod.addresses.end()) {
        return bad("addresses: one is given twice");
    }
    plan.gateways = gateways_of(plan.pod);
    return plan;
}

RpcResult NodeModel::add_pod(const PodAddRequest& request) {
    auto planned = plan_pod(request);
    if (auto* failure = std::get_if<RpcFailure>(&planned)) return std::move(*failure);
    PodPlan& plan = std::get<PodPlan>(planned);
    if (const auto at = pods_.find(request.pod); at != pods_.end()) {
        const AttachedPod& there = at->second;
        if (there.netns == plan.pod.netns && there.ifname == plan.pod.ifname &&
            there.addresses == plan.pod.addresses &&
            (plan.pod.mac.is_zero() || there.mac == plan.pod.mac)) {
            return pod_json(there);
        }
        return RpcFailure{
            rpc_code::kConflict,
            fmt::format("pod {} has a port already, with other arguments", request.pod)};
    }
    for (const auto& [name, other] : pods_) {
        for (const IpAddress& address : plan.pod.addresses) {
            if (std::binary_search(other.addresses.begin(), other.addresses.end(), address)) {
                return RpcFailure{rpc_code::kConflict, fmt::format("{} is the address of pod {}",
                                                                   to_string(address), name)};
            }
        }
    }
    if (plan.pod.mac.is_zero()) {
        plan.pod.mac = pick_pod_mac(request.pod);
    } else if (is_mac_taken(plan.pod.mac)) {
        return RpcFailure{rpc_code::kConflict,
                          fmt::format("{} is another port's MAC address", request.mac)};
    }
    auto tap = taps_.make_pod_tap({.netns_path = plan.pod.netns,
                                   .ifname = plan.pod.ifname,
                                   .mac = plan.pod.mac,
                                   .mtu = plan.pod.mtu,
                                   .queues = tap_queues(),
                                   .addresses = plan.interface_addresses,
                                   .gateways = plan.gateways});
    if (!tap.ok()) return rpc_failure(tap.error(), rpc_code::kFailed);
    auto port = dataplane_.add_tap_port({.name = plan.pod.pod,
                                         .kind = PortKind::kPod,
                                         .ifname = plan.pod.ifname,
                                         .mac = plan.pod.mac,
                                         .mtu = plan.pod.mtu,
                                         .vnet_header_bytes = kTapHeaderBytes,
                                         .queue_fds = std::move(tap->queue_fds)});
    if (!port.ok()) {
        tap->remove();
        return rpc_failure(port.error(), rpc_code::kFailed);
    }
    plan.pod.id = *port;
    remember_baseline(*port);
    macs_.add_static(plan.pod.mac, *port);
    const auto at = pods_.emplace(plan.pod.pod, plan.pod).first;
    tap_removers_[*port] = std::move(tap->remove);
    if (auto published = publish(nullptr, true); !published.ok()) {
        pods_.erase(at);
        macs_.remove_port(*port);
        baselines_.erase(*port);
        dataplane_.remove_port(*port);
        tap_removers_[*port]();
        tap_removers_.erase(*port);
        return rpc_failure(published.error(), rpc_code::kRefused);
    }
    // The address may have been another pod's a moment ago, and its neighbours remember that.
    announce_pod(at->second);
    spdlog::info("pod {}: port {} with {}", plan.pod.pod, index_of(*port), join(request.addresses));
    return pod_json(at->second);
}

Result<void> NodeModel::detach(const std::string& name) {
    auto node = pods_.extract(name);
    const AttachedPod& pod = node.mapped();
    if (auto published = publish(nullptr, true); !published.ok()) {
        pods_.insert(std::move(node));
        return published.error();
    }
    for (const IpAddress& address : pod.addresses) {
        Command purge;
        purge.kind = CommandKind::kPurge;
        purge.address = RawAddress::from(address);
        if (!dataplane_.command(purge)) {
            spdlog::warn("pod {}: the connections of {} stay until they age out", name,
                         to_string(address));
        }
    }
    macs_.remove_port(pod.id);
    baselines_.erase(pod.id);
    dataplane_.remove_port(pod.id);
    if (const auto tap = tap_removers_.find(pod.id); tap != tap_removers_.end()) {
        tap->second();
        tap_removers_.erase(tap);
    }
    return {};
}

RpcResult NodeModel::remove_pod(std::string_view pod) {
    const auto at = pods_.find(pod);
    if (at == pods_.end()) return Json{{"removed", false}};
    if (at->second.is_static) {
        return RpcFailure{rpc_code::kConflict,
                          fmt::format("pod {} is a static port of the configuration", pod)};
    }
    if (auto done = detach(std::string(pod)); !done.ok()) {
        return rpc_failure(done.error(), rpc_code::kFailed);
    }
    spdlog::info("pod {}: port removed", pod);
    return Json{{"removed", true}};
}

}  // namespace podlane::control
