// Service, with the rules of Kubernetes' ValidateService.
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "control/document/names.h"
#include "control/kube/read.h"

namespace podlane::control {

namespace {

constexpr uint32_t kDefaultAffinitySeconds = 10800;
constexpr IntegerRange kAffinitySeconds{1, 86400, "a number of seconds"};

constexpr auto kTypes =
    std::to_array<Word<ServiceType>>({{"ClusterIP", ServiceType::kClusterIp},
                                      {"NodePort", ServiceType::kNodePort},
                                      {"LoadBalancer", ServiceType::kLoadBalancer},
                                      {"ExternalName", ServiceType::kExternalName}});
constexpr auto kPolicies = std::to_array<Word<TrafficPolicy>>(
    {{"Cluster", TrafficPolicy::kCluster}, {"Local", TrafficPolicy::kLocal}});
constexpr auto kFamilies = std::to_array<Word<AddressFamily>>(
    {{"IPv4", AddressFamily::kIpv4}, {"IPv6", AddressFamily::kIpv6}});
constexpr auto kFamilyPolicies =
    std::to_array<Word<IpFamilyPolicy>>({{"SingleStack", IpFamilyPolicy::kSingleStack},
                                         {"PreferDualStack", IpFamilyPolicy::kPreferDualStack},
                                         {"RequireDualStack", IpFamilyPolicy::kRequireDualStack}});
constexpr auto kAffinities = std::to_array<Word<bool>>({{"None", false}, {"ClientIP", true}});
constexpr auto kIpModes = std::to_array<Word<bool>>({{"VIP", false}, {"Proxy", true}});
// PreferClose is the older name of PreferSameZone.
constexpr auto kDistributions = std::to_array<Word<TrafficDistribution>>(
    {{"PreferClose", TrafficDistribution::kPreferSameZone},
     {"PreferSameZone", TrafficDistribution::kPreferSameZone},
     {"PreferSameNode", TrafficDistribution::kPreferSameNode}});

/// Reads one Service; its members are the state that the parts share.
class ServiceReader {
  public:
    ServiceReader(const Value& root, Meta meta, Problems& problems)
        : root_(root),
          problems_(problems),
          fields_(&root, problems, Keys::kLax),
          spec_(fields_.get("spec"), problems, Keys::kLax) {
        service_->meta = std::move(meta);
    }

    ObjectPtr<Service> read() {
        fields_.require("spec", "the Service's specification");
        service_->type = spec_.word("type", kTypes, ServiceType::kClusterIp);
        if (const Value* selector = spec_.get("selector")) {
            service_->selector = read_labels(selector, problems_);
        }
        read_cluster_ips();
        read_families();
        read_ports();
        read_external();
        read_policies();
        read_affinity();
        read_load_balancer();
        service_->publish_not_ready = spec_.boolean("publishNotReadyAddresses", false);
        for (const char* key : {"service.kubernetes.io/topology-aware-hints",
                                "service.kubernetes.io/topology-mode"}) {
            const Value* mode = find_annotation(root_, key);
            if (mode != nullptr) service_->topology_mode = as_string(*mode, problems_).value_or("");
        }
        return service_;
    }

  private:
    [[nodiscard]] bool is(ServiceType type) const { return service_->type == type; }
    [[nodiscard]] bool has_node_ports() const {
        return is(ServiceType::kNodePort) || is(ServiceType::kLoadBalancer);
    }

