#include "control/cli/ingress_status.h"

#include <ostream>

#include "control/cli/cell.h"
#include "control/cli/ingress.h"
#include "control/cli/table.h"
#include "control/cli/yaml.h"
#include "control/ingress/plan.h"
#include "control/kube/json.h"
#include "control/kube/parse.h"
#include "control/rpc/client.h"

namespace podlane::control {

namespace {

using Json = nlohmann::ordered_json;

/// The addresses at which a Service is reached from outside, as an Ingress's status has them: those
/// of its load balancer, else its externalIPs.
Json addresses_of(const Json& service) {
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

Result<Json> statuses(const Invocation& call) {
    auto client = connect(call);
    if (!client.ok()) return client.error();
    const auto services =
        client->call("get", Json{{"kind", "services"}, {"name", call.words.front()}});
    if (!services.ok()) return services.error();
    const auto objects = client->call("ingress.objects", Json::object());
    if (!objects.ok()) return objects.error();
    Json list{{"apiVersion", "v1"}, {"kind", "List"}, {"items", objects->at("items")}};
    const auto parsed = parse_objects(list.dump(), "podlaned");
    if (!parsed.ok()) return parsed.error();
    const Json addresses = addresses_of(services->at("items").at(0));
    Json& items = list["items"] = Json::array();
    const IngressPlan plan = plan_ingresses(parsed->objects, ingress_class(call));
    for (const NamespacedName& name : plan.ingresses) {
        items.push_back({{"apiVersion", "networking.k8s.io/v1"},
                         {"kind", "Ingress"},
                         {"metadata", {{"name", name.name}, {"namespace", name.name_space}}},
                         {"status", {{"loadBalancer", {{"ingress", addresses}}}}}});
    }
    return list;
}

}  // namespace

int run_ingress_status(const Invocation& call, CliEnvironment& environment) {
    const auto made = statuses(call);
    if (!made.ok()) {
        environment.err << "error: " << printable(made.error().message) << '\n';
        return 1;
    }
    environment.out << (call.format == OutputFormat::kYaml ? to_yaml(made.value())
                                                           : made->dump(2) + '\n');
    return environment.out.good() ? 0 : 1;
}

}  // namespace podlane::control
