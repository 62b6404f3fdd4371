// Node, Namespace, Pod, Service, EndpointSlice and Endpoints; the rest is in json_policy.cc.
#include "control/kube/json.h"

#include "control/kube/json_parts.h"

namespace podlane::control {

namespace {

using Json = nlohmann::ordered_json;

Json flannel_annotations(const FlannelData& flannel) {
    Json out = Json::object();
    const auto set = [&](const char* key, const std::string& value) {
        if (!value.empty()) out[std::string("flannel.alpha.coreos.com/") + key] = value;
    };
    const auto backend_data = [&](const std::optional<MacAddress>& mac) {
        Json data = Json::object();
        if (flannel.vni) data["VNI"] = *flannel.vni;
        if (mac) data["VtepMAC"] = to_string(*mac);
        return data.dump();
    };
    set("backend-type", flannel.backend_type);
    if (flannel.vni || flannel.vtep_mac) set("backend-data", backend_data(flannel.vtep_mac));
    if (flannel.vtep_mac_v6) set("backend-v6-data", backend_data(flannel.vtep_mac_v6));
    if (flannel.public_ip) set("public-ip", to_string(*flannel.public_ip));
    if (flannel.public_ipv6) set("public-ipv6", to_string(*flannel.public_ipv6));
    return out;
}

Json ready_condition(bool ready) {
    return Json::array({{{"type", "Ready"}, {"status", ready ? "True" : "False"}}});
}

std::string_view name_of(PodPhase phase) {
    switch (phase) {
        case PodPhase::kPending:
            return "Pending";
        case PodPhase::kRunning:
            return "Running";
        case PodPhase::kSucceeded:
            return "Succeeded";
        case PodPhase::kFailed:
            return "Failed";
        case PodPhase::kUnknown:
            break;
    }
    return "Unknown";
}

Json to_json(const EndpointPort& port) {
    Json out;
    out["name"] = port.name;
    if (port.port) out["port"] = *port.port;
    out["protocol"] = protocol_name(port.protocol);
    set_text(out, "appProtocol", port.app_protocol);
    return out;
}

Json target_ref(const SliceEndpoint& endpoint, const std::string& name_space) {
    return {{"kind", "Pod"}, {"name", endpoint.pod}, {"namespace", name_space}};
}

Json named_list(const std::vector<std::string>& names) {
    Json out = Json::array();
    for (const std::string& name : names) out.push_back({{"name", name}});
    return out;
}

Json to_json(const SliceEndpoint& endpoint, const std::string& name_space) {
    Json out;
    out["addresses"] = Json::array({to_string(endpoint.address)});
    out["conditions"] = {{"ready", endpoint.ready},
                         {"serving", endpoint.serving},
                         {"terminating", endpoint.terminating}};
    if (!endpoint.hint_zones.empty()) out["hints"]["forZones"] = named_list(endpoint.hint_zones);
    if (!endpoint.hint_nodes.empty()) out["hints"]["forNodes"] = named_list(endpoint.hint_nodes);
    set_text(out, "hostname", endpoint.hostname);
    set_text(out, "nodeName", endpoint.node_name);
    if (!endpoint.pod.empty()) out["targetRef"] = target_ref(endpoint, name_space);
    set_text(out, "zone", endpoint.zone);
    return out;
}

Json to_json(const EndpointSubset& subset, const std::string& name_space) {
    Json out = Json::object();
    for (const SliceEndpoint& endpoint : subset.endpoints) {
        Json address;
        address["ip"] = to_string(endpoint.address);
        set_text(address, "hostname", endpoint.hostname);
        set_text(address, "nodeName", endpoint.node_name);
        if (!endpoint.pod.empty()) address["targetRef"] = target_ref(endpoint, name_space);
        out[endpoint.ready ? "addresses" : "notReadyAddresses"].push_back(std::move(address));
    }
    if (!subset.ports.empty())
        out["ports"] =
            list_of(subset.ports, [](const EndpointPort& port) { return to_json(port); });
    return out;
}

std::string_view name_of(AddressType type) {
    switch (type) {
        case AddressType::kIpv4:
            return "IPv4";
        case AddressType::kIpv6:
            return "IPv6";
        case AddressType::kFqdn:
            break;
    }
    return "FQDN";
}

}  // namespace

Json to_json(const ContainerPort& port) {
    Json out;
    set_text(out, "name", port.name);
    out["containerPort"] = port.port;
    set_number(out, "hostPort", port.host_port);
    if (port.host_ip) out["hostIP"] = to_string(*port.host_ip);
    out["protocol"] = protocol_name(port.protocol);
    return out;
}

Json to_json(const Bandwidth& limits) {
    Json out = Json::object();
    const auto put = [&out](const char* key, uint64_t bits) {
        if (bits != 0) out[key] = bits;
    };
    put("ingressRate", limits.ingress.bits_per_second);
    put("ingressBurst", limits.ingress.burst_bits);
    put("egressRate", limits.egress.bits_per_second);
    put("egressBurst", limits.egress.burst_bits);
    return out;
}

Json to_json(const Node& node) {
    Json out = object_head(Kind::kNode, node.meta);
    if (node.flannel) out["metadata"]["annotations"] = flannel_annotations(*node.flannel);
    out["spec"] = Json::object();
    if (!node.pod_cidrs.empty()) {
        out["spec"]["podCIDR"] = to_string(node.pod_cidrs.front());
        out["spec"]["podCIDRs"] = texts_of(node.pod_cidrs);
    }
    Json addresses = Json::array();
    for (const IpAddress& ip : node.internal_ips) {
        addresses.push_back({{"address", to_string(ip)}, {"type", "InternalIP"}});
    }
    for (const IpAddress& ip : node.external_ips) {
        addresses.push_back({{"address", to_string(ip)}, {"type", "ExternalIP"}});
    }
    out["status"]["addresses"] = std::move(addresses);
    out["status"]["conditions"] = ready_condition(node.ready);
    return out;
}

Json to_json(const Namespace& name_space) {
    return object_head(Kind::kNamespace, name_space.meta);
}

Json to_json(const ServiceCidr& service_cidr) {
    Json out = object_head(Kind::kServiceCidr, service_cidr.meta);
    out["spec"]["cidrs"] = texts_of(service_cidr.cidrs);
    return out;
}

Json to_json(const Pod& pod) {
    Json out = object_head(Kind::kPod, pod.meta);
    set_text(out["metadata"], "deletionTimestamp", pod.deletion_timestamp);
    if (!pod.allowed_addresses.empty()) {
        std::string words;
        for (const IpPrefix& allowed : pod.allowed_addresses) {
            words += (words.empty() ? "" : ",") + to_string(allowed);
        }
        out["metadata"]["annotations"]["podlane.io/allowed-addresses"] = std::move(words);
    }
    Json& spec = out["spec"] = Json::object();
    // A port's container is not kept.
    if (!pod.ports.empty()) {
        Json ports = list_of(pod.ports, [](const ContainerPort& port) { return to_json(port); });
        spec["containers"] = Json::array({{{"ports", std::move(ports)}}});
    }
    if (pod.host_network) spec["hostNetwork"] = true;
    set_text(spec, "hostname", pod.hostname);
    set_text(spec, "nodeName", pod.node_name);
    set_text(spec, "subdomain", pod.subdomain);
    Json& status = out["status"];
    status["phase"] = name_of(pod.phase);
    status["conditions"] = ready_condition(pod.ready);
    if (pod.host_ip) status["hostIP"] = to_string(*pod.host_ip);
    if (!pod.ips.empty()) {
        status["podIP"] = to_string(pod.ips.front());
        status["podIPs"] = list_of(pod.ips, [](const IpAddress& ip) {
            return Json{{"ip", to_string(ip)}};
        });
    }
    return out;
}

Json to_json(const EndpointSlice& slice) {
    Json out = object_head(Kind::kEndpointSlice, slice.meta);
    out["addressType"] = name_of(slice.address_type);
    out["ports"] = list_of(slice.ports, [](const EndpointPort& port) { return to_json(port); });
    out["endpoints"] = list_of(slice.endpoints, [&](const SliceEndpoint& endpoint) {
        return to_json(endpoint, slice.meta.name_space);
    });
    return out;
}

Json to_json(const Endpoints& endpoints) {
    Json out = object_head(Kind::kEndpoints, endpoints.meta);
    out["subsets"] = list_of(endpoints.subsets, [&](const EndpointSubset& subset) {
        return to_json(subset, endpoints.meta.name_space);
    });
    return out;
}

Json to_json(const Object& object) {
    return std::visit([](const auto& ptr) { return to_json(*ptr); }, object);
}

}  // namespace podlane::control
