// What a program needs to know that serves Ingresses.
#include <set>
#include <string>

#include "control/kube/json.h"
#include "control/node/node_model.h"

namespace podlane::control {

namespace {

using Json = nlohmann::ordered_json;

/// The Services and Secrets that Ingresses name.
struct Named {
    std::set<NamespacedName> services;
    std::set<NamespacedName> secrets;
};

Named named_by(const ObjectStore& store) {
    Named named;
    for (const auto& [name, ingress] : store.all<Ingress>()) {
        const std::string& name_space = name.name_space;
        const auto add = [&](const IngressBackend& backend) {
            named.services.insert({name_space, backend.service});
        };
        if (ingress->default_backend) add(*ingress->default_backend);
        for (const IngressRule& rule : ingress->rules) {
            for (const IngressPath& path : rule.paths) add(path.backend);
        }
        for (const IngressTls& tls : ingress->tls) {
            named.secrets.insert({name_space, tls.secret_name});
        }
    }
    return named;
}

}  // namespace

RpcResult NodeModel::ingress_objects(std::optional<uint64_t> since) {
    const uint64_t generation = compiler_.current()->generation;
    if (since == generation) return Json{{"generation", generation}};
    Json items = Json::array();
    for (const auto& [name, ingress_class] : store_.all<IngressClass>()) {
        items.push_back(to_json(*ingress_class));
    }
    for (const auto& [name, ingress] : store_.all<Ingress>()) items.push_back(to_json(*ingress));
    const Named named = named_by(store_);
    for (const NamespacedName& name : named.services) {
        if (const auto service = store_.find<Service>(name)) items.push_back(to_json(*service));
    }
    for (const NamespacedName& name : named.secrets) {
        if (const auto secret = store_.find<Secret>(name)) {
            items.push_back(whole_secret_json(*secret));
        }
    }
    return Json{{"generation", generation}, {"items", std::move(items)}};
}

}  // namespace podlane::control