    void read_cluster_ips() {
        const auto read = [&](const Value& value, bool is_first) -> std::optional<IpAddress> {
            if (value.is(ValueType::kString) && (value.text().empty() || value.text() == "None")) {
                if (value.text() == "None" && is_first) service_->headless = true;
                return std::nullopt;
            }
            return read_usable_ip(value, problems_);
        };
        const Value* single = spec_.get("clusterIP");
        const auto ip = single == nullptr ? std::nullopt : read(*single, true);
        bool is_first = true;
        for (const Value& item : spec_.list("clusterIPs")) {
            const auto one = read(item, is_first);
            is_first = false;
            if (!one) continue;
            auto& ips = service_->cluster_ips;
            if (std::ranges::any_of(
                    ips, [&](const IpAddress& o) { return o.is_v4() == one->is_v4(); })) {
                problems_.add(item, fmt::format("{} is a second address of its family (at most one "
                                                "each)",
                                                shown(item)));
                continue;
            }
            ips.push_back(*one);
        }
        if (ip && service_->cluster_ips.empty()) {
            service_->cluster_ips.push_back(*ip);
        } else if (ip && service_->cluster_ips.front() != *ip) {
            problems_.add(*single,
                          fmt::format("{} is not the first of clusterIPs, {}", shown(*single),
                                      to_string(service_->cluster_ips.front())));
        }
        const Value* given = single != nullptr ? single : spec_.get("clusterIPs");
        if (service_->headless && !service_->cluster_ips.empty()) {
            problems_.add(*given, "None and an address cannot be given together");
        } else if (service_->headless && has_node_ports()) {
            problems_.add(*given, "None may not be set when type is NodePort or LoadBalancer");
        } else if (is(ServiceType::kExternalName) &&
                   (service_->headless || !service_->cluster_ips.empty())) {
            problems_.add(*given, "may not be set when type is ExternalName");
        }
    }

    void read_families() {
        for (const Value& item : spec_.list("ipFamilies")) {
            const auto family = as_word(item, kFamilies, problems_);
            if (!family) continue;
            if (std::ranges::find(service_->ip_families, *family) != service_->ip_families.end()) {
                problems_.add(item, fmt::format("{} is given twice", shown(item)));
                continue;
            }
            service_->ip_families.push_back(*family);
        }
        if (const Value* policy = spec_.get("ipFamilyPolicy")) {
            service_->ip_family_policy = as_word(*policy, kFamilyPolicies, problems_);
        }
        const size_t families = service_->ip_families.size();
        for (size_t i = 0; i < std::min(families, service_->cluster_ips.size()); ++i) {
            const bool is_v4 = service_->ip_families[i] == AddressFamily::kIpv4;
            if (service_->cluster_ips[i].is_v4() == is_v4) continue;
            problems_.add(*spec_.get("ipFamilies"),
                          fmt::format("clusterIP {} is not {}", to_string(service_->cluster_ips[i]),
                                      is_v4 ? "IPv4" : "IPv6"));
        }
    }

    void read_ports() {
        std::set<std::string> names;
        std::set<std::pair<Protocol, uint16_t>> ports;
        std::set<std::pair<Protocol, uint16_t>> node_ports;
        const auto items = spec_.list("ports");
        for (const Value& item : items) {
            const ServicePort port = read_port(item, items.size() > 1);
            const std::string_view protocol = protocol_name(port.protocol);
            if (!port.name.empty() && !names.insert(port.name).second) {
                problems_.add(item, fmt::format("the name {} is given twice", port.name));
            }
            if (port.port != 0 && !ports.emplace(port.protocol, port.port).second) {
                problems_.add(item, fmt::format("port {} {} is given twice", port.port, protocol));
            }
            if (port.node_port != 0 && !node_ports.emplace(port.protocol, port.node_port).second) {
                problems_.add(
                    item, fmt::format("nodePort {} {} is given twice", port.node_port, protocol));
            }
            service_->ports.push_back(port);
        }
        if (items.empty() && spec_ && !service_->headless && !is(ServiceType::kExternalName)) {
            problems_.add_missing(spec_.value(), "ports", "missing: at least one port");
        }
    }

