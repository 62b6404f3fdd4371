#include "control/cli/ingress_status.h"

#include <ostream>

#include "control/cli/cell.h"
#include "control/cli/ingress.h"
#include "control/cli/table.h"
#include "control/cli/yaml.h"
#include "control/ingress/status.h"
#include "control/rpc/client.h"
#include "lib/base/printable.h"

namespace podlane::control {

namespace {

using Json = nlohmann::ordered_json;

Result<Json> statuses(const Invocation& call) {
    auto client = connect(call);
    if (!client.ok()) return client.error();
    const auto services =
        client->call("get", Json{{"kind", "services"}, {"name", call.words.front()}});
    if (!services.ok()) return services.error();
    const auto objects = client->call("ingress.objects", Json::object());
    if (!objects.ok()) return objects.error();
    const auto ingresses = ingresses_of_class(objects->at("items"), ingress_class(call));
    if (!ingresses.ok()) return ingresses.error();
    const Json addresses = outside_addresses(services->at("items").at(0));
    Json list{{"apiVersion", "v1"}, {"kind", "List"}, {"items", Json::array()}};
    Json& items = list["items"];
    for (const NamespacedName& name : *ingresses) {
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
                                                           : json_text(made.value(), 2));
    return environment.out.good() ? 0 : 1;
}

}  // namespace podlane::control
