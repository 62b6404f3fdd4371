#include "control/ingress/status.h"

#include <nlohmann/json.hpp>

#include "control/ingress/plan.h"
#include "control/kube/parse.h"

namespace podlane::control {

namespace {

using Json = nlohmann::ordered_json;

const Json& at(const Json& item, const char* pointer) {
    static const Json kNone = Json::array();
    const Json::json_pointer place(pointer);
    return item.contains(place) ? item.at(place) : kNone;
}

}  // namespace

Json outside_addresses(const Json& service) {
    Json out = Json::array();
    for (const Json& each : at(service, "/status/loadBalancer/ingress")) {
        const char* key = each.contains("ip") ? "ip" : "hostname";
        if (each.contains(key)) out.push_back(Json{{key, each.at(key)}});
    }
    if (!out.empty()) return out;
    for (const Json& address : at(service, "/spec/externalIPs")) {
        out.push_back(Json{{"ip", address}});
    }
    return out;
}

Result<std::vector<NamespacedName>> ingresses_of_class(const Json& items,
                                                       std::string_view class_name) {
    const Json list{{"apiVersion", "v1"}, {"kind", "List"}, {"items", items}};
    const auto parsed = parse_objects(list.dump(), "podlaned");
    if (!parsed.ok()) return parsed.error();
    return plan_ingresses(parsed->objects, class_name).ingresses;
}

}  // namespace podlane::control
