// Service, NetworkPolicy, and the parts that all kinds have in common.
#include <fmt/format.h>

#include <chrono>

#include "control/kube/json.h"
#include "control/kube/json_parts.h"

namespace podlane::control {

namespace {

using Json = nlohmann::ordered_json;

std::string_view name_of(ServiceType type) {
    switch (type) {
        case ServiceType::kClusterIp:
            return "ClusterIP";
        case ServiceType::kNodePort:
            return "NodePort";
        case ServiceType::kLoadBalancer:
            return "LoadBalancer";
        case ServiceType::kExternalName:
            break;
    }
    return "ExternalName";
}

std::string_view name_of(IpFamilyPolicy policy) {
    switch (policy) {
        case IpFamilyPolicy::kSingleStack:
            return "SingleStack";
        case IpFamilyPolicy::kPreferDualStack:
            return "PreferDualStack";
        case IpFamilyPolicy::kRequireDualStack:
            break;
    }
    return "RequireDualStack";
}

std::string_view name_of(TrafficPolicy policy) {
    return policy == TrafficPolicy::kLocal ? "Local" : "Cluster";
}

std::string_view name_of(LabelExpression::Operator op) {
    switch (op) {
        case LabelExpression::Operator::kIn:
            return "In";
        case LabelExpression::Operator::kNotIn:
            return "NotIn";
        case LabelExpression::Operator::kExists:
            return "Exists";
        case LabelExpression::Operator::kDoesNotExist:
            break;
    }
    return "DoesNotExist";
}

Json to_json(const ServicePort& port) {
    Json out;
    set_text(out, "name", port.name);
    out["protocol"] = protocol_name(port.protocol);
    set_text(out, "appProtocol", port.app_protocol);
    out["port"] = port.port;
    out["targetPort"] = to_json(port.target_port);
    set_number(out, "nodePort", port.node_port);
    return out;
}

void set_addresses(Json& spec, const Service& service) {
    if (service.headless) {
        spec["clusterIP"] = "None";
        spec["clusterIPs"] = Json::array({"None"});
    } else if (!service.cluster_ips.empty()) {
        spec["clusterIP"] = to_string(service.cluster_ips.front());
        spec["clusterIPs"] = texts_of(service.cluster_ips);
    }
    if (!service.ip_families.empty()) {
        spec["ipFamilies"] = list_of(service.ip_families, [](AddressFamily family) {
            return family == AddressFamily::kIpv4 ? "IPv4" : "IPv6";
        });
    }
    if (service.ip_family_policy) spec["ipFamilyPolicy"] = name_of(*service.ip_family_policy);
    if (!service.external_ips.empty()) spec["externalIPs"] = texts_of(service.external_ips);
    set_text(spec, "externalName", service.external_name);
}

void set_policies(Json& spec, const Service& service) {
    const bool is_external =
        service.type == ServiceType::kNodePort || service.type == ServiceType::kLoadBalancer ||
        (service.type == ServiceType::kClusterIp && !service.external_ips.empty());
    if (is_external) spec["externalTrafficPolicy"] = name_of(service.external_policy);
    spec["internalTrafficPolicy"] = name_of(service.internal_policy);
    set_number(spec, "healthCheckNodePort", service.health_check_node_port);
    spec["sessionAffinity"] = service.affinity_seconds != 0 ? "ClientIP" : "None";
    if (service.affinity_seconds != 0) {
        spec["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"] = service.affinity_seconds;
    }
    set_text(spec, "loadBalancerClass", service.load_balancer_class);
    if (!service.source_ranges.empty()) {
        spec["loadBalancerSourceRanges"] = texts_of(service.source_ranges);
    }
    if (service.publish_not_ready) spec["publishNotReadyAddresses"] = true;
    if (service.traffic_distribution != TrafficDistribution::kNone) {
        const bool is_zone = service.traffic_distribution == TrafficDistribution::kPreferSameZone;
        spec["trafficDistribution"] = is_zone ? "PreferSameZone" : "PreferSameNode";
    }
}

Json to_json(const LoadBalancerIngress& ingress) {
    Json out = Json::object();
    if (ingress.ip) {
        out["ip"] = to_string(*ingress.ip);
        out["ipMode"] = ingress.is_proxy ? "Proxy" : "VIP";
    }
    set_text(out, "hostname", ingress.hostname);
    return out;
}

Json to_json(const PolicyPort& port) {
    Json out;
    out["protocol"] = protocol_name(port.protocol);
    if (port.port) out["port"] = to_json(*port.port);
    set_number(out, "endPort", port.end_port);
    return out;
}

Json to_json(const PolicyPeer& peer) {
    Json out = Json::object();
    if (peer.pod_selector) out["podSelector"] = to_json(*peer.pod_selector);
    if (peer.namespace_selector) out["namespaceSelector"] = to_json(*peer.namespace_selector);
    if (peer.ip_block) {
        out["ipBlock"]["cidr"] = to_string(peer.ip_block->cidr);
        if (!peer.ip_block->except.empty()) {
            out["ipBlock"]["except"] = texts_of(peer.ip_block->except);
        }
    }
    return out;
}

Json to_json(const PolicyRule& rule, const char* peers_key) {
    Json out = Json::object();
    if (!rule.peers.empty()) {
        out[peers_key] = list_of(rule.peers, [](const PolicyPeer& peer) { return to_json(peer); });
    }
    if (!rule.ports.empty()) {
        out["ports"] = list_of(rule.ports, [](const PolicyPort& port) { return to_json(port); });
    }
    return out;
}

}  // namespace

std::string time_text(int64_t seconds) {
    namespace ch = std::chrono;
    const ch::sys_seconds time{ch::seconds(seconds)};
    const auto day = ch::floor<ch::days>(time);
    const ch::year_month_day date{day};
    const ch::hh_mm_ss clock{time - day};
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                       clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

Json object_head(Kind kind, const Meta& meta) {
    Json out;
    out["apiVersion"] = api_version(kind);
    out["kind"] = kind_name(kind);
    Json& metadata = out["metadata"];
    metadata["name"] = meta.name;
    if (!meta.name_space.empty()) metadata["namespace"] = meta.name_space;
    if (!meta.labels.empty()) metadata["labels"] = to_json(meta.labels);
    if (meta.created != 0) metadata["creationTimestamp"] = time_text(meta.created);
    return out;
}

Json to_json(const Labels& labels) {
    Json out = Json::object();
    for (const auto& [key, value] : labels) out[key] = value;
    return out;
}

Json to_json(const LabelSelector& selector) {
    Json out = Json::object();
    if (!selector.match_labels.empty()) out["matchLabels"] = to_json(selector.match_labels);
    if (selector.match_expressions.empty()) return out;
    out["matchExpressions"] =
        list_of(selector.match_expressions, [](const LabelExpression& expression) {
            Json entry;
            entry["key"] = expression.key;
            entry["operator"] = name_of(expression.op);
            if (!expression.values.empty()) entry["values"] = expression.values;
            return entry;
        });
    return out;
}

Json to_json(const PortRef& port) {
    return port.is_name() ? Json(port.name) : Json(port.number);
}

Json to_json(const Service& service) {
    Json out = object_head(Kind::kService, service.meta);
    if (!service.topology_mode.empty()) {
        out["metadata"]["annotations"]["service.kubernetes.io/topology-mode"] =
            service.topology_mode;
    }
    if (!service.requested_addresses.empty()) {
        std::string words;
        for (const std::string& word : service.requested_addresses) {
            words += (words.empty() ? "" : ",") + word;
        }
        out["metadata"]["annotations"]["podlane.io/load-balancer-ips"] = std::move(words);
    }
    if (!service.sharing_key.empty()) {
        out["metadata"]["annotations"]["podlane.io/allow-shared-ip"] = service.sharing_key;
    }
    Json& spec = out["spec"];
    spec["type"] = name_of(service.type);
    set_addresses(spec, service);
    if (!service.ports.empty()) {
        spec["ports"] =
            list_of(service.ports, [](const ServicePort& port) { return to_json(port); });
    }
    if (service.selector) spec["selector"] = to_json(*service.selector);
    set_policies(spec, service);
    out["status"]["loadBalancer"] = Json::object();
    if (!service.load_balancer.empty()) {
        out["status"]["loadBalancer"]["ingress"] =
            list_of(service.load_balancer,
                    [](const LoadBalancerIngress& ingress) { return to_json(ingress); });
    }
    if (!service.address_problem.reason.empty()) {
        out["status"]["conditions"] = Json::array({{{"type", "LoadBalancerAddress"},
                                                    {"status", "False"},
                                                    {"reason", service.address_problem.reason},
                                                    {"message", service.address_problem.message}}});
    }
    return out;
}

Json to_json(const NetworkPolicy& policy) {
    Json out = object_head(Kind::kNetworkPolicy, policy.meta);
    Json& spec = out["spec"];
    spec["podSelector"] = to_json(policy.pod_selector);
    spec["policyTypes"] = Json::array();
    if (policy.affects_ingress) spec["policyTypes"].push_back("Ingress");
    if (policy.affects_egress) spec["policyTypes"].push_back("Egress");
    if (!policy.ingress.empty()) {
        spec["ingress"] =
            list_of(policy.ingress, [](const PolicyRule& rule) { return to_json(rule, "from"); });
    }
    if (!policy.egress.empty()) {
        spec["egress"] =
            list_of(policy.egress, [](const PolicyRule& rule) { return to_json(rule, "to"); });
    }
    return out;
}

}  // namespace podlane::control
