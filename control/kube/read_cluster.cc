// Node and Pod.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>

#include "control/document/names.h"
#include "control/kube/address.h"
#include "control/kube/read.h"

namespace podlane::control {

namespace {

constexpr auto kPhases = std::to_array<Word<PodPhase>>({{"Pending", PodPhase::kPending},
                                                        {"Running", PodPhase::kRunning},
                                                        {"Succeeded", PodPhase::kSucceeded},
                                                        {"Failed", PodPhase::kFailed},
                                                        {"Unknown", PodPhase::kUnknown}});

/// The Ready condition in status.conditions; none if there is no such condition.
std::optional<bool> read_ready(Fields& status, Problems& problems) {
    std::optional<bool> ready;
    for (const Value& item : status.list("conditions")) {
        Fields condition(&item, problems, Keys::kLax);
        if (condition.string("type") == "Ready") ready = condition.string("status") == "True";
    }
    return ready;
}

/// At most one per family, as wherever Kubernetes has two addresses or prefixes.
template <class T>
bool has_family_of(const std::vector<T>& others, const T& one) {
    const auto is_v4 = [](const T& value) {
        if constexpr (std::is_same_v<T, IpPrefix>) {
            return value.address.is_v4();
        } else {
            return value.is_v4();
        }
    };
    return std::ranges::any_of(others, [&](const T& o) { return is_v4(o) == is_v4(one); });
}

/// For a plural field and its older singular: if both are set and differ, the API server uses only
/// the singular, because an old client may have set it.
template <class T>
void prefer_single(std::vector<T>& list, const std::optional<T>& single, const Value* at,
                   std::string_view plural, Problems& problems) {
    if (!single || (!list.empty() && list.front() == *single)) return;
    if (!list.empty()) {
        problems.warn(*at, fmt::format("{} is not the first of {}, {}; it counts alone", shown(*at),
                                       plural, to_string(list.front())));
    }
    list = {*single};
}

std::vector<IpPrefix> read_pod_cidrs(Fields& spec, Problems& problems) {
    std::vector<IpPrefix> cidrs;
    for (const Value& item : spec.list("podCIDRs")) {
        const auto cidr = read_cidr(item, problems);
        if (!cidr) continue;
        if (has_family_of(cidrs, *cidr)) {
            problems.add(item, fmt::format("{} is a second CIDR of its family (at most one each)",
                                           shown(item)));
            continue;
        }
        cidrs.push_back(*cidr);
    }
    const Value* single = spec.get("podCIDR");
    if (single == nullptr || single->text().empty()) return cidrs;
    prefer_single(cidrs, read_cidr(*single, problems), single, "podCIDRs", problems);
    return cidrs;
}

struct BackendData {
    std::optional<uint32_t> vni;
    std::optional<MacAddress> mac;
};

/// flannel's backend-data is JSON in a string: {"VNI":1,"VtepMAC":"02:..."}, or "null". An
/// annotation may contain any text, so unusable data is ignored.
BackendData read_backend_data(const Value& value, Problems& problems) {
    BackendData data;
    const auto text = as_string(value, problems);
    if (!text) return data;
    const auto json = nlohmann::json::parse(*text, nullptr, false);
    if (json.is_null()) return data;
    if (!json.is_object()) {
        problems.warn(value, fmt::format("{} is not a JSON object such as "
                                         "{{\"VNI\":1,\"VtepMAC\":\"02:42:ac:11:00:02\"}}; it is "
                                         "passed over",
                                         shown(value)));
        return data;
    }
    if (const auto vni = json.find("VNI"); vni != json.end()) {
        if (vni->is_number_unsigned() && vni->get<uint64_t>() <= 0xffffff) {
            data.vni = vni->get<uint32_t>();
        } else {
            problems.warn(value, "VNI is not a network id (0-16777215); it is passed over");
        }
    }
    if (const auto mac = json.find("VtepMAC"); mac != json.end()) {
        if (mac->is_string()) data.mac = parse_mac(mac->get<std::string>());
        if (!data.mac || data.mac->is_multicast() || data.mac->is_zero()) {
            data.mac.reset();
            problems.warn(value,
                          "VtepMAC is not a unicast MAC address such as 02:42:ac:11:00:02; it is "
                          "passed over");
        }
    }
    return data;
}

/// None if the text is not an address; the API server does not check these.
std::optional<IpAddress> read_ip_if_any(const Value& value, Problems& problems) {
    if (value.is(ValueType::kString) && value.text().empty()) return std::nullopt;
    const auto ip = parse_ip_sloppily(value.text());
    if (!ip) {
        problems.warn(value,
                      fmt::format("{} is not an IP address; it is passed over", shown(value)));
    }
    return ip;
}

std::optional<IpAddress> read_public_ip(const Value& value, bool is_v6, Problems& problems) {
    const auto ip = read_ip_if_any(value, problems);
    if (!ip || ip->is_v6() == is_v6) return ip;
    problems.warn(value, fmt::format("{} is not an IPv{} address; it is passed over", shown(value),
                                     is_v6 ? 6 : 4));
    return std::nullopt;
}

std::optional<FlannelData> read_flannel(const Value& root, Problems& problems) {
    const auto find = [&](const char* key) {
        return find_annotation(root, std::string("flannel.alpha.coreos.com/") + key);
    };
    FlannelData flannel;
    if (const Value* value = find("backend-type")) {
        flannel.backend_type = as_string(*value, problems).value_or("");
    }
    if (const Value* value = find("backend-data")) {
        const BackendData data = read_backend_data(*value, problems);
        flannel.vni = data.vni;
        flannel.vtep_mac = data.mac;
    }
    if (const Value* value = find("backend-v6-data")) {
        const BackendData data = read_backend_data(*value, problems);
        flannel.vtep_mac_v6 = data.mac;
        if (!flannel.vni) flannel.vni = data.vni;
    }
    if (const Value* value = find("public-ip")) {
        flannel.public_ip = read_public_ip(*value, false, problems);
    }
    if (const Value* value = find("public-ipv6")) {
        flannel.public_ipv6 = read_public_ip(*value, true, problems);
    }
    if (flannel == FlannelData()) return std::nullopt;
    return flannel;
}

/// An address of status.podIPs. The kubelet may write one that no other pod can reach, such as
/// 127.0.0.1 for a pod on the host's network: it is ignored.
std::optional<IpAddress> read_pod_ip(const Value* value, bool host_network, Problems& problems) {
    if (value == nullptr || (value->is(ValueType::kString) && value->text().empty())) {
        return std::nullopt;
    }
    const auto ip = read_ip(*value, problems);
    const std::string_view wrong = ip ? why_unusable(*ip) : std::string_view();
    if (wrong.empty()) return ip;
    if (!host_network) {
        problems.warn(*value, fmt::format("{} is {}; it is passed over", shown(*value), wrong));
    }
    return std::nullopt;
}

std::vector<IpAddress> read_pod_ips(Fields& status, bool host_network, Problems& problems) {
    std::vector<IpAddress> ips;
    for (const Value& item : status.list("podIPs")) {
        Fields entry(&item, problems, Keys::kLax);
        const Value* value = entry.get("ip");
        const auto ip = read_pod_ip(value, host_network, problems);
        if (!ip) continue;
        if (has_family_of(ips, *ip)) {
            problems.add(*value, fmt::format("{} is a second address of its family (at most one "
                                             "each)",
                                             shown(*value)));
            continue;
        }
        ips.push_back(*ip);
    }
    const Value* single = status.get("podIP");
    prefer_single(ips, read_pod_ip(single, host_network, problems), single, "podIPs", problems);
    return ips;
}

ContainerPort read_container_port(const Value& value, Problems& problems) {
    Fields fields(&value, problems, Keys::kLax);
    ContainerPort port;
    fields.require("containerPort", "a port (1-65535)");
    port.port = fields.integer<uint16_t>("containerPort", kPortNumbers, 0);
    port.host_port = fields.integer<uint16_t>("hostPort", {0, 65535, "a port"}, 0);
    port.name = read_name(fields, "name", is_port_name,
                          "a port's name (at most 15 of a-z 0-9 -, one letter at least)");
    port.protocol = fields.word("protocol", kProtocolWords, Protocol::kTcp);
    const Value* host_ip = fields.get("hostIP");
    if (host_ip != nullptr && !host_ip->text().empty()) {
        port.host_ip = read_ip_if_any(*host_ip, problems);
        if (!port.host_ip) port.host_port = 0;  // or it would apply to every address
        const bool is_any =
            port.host_ip && (port.host_ip->is_v4() ? port.host_ip->as<V4>().is_zero()
                                                   : port.host_ip->as<V6>().is_zero());
        if (is_any) port.host_ip.reset();
    }
    return port;
}

void read_container_ports(Fields& container, Pod& pod, Problems& problems) {
    for (const Value& item : container.list("ports")) {
        ContainerPort port = read_container_port(item, problems);
        if (pod.host_network) port.host_port = 0;  // it is on the node's address already
        const bool is_twice =
            port.host_port != 0 && std::ranges::any_of(pod.ports, [&](const ContainerPort& other) {
                return std::tie(other.host_port, other.protocol, other.host_ip) ==
                       std::tie(port.host_port, port.protocol, port.host_ip);
            });
        if (is_twice) {
            // Allowed between an init container and another container.
            problems.warn(item, fmt::format("the hostPort {} {} is given twice; the first counts",
                                            port.host_port, protocol_name(port.protocol)));
            port.host_port = 0;
        }
        pod.ports.push_back(std::move(port));
    }
}

PodPhase read_phase(Fields& status, Problems& problems) {
    const Value* value = status.get("phase");
    if (value == nullptr || value->text().empty()) return PodPhase::kPending;
    for (const auto& word : kPhases) {
        if (value->text() == word.text) return word.value;
    }
    problems.warn(*value, fmt::format("{} is not a phase that is known; it counts as Unknown",
                                      shown(*value)));
    return PodPhase::kUnknown;
}

}  // namespace

ObjectPtr<Node> read_object(std::type_identity<Node>, const Value& root, Meta meta,
                            Problems& problems) {
    auto node = std::make_shared<Node>();
    node->meta = std::move(meta);
    Fields fields(&root, problems, Keys::kLax);
    Fields spec = fields.fields("spec");
    node->pod_cidrs = read_pod_cidrs(spec, problems);
    Fields status = fields.fields("status");
    for (const Value& item : status.list("addresses")) {
        Fields address(&item, problems, Keys::kLax);
        const std::string type = address.string("type");
        if (type != "InternalIP" && type != "ExternalIP") continue;
        const Value* text = address.get("address");
        const auto ip = text == nullptr ? std::nullopt : read_ip_if_any(*text, problems);
        if (ip) (type == "InternalIP" ? node->internal_ips : node->external_ips).push_back(*ip);
    }
    node->ready = read_ready(status, problems).value_or(true);
    node->flannel = read_flannel(root, problems);
    return node;
}

namespace {

/// "10.1.2.3, fd00:9::/64": addresses and prefixes.
std::vector<IpPrefix> read_allowed_addresses(const Value& value, Problems& problems) {
    std::vector<IpPrefix> out;
    const auto text = as_string(value, problems);
    if (!text) return out;
    std::string_view rest = *text;
    while (!rest.empty()) {
        const size_t comma = rest.find(',');
        std::string_view word = rest.substr(0, comma);
        rest.remove_prefix(std::min(word.size() + 1, rest.size()));
        while (word.starts_with(' ')) word.remove_prefix(1);
        while (word.ends_with(' ')) word.remove_suffix(1);
        if (word.empty()) continue;
        auto prefix = parse_prefix(word);
        if (const auto ip = parse_ip(word)) {
            prefix = IpPrefix{*ip, static_cast<uint8_t>(ip->is_v4() ? 32 : 128)};
        }
        if (!prefix) {
            problems.add(value, fmt::format("{} is neither an address nor a prefix", word));
            continue;
        }
        out.push_back(*prefix);
    }
    return out;
}

}  // namespace

ObjectPtr<Namespace> read_object(std::type_identity<Namespace>, const Value&, Meta meta,
                                 Problems&) {
    return std::make_shared<Namespace>(Namespace{std::move(meta)});
}

ObjectPtr<ServiceCidr> read_object(std::type_identity<ServiceCidr>, const Value& root, Meta meta,
                                   Problems& problems) {
    auto service_cidr = std::make_shared<ServiceCidr>();
    service_cidr->meta = std::move(meta);
    Fields fields(&root, problems, Keys::kLax);
    for (const Value& item : fields.fields("spec").list("cidrs")) {
        if (const auto cidr = read_cidr(item, problems)) service_cidr->cidrs.push_back(*cidr);
    }
    return service_cidr;
}

ObjectPtr<Pod> read_object(std::type_identity<Pod>, const Value& root, Meta meta,
                           Problems& problems) {
    auto pod = std::make_shared<Pod>();
    pod->meta = std::move(meta);
    Fields fields(&root, problems, Keys::kLax);
    pod->deletion_timestamp = fields.fields("metadata").string("deletionTimestamp");
    pod->terminating = !pod->deletion_timestamp.empty();
    if (const Value* value = find_annotation(root, "podlane.io/allowed-addresses")) {
        pod->allowed_addresses = read_allowed_addresses(*value, problems);
    }
    Fields spec = fields.fields("spec");
    pod->node_name = read_name(spec, "nodeName", is_dns_subdomain, "a node's name");
    pod->host_network = spec.boolean("hostNetwork", false);
    pod->hostname = read_name(spec, "hostname", is_dns_label, "a DNS label");
    pod->subdomain = read_name(spec, "subdomain", is_dns_label, "a DNS label");
    for (const Value& item : spec.list("containers")) {
        Fields container(&item, problems, Keys::kLax);
        read_container_ports(container, *pod, problems);
    }
    for (const Value& item : spec.list("initContainers")) {
        Fields container(&item, problems, Keys::kLax);
        if (container.string("restartPolicy") == "Always") {
            read_container_ports(container, *pod, problems);
        }
    }
    Fields status = fields.fields("status");
    pod->ips = read_pod_ips(status, pod->host_network, problems);
    if (const Value* host_ip = status.get("hostIP");
        host_ip != nullptr && !host_ip->text().empty()) {
        pod->host_ip = read_ip_if_any(*host_ip, problems);
    }
    pod->phase = read_phase(status, problems);
    pod->ready = read_ready(status, problems).value_or(false);
    return pod;
}

}  // namespace podlane::control