    ServicePort read_port(const Value& item, bool needs_name) {
        Fields fields(&item, problems_, Keys::kLax);
        ServicePort port;
        port.name =
            read_name(fields, "name", is_dns_label, "a DNS label (at most 63 of a-z 0-9 -)");
        if (needs_name && fields && !fields.has("name")) {
            problems_.add_missing(item, "name", "missing: each of several ports needs a name");
        }
        port.protocol = fields.word("protocol", kProtocolWords, Protocol::kTcp);
        fields.require("port", "a port (1-65535)");
        port.port = fields.integer<uint16_t>("port", kPortNumbers, 0);
        port.target_port = PortRef{port.port, {}};
        const Value* target = fields.get("targetPort");
        // An unset IntOrString is printed as 0 or "".
        const bool is_unset = target != nullptr &&
                              (target->text() == "0" || target->text().empty()) &&
                              target->type() < ValueType::kSequence;
        if (target != nullptr && !is_unset) {
            if (auto ref = read_port_ref(*target, problems_)) port.target_port = std::move(*ref);
        }
        port.node_port = fields.integer<uint16_t>("nodePort", {0, 65535, "a port"}, 0);
        if (port.node_port != 0 && is(ServiceType::kClusterIp)) {
            problems_.add(*fields.get("nodePort"),
                          fmt::format("{} may not be set when type is ClusterIP", port.node_port));
        }
        port.app_protocol = fields.string("appProtocol");
        return port;
    }

    void read_external() {
        std::set<IpAddress> seen;
        for (const Value& item : spec_.list("externalIPs")) {
            const auto ip = read_usable_ip(item, problems_);
            if (ip && seen.insert(*ip).second) service_->external_ips.push_back(*ip);
        }
        if (is(ServiceType::kExternalName)) {
            if (const Value* name =
                    spec_.require("externalName", "the DNS name that it stands for")) {
                std::string_view text = as_string(*name, problems_).value_or("");
                service_->external_name = text;
                if (text.ends_with('.')) text.remove_suffix(1);
                if (name->is(ValueType::kString) && !is_dns_subdomain(text)) {
                    problems_.add(*name, fmt::format("{} is not a DNS name", shown(*name)));
                }
            }
        }
    }

    void read_policies() {
        service_->external_policy =
            spec_.word("externalTrafficPolicy", kPolicies, TrafficPolicy::kCluster);
        service_->internal_policy =
            spec_.word("internalTrafficPolicy", kPolicies, TrafficPolicy::kCluster);
        const Value* external = spec_.get("externalTrafficPolicy");
        const bool is_external =
            has_node_ports() || (is(ServiceType::kClusterIp) && !service_->external_ips.empty());
        if (external != nullptr && !external->text().empty() && !is_external) {
            problems_.add(*external,
                          "may be set only for type NodePort or LoadBalancer, or with "
                          "externalIPs");
        }
        service_->health_check_node_port =
            spec_.integer<uint16_t>("healthCheckNodePort", {0, 65535, "a port"}, 0);
        const bool has_health_check =
            is(ServiceType::kLoadBalancer) && service_->external_policy == TrafficPolicy::kLocal;
        if (service_->health_check_node_port != 0 && !has_health_check) {
            problems_.add(*spec_.get("healthCheckNodePort"),
                          "may be set only when type is LoadBalancer and externalTrafficPolicy is "
                          "Local");
        }
        read_traffic_distribution();
    }

    /// kube-proxy acts only on the hints that result from it, so an unknown word, such as a newer
    /// API server may allow, requires nothing of us.
    void read_traffic_distribution() {
        const Value* value = spec_.get("trafficDistribution");
        if (value == nullptr || value->text().empty()) return;
        for (const auto& word : kDistributions) {
            if (value->text() != word.text) continue;
            service_->traffic_distribution = word.value;
            return;
        }
        problems_.warn(*value, fmt::format("{} is not PreferClose, PreferSameZone or "
                                           "PreferSameNode; no endpoint is preferred",
                                           shown(*value)));
    }

    void read_affinity() {
        const bool has_affinity = spec_.word("sessionAffinity", kAffinities, false);
        Fields config = spec_.fields("sessionAffinityConfig");
        Fields client_ip = config.fields("clientIP");
        if (has_affinity) {
            service_->affinity_seconds = client_ip.integer<uint32_t>(
                "timeoutSeconds", kAffinitySeconds, kDefaultAffinitySeconds);
        } else if (config) {
            problems_.add(config.value(), "may not be set when sessionAffinity is None");
        }
    }

