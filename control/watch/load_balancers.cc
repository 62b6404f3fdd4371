#include "control/watch/load_balancers.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "control/ingress/status.h"
#include "control/rpc/request.h"
#include "lib/base/ip_address.h"

namespace podlane::control {

namespace {

using Json = nlohmann::ordered_json;

const Json& at(const Json& item, const char* pointer) {
    static const Json kNone = Json::object();
    const Json::json_pointer place(pointer);
    return item.contains(place) ? item.at(place) : kNone;
}

std::string text_at(const Json& item, const char* key) {
    if (!item.is_object()) return {};
    const auto found = item.find(key);
    return found != item.end() && found->is_string() ? found->get<std::string>() : std::string();
}

/// "ip" or "hostname" of each entry of status.loadBalancer.ingress.
std::set<std::string> addresses_in(const Json& list) {
    std::set<std::string> out;
    for (const Json& each : list) {
        const std::string ip = text_at(each, "ip");
        out.insert(ip.empty() ? text_at(each, "hostname") : ip);
    }
    return out;
}

const char* key_of(const std::string& address) {
    return parse_ip(address) ? "ip" : "hostname";
}

}  // namespace

bool can_write(const std::string& node) {
    const Json object = Json::parse(node, nullptr, /*allow_exceptions=*/false);
    bool is_ready = false;
    bool is_up = false;
    for (const Json& each : at(object, "/status/conditions")) {
        const std::string type = text_at(each, "type");
        is_ready |= type == "Ready" && text_at(each, "status") == "True";
        is_up |= type == "NetworkUnavailable" && text_at(each, "status") == "False" &&
                 text_at(each, "reason") == "PodlaneIsUp";
    }
    return is_ready && is_up;
}

StatusPatch status_patch(const std::string& object, const std::set<std::string>& addresses) {
    const Json now = Json::parse(object, nullptr, /*allow_exceptions=*/false);
    if (!now.is_object()) return {};
    if (addresses_in(at(now, "/status/loadBalancer/ingress")) == addresses) return {};
    Json list = Json::array();
    for (const std::string& address : addresses) list.push_back({{key_of(address), address}});
    Json patch;
    patch["status"]["loadBalancer"]["ingress"] = addresses.empty() ? Json(nullptr) : list;
    const bool is_service = text_at(now, "kind") == "Service";
    const Json& metadata = at(now, "/metadata");
    return {fmt::format("{}/namespaces/{}/{}/{}/status",
                        is_service ? "/api/v1" : "/apis/networking.k8s.io/v1",
                        text_at(metadata, "namespace"), is_service ? "services" : "ingresses",
                        text_at(metadata, "name")),
            patch.dump()};
}

LoadBalancerStatus::LoadBalancerStatus(const Cluster& cluster, std::string node,
                                       std::string ingress_service, std::string ingress_class)
    : cluster_(cluster),
      node_(std::move(node)),
      ingress_service_(std::move(ingress_service)),
      ingress_class_(std::move(ingress_class)) {}

Result<ServiceAddresses> LoadBalancerStatus::addresses_now(RpcClient& podlaned) const {
    const auto reply = podlaned.call("get", Json{{"kind", "addresses"}});
    if (!reply.ok()) return reply.error();
    ServiceAddresses out;
    for (const Json& item : at(*reply, "/items")) {
        out[text_at(item, "service")].insert(text_at(item, "address"));
    }
    return out;
}

void LoadBalancerStatus::add(const char* kind, const std::string& name,
                             const std::set<std::string>& addresses,
                             std::vector<StatusPatch>& patches) const {
    StatusPatch patch = status_patch(cluster_.text_of(kind, name), addresses);
    if (!patch.target.empty()) patches.push_back(std::move(patch));
}

Result<void> LoadBalancerStatus::add_ingresses(RpcClient& podlaned,
                                               std::vector<StatusPatch>& patches) const {
    const auto service =
        podlaned.call("get", Json{{"kind", "services"}, {"name", ingress_service_}});
    if (!service.ok() && podlaned.last_code() == rpc_code::kNotFound) return {};
    if (!service.ok()) return service.error();
    const auto objects = podlaned.call("ingress.objects", Json::object());
    if (!objects.ok()) return objects.error();
    const auto ingresses = ingresses_of_class(at(*objects, "/items"), ingress_class_);
    if (!ingresses.ok()) return ingresses.error();
    const auto addresses = addresses_in(outside_addresses(at(*service, "/items/0")));
    for (const NamespacedName& name : *ingresses) {
        add("Ingress", to_string(name), addresses, patches);
    }
    return {};
}

Result<std::vector<StatusPatch>> LoadBalancerStatus::due(RpcClient& podlaned) {
    std::vector<StatusPatch> patches;
    if (cluster_.first_of("Node", can_write) != node_) return patches;
    auto now = addresses_now(podlaned);
    if (!now.ok()) return now.error();
    for (const auto& [service, addresses] : *now) add("Service", service, addresses, patches);
    // A Service whose addresses were written here and that has none any more loses them.
    for (const auto& [service, addresses] : before_) {
        if (now->contains(service)) continue;
        const Json object = Json::parse(cluster_.text_of("Service", service), nullptr, false);
        const bool may_want_one = text_at(at(object, "/spec"), "type") == "LoadBalancer";
        if (!may_want_one) add("Service", service, {}, patches);
    }
    before_ = std::move(*now);
    if (!ingress_service_.empty()) {
        if (auto done = add_ingresses(podlaned, patches); !done.ok()) return done.error();
    }
    return patches;
}

}  // namespace podlane::control
