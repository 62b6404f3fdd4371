// The columns of Kubernetes objects, modelled on kubectl's.
#include <fmt/format.h>

#include "control/cli/cell.h"
#include "control/cli/listing.h"

namespace podlane::control {
namespace {

using Json = nlohmann::ordered_json;

ListColumn name_column() {
    return {"NAME", object_name};
}

ListColumn labels_column() {
    return wide_column(list_column("LABELS", "/metadata/labels"));
}

std::string or_none(std::string text) {
    return text.empty() ? std::string(kNoValue) : text;
}

// The values of member `key` of each object in a list, joined.
std::string each(const Json& list, const char* pointer) {
    std::string words;
    if (!list.is_array()) return std::string(kNoValue);
    for (const Json& element : list) {
        if (!at(element, pointer).is_null()) append_word(words, cell(element, pointer));
    }
    return or_none(std::move(words));
}

std::string node_addresses(const Json& node, std::string_view type) {
    std::string words;
    for (const Json& address : at(node, "/status/addresses")) {
        if (at(address, "/type") == type) append_word(words, cell(address, "/address"));
    }
    return or_none(std::move(words));
}

std::string readiness(const Json& object) {
    for (const Json& condition : at(object, "/status/conditions")) {
        if (at(condition, "/type") == "Ready") return cell(condition, "/status");
    }
    return std::string(kNoValue);
}

// "80:30080/TCP,53/UDP".
std::string service_ports(const Json& service) {
    std::string words;
    for (const Json& port : at(service, "/spec/ports")) {
        std::string word = cell(port, "/port");
        if (at(port, "/nodePort").is_number()) word += ':' + cell(port, "/nodePort");
        append_word(words, word + '/' + cell(port, "/protocol"));
    }
    return or_none(std::move(words));
}

// The addresses in the status of a Service or an Ingress.
std::string balanced_addresses(const Json& object) {
    std::string words;
    for (const Json& ingress : at(object, "/status/loadBalancer/ingress")) {
        append_word(words, at(ingress, "/ip").is_null() ? cell(ingress, "/hostname")
                                                        : cell(ingress, "/ip"));
    }
    return words;
}

std::string external_addresses(const Json& service) {
    if (at(service, "/spec/type") == "ExternalName") return cell(service, "/spec/externalName");
    std::string words = balanced_addresses(service);
    for (const Json& address : at(service, "/spec/externalIPs")) {
        append_word(words, cell_text(address));
    }
    // Same as kubectl.
    if (words.empty() && at(service, "/spec/type") == "LoadBalancer") return "<pending>";
    return or_none(std::move(words));
}

// Why an address is missing: "PoolExhausted: ...".
std::string address_problem(const Json& service) {
    std::string words;
    for (const Json& condition : at(service, "/status/conditions")) {
        words = cell(condition, "/reason") + ": " + cell(condition, "/message");
    }
    return or_none(std::move(words));
}

std::string cluster_addresses(const Json& service) {
    return at(service, "/spec/clusterIPs").is_array() ? cell(service, "/spec/clusterIPs")
                                                      : cell(service, "/spec/clusterIP");
}

// Addresses, each with the reason if it would get no traffic.
std::string slice_endpoints(const Json& slice) {
    std::string words;
    for (const Json& endpoint : at(slice, "/endpoints")) {
        const bool is_ready = at(endpoint, "/conditions/ready") != false;
        const bool is_terminating = at(endpoint, "/conditions/terminating") == true;
        const char* remark = is_terminating ? "(terminating)" : (is_ready ? "" : "(unready)");
        append_word(words, cell(endpoint, "/addresses") + remark);
    }
    return or_none(std::move(words));
}

// "10.244.1.5:8080", each with the reason if it gets no traffic.
std::string subset_endpoints(const Json& endpoints) {
    std::string words;
    for (const Json& subset : at(endpoints, "/subsets")) {
        const Json none = Json::array({nullptr});
        const Json& own = at(subset, "/ports");
        const Json& ports = own.is_array() && !own.empty() ? own : none;
        for (const auto& [list, remark] :
             {std::pair("/addresses", ""), std::pair("/notReadyAddresses", "(unready)")}) {
            for (const Json& address : at(subset, list)) {
                std::string ip = cell(address, "/ip");
                const bool needs_brackets =
                    ip.find(':') != std::string::npos && !ports.front().is_null();
                if (needs_brackets) ip = '[' + ip + ']';
                for (const Json& port : ports) {
                    append_word(words,
                                (port.is_null() ? ip : ip + ':' + cell(port, "/port")) + remark);
                }
            }
        }
    }
    return or_none(std::move(words));
}

std::string slice_service(const Json& slice) {
    const Json& labels = at(slice, "/metadata/labels");
    const auto found =
        labels.is_object() ? labels.find("kubernetes.io/service-name") : labels.end();
    return found == labels.end() ? std::string(kNoValue) : cell_text(*found);
}

std::string pod_selector(const Json& policy) {
    const Json& selector = at(policy, "/spec/podSelector");
    return selector.is_object() && selector.empty() ? "<all>"
                                                    : cell(policy, "/spec/podSelector/matchLabels");
}

}  // namespace

std::vector<ListColumn> object_columns(Kind kind) {
    const auto list = [](ListColumn column) {
        column.is_list = true;
        return column;
    };
    const auto drop = [](uint8_t order, ListColumn column) {
        column.drop = order;
        return column;
    };
    switch (kind) {
        case Kind::kNode:
            return {
                name_column(),
                drop(1, {"READY", readiness}),
                {"INTERNAL-IP",
                 [](const Json& node) { return node_addresses(node, "InternalIP"); }},
                list(list_column("POD-CIDRS", "/spec/podCIDRs")),
                wide_column({"EXTERNAL-IP",
                             [](const Json& node) { return node_addresses(node, "ExternalIP"); }}),
                wide_column(list_column(
                    "BACKEND", "/metadata/annotations/flannel.alpha.coreos.com~1backend-type")),
                wide_column(
                    list_column("BACKEND-DATA",
                                "/metadata/annotations/flannel.alpha.coreos.com~1backend-data")),
                labels_column()};
        case Kind::kPod:
            return {name_column(),
                    drop(2, {"READY", readiness}),
                    drop(1, list_column("STATUS", "/status/phase")),
                    list({"IP",
                          [](const Json& pod) { return each(at(pod, "/status/podIPs"), "/ip"); }}),
                    list_column("NODE", "/spec/nodeName"),
                    labels_column()};
        case Kind::kService:
            return {name_column(),
                    drop(1, list_column("TYPE", "/spec/type")),
                    list({"CLUSTER-IP", cluster_addresses}),
                    list({"EXTERNAL-IP", external_addresses}),
                    list({"PORT(S)", service_ports}),
                    wide_column(list_column("SELECTOR", "/spec/selector")),
                    wide_column(list_column("AFFINITY", "/spec/sessionAffinity")),
                    wide_column(list_column("EXTERNAL-POLICY", "/spec/externalTrafficPolicy")),
                    wide_column(list_column("INTERNAL-POLICY", "/spec/internalTrafficPolicy")),
                    wide_column({"PROBLEM", address_problem})};
        case Kind::kEndpointSlice:
            return {name_column(), drop(1, list_column("ADDRESSTYPE", "/addressType")),
                    list({"PORTS",
                          [](const Json& slice) { return each(at(slice, "/ports"), "/port"); }}),
                    list({"ENDPOINTS", slice_endpoints}), wide_column({"SERVICE", slice_service})};
        case Kind::kEndpoints:
            return {name_column(), list({"ENDPOINTS", subset_endpoints})};
        case Kind::kNetworkPolicy:
            return {name_column(), list({"POD-SELECTOR", pod_selector}),
                    list_column("PODS-HERE", "/status/podsHere"),
                    wide_column(list_column("POLICY-TYPES", "/spec/policyTypes"))};
        case Kind::kNamespace:
            return {name_column(), labels_column()};
        case Kind::kIngress:
            return {name_column(), drop(1, list_column("CLASS", "/spec/ingressClassName")),
                    list({"HOSTS",
                          [](const Json& ingress) {
                              return each(at(ingress, "/spec/rules"), "/host");
                          }}),
                    list({"ADDRESS", balanced_addresses})};
        case Kind::kIngressClass:
            return {name_column(), list_column("CONTROLLER", "/spec/controller")};
        case Kind::kSecret:
            return {name_column(), list_column("TYPE", "/type"),
                    list_column("BYTES", "/dataBytes")};
        case Kind::kServiceCidr:
            return {name_column(), list(list_column("CIDRS", "/spec/cidrs"))};
    }
    return {};
}

}  // namespace podlane::control