    /// Kubernetes deprecated the field (1.24) because it lacks dual stack. Each implementation has
    /// its own annotation, with comma-separated addresses. They are checked where they are used:
    /// the API server accepts any text.
    void read_requested_addresses() {
        const auto split = [&](std::string_view text) {
            while (!text.empty()) {
                const size_t comma = std::min(text.find(','), text.size());
                std::string_view word = text.substr(0, comma);
                while (word.starts_with(' ')) word.remove_prefix(1);
                while (word.ends_with(' ')) word.remove_suffix(1);
                if (!word.empty()) service_->requested_addresses.emplace_back(word);
                text.remove_prefix(std::min(comma + 1, text.size()));
            }
        };
        split(spec_.string("loadBalancerIP"));
        for (const char* key : {"podlane.io/load-balancer-ips", "metallb.io/loadBalancerIPs",
                                "metallb.universe.tf/loadBalancerIPs", "lbipam.cilium.io/ips",
                                "kube-vip.io/loadbalancerIPs"}) {
            if (!service_->requested_addresses.empty()) return;
            const Value* value = find_annotation(root_, key);
            if (value != nullptr) split(as_string(*value, problems_).value_or(""));
        }
    }

    /// MetalLB's annotation, with its newer and its older prefix, and ours.
    void read_sharing_key() {
        for (const char* key : {"podlane.io/allow-shared-ip", "metallb.io/allow-shared-ip",
                                "metallb.universe.tf/allow-shared-ip"}) {
            const Value* value = find_annotation(root_, key);
            if (value == nullptr || !service_->sharing_key.empty()) continue;
            service_->sharing_key = as_string(*value, problems_).value_or("");
        }
    }

    void read_load_balancer() {
        if (is(ServiceType::kLoadBalancer)) {
            read_requested_addresses();
            read_sharing_key();
        }
        service_->load_balancer_class = spec_.string("loadBalancerClass");
        for (const Value& item : spec_.list("loadBalancerSourceRanges")) {
            // The API server accepts white space around a range, and kube-proxy trims it.
            if (const auto range = read_cidr(item, problems_, true)) {
                service_->source_ranges.push_back(*range);
            }
        }
        for (const char* key : {"loadBalancerClass", "loadBalancerSourceRanges"}) {
            const Value* value = spec_.get(key);
            const bool is_set =
                value != nullptr && !(value->text().empty() && value->items().empty());
            if (is_set && !is(ServiceType::kLoadBalancer)) {
                problems_.add(*value, "may be set only when type is LoadBalancer");
            }
        }
        Fields status = fields_.fields("status");
        Fields load_balancer = status.fields("loadBalancer");
        for (const Value& item : load_balancer.list("ingress")) {
            Fields ingress(&item, problems_, Keys::kLax);
            LoadBalancerIngress entry;
            const Value* ip = ingress.get("ip");
            if (ip != nullptr && !ip->text().empty()) entry.ip = read_ip(*ip, problems_);
            entry.hostname = ingress.string("hostname");
            entry.is_proxy = ingress.word("ipMode", kIpModes, false);
            if (ingress.has("ipMode") && !entry.ip) {
                problems_.add(*ingress.get("ipMode"), "may be set only together with ip");
            }
            service_->load_balancer.push_back(std::move(entry));
        }
    }

    const Value& root_;
    Problems& problems_;
    Fields fields_;
    Fields spec_;
    std::shared_ptr<Service> service_ = std::make_shared<Service>();
};

}  // namespace

ObjectPtr<Service> read_object(std::type_identity<Service>, const Value& root, Meta meta,
                               Problems& problems) {
    return ServiceReader(root, std::move(meta), problems).read();
}

}  // namespace podlane::control
