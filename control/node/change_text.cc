#include "control/node/change_text.h"

#include <fmt/format.h>

#include <set>
#include <utility>
#include <variant>

namespace podlane::control {

namespace {

/// At most this many added and removed items are named.
constexpr size_t kMostNamed = 8;

/// The names of the fields that differ: "ports, selector".
class Differences {
  public:
    template <class T>
    Differences& compare(const char* name, const T& before, const T& after) {
        if (!(before == after)) {
            text_ += (text_.empty() ? "" : ", ") + std::string(name);
        }
        return *this;
    }
    [[nodiscard]] std::string text() const { return text_; }

  private:
    std::string text_;
};

/// "+10.244.1.7:8080 -10.244.1.6:8080" of two sets.
std::string moved(const std::set<std::string>& before, const std::set<std::string>& after) {
    std::string text;
    size_t named = 0, more = 0;
    const auto name = [&](char sign, const std::set<std::string>& of,
                          const std::set<std::string>& other) {
        for (const std::string& each : of) {
            if (other.contains(each)) continue;
            if (++named > kMostNamed) {
                ++more;
            } else {
                text += fmt::format("{}{}{}", text.empty() ? "" : " ", sign, each);
            }
        }
    };
    name('+', after, before);
    name('-', before, after);
    return more == 0 ? text : fmt::format("{} and {} more", text, more);
}

/// As kube-proxy sees them: ready for new connections, or only finishing old ones.
void add_endpoints(std::set<std::string>& to, const std::vector<SliceEndpoint>& endpoints,
                   const std::vector<EndpointPort>& ports) {
    for (const SliceEndpoint& endpoint : endpoints) {
        const char* state = endpoint.ready         ? ""
                            : !endpoint.serving    ? " (not ready)"
                            : endpoint.terminating ? " (terminating)"
                                                   : " (not ready)";
        if (ports.empty()) to.insert(to_string(endpoint.address) + state);
        for (const EndpointPort& port : ports) {
            to.insert(to_string(endpoint.address, port.port.value_or(0)) + state);
        }
    }
}

std::set<std::string> endpoints_of(const std::optional<Object>& object) {
    std::set<std::string> out;
    if (!object) return out;
    if (const auto* slice = std::get_if<ObjectPtr<EndpointSlice>>(&*object)) {
        add_endpoints(out, (*slice)->endpoints, (*slice)->ports);
    } else if (const auto* whole = std::get_if<ObjectPtr<Endpoints>>(&*object)) {
        for (const EndpointSubset& subset : (*whole)->subsets) {
            add_endpoints(out, subset.endpoints, subset.ports);
        }
    }
    return out;
}

const char* readiness(bool is_ready) {
    return is_ready ? "ready" : "not ready";
}

template <class T>
std::string difference(const T& before, const T& after) {
    return Differences().compare("labels", before.meta.labels, after.meta.labels).text();
}

std::string difference(const Node& before, const Node& after) {
    std::string fields = Differences()
                             .compare("pod CIDRs", before.pod_cidrs, after.pod_cidrs)
                             .compare("addresses", before.internal_ips, after.internal_ips)
                             .compare("flannel", before.flannel, after.flannel)
                             .compare("labels", before.meta.labels, after.meta.labels)
                             .text();
    if (before.ready == after.ready) return fields;
    return readiness(after.ready) + (fields.empty() ? "" : ", " + fields);
}

std::string difference(const Pod& before, const Pod& after) {
    std::string fields =
        Differences()
            .compare("phase", before.phase, after.phase)
            .compare("node", before.node_name, after.node_name)
            .compare("addresses", before.ips, after.ips)
            .compare("labels", before.meta.labels, after.meta.labels)
            .compare("ports", before.ports, after.ports)
            .compare("allowed addresses", before.allowed_addresses, after.allowed_addresses)
            .text();
    if (after.terminating && !before.terminating) {
        fields = "terminating" + (fields.empty() ? "" : ", " + fields);
    }
    if (before.ready == after.ready) return fields;
    return readiness(after.ready) + (fields.empty() ? "" : ", " + fields);
}

std::string difference(const Service& before, const Service& after) {
    return Differences()
        .compare("type", before.type, after.type)
        .compare("clusterIPs", before.cluster_ips, after.cluster_ips)
        .compare("ports", before.ports, after.ports)
        .compare("selector", before.selector, after.selector)
        .compare("externalIPs", before.external_ips, after.external_ips)
        .compare("externalName", before.external_name, after.external_name)
        .compare("load balancer addresses", before.load_balancer, after.load_balancer)
        .compare("loadBalancerSourceRanges", before.source_ranges, after.source_ranges)
        .compare("sessionAffinity", before.affinity_seconds, after.affinity_seconds)
        .compare("externalTrafficPolicy", before.external_policy, after.external_policy)
        .compare("internalTrafficPolicy", before.internal_policy, after.internal_policy)
        .compare("healthCheckNodePort", before.health_check_node_port, after.health_check_node_port)
        .compare("labels", before.meta.labels, after.meta.labels)
        .text();
}

std::string difference(const NetworkPolicy& before, const NetworkPolicy& after) {
    return Differences()
        .compare("podSelector", before.pod_selector, after.pod_selector)
        .compare("policyTypes", std::pair(before.affects_ingress, before.affects_egress),
                 std::pair(after.affects_ingress, after.affects_egress))
        .compare("ingress", before.ingress, after.ingress)
        .compare("egress", before.egress, after.egress)
        .text();
}

std::string difference(const Ingress& before, const Ingress& after) {
    return Differences()
        .compare("rules", before.rules, after.rules)
        .compare("defaultBackend", before.default_backend, after.default_backend)
        .compare("tls", before.tls, after.tls)
        .compare("class", before.class_name, after.class_name)
        .text();
}

std::string difference(const Object& before, const Object& after) {
    return std::visit(
        [&after](const auto& old) {
            using Pointer = std::decay_t<decltype(old)>;
            return difference(*old, *std::get<Pointer>(after));
        },
        before);
}

}  // namespace

std::string change_text(const Change& change) {
    const bool is_added = !change.before, is_deleted = !change.after;
    std::string verb = is_added ? "added" : is_deleted ? "deleted" : "changed";
    const bool has_endpoints =
        change.key.kind == Kind::kEndpointSlice || change.key.kind == Kind::kEndpoints;
    std::string what;
    if (has_endpoints) what = moved(endpoints_of(change.before), endpoints_of(change.after));
    if (what.empty() && !is_added && !is_deleted) what = difference(*change.before, *change.after);
    return what.empty() ? verb : verb + ": " + what;
}

std::string endpoints_service(const Change& change) {
    if (change.key.kind == Kind::kEndpoints) {
        return change.key.name_space + "/" + change.key.name;
    }
    if (change.key.kind != Kind::kEndpointSlice) return {};
    const Object& object = change.after ? *change.after : *change.before;
    const auto* slice = std::get_if<ObjectPtr<EndpointSlice>>(&object);
    return slice != nullptr && !(*slice)->service.empty()
               ? change.key.name_space + "/" + (*slice)->service
               : std::string();
}

}  // namespace podlane::control
