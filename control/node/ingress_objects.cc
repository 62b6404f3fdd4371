// What a program that serves Ingresses needs to know.
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "control/node/node_model.h"

namespace podlane::control {

namespace {

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

IngressObjects NodeModel::ingress_objects(std::optional<uint64_t> since) const {
    IngressObjects answer{compiler_.current()->generation, {}};
    if (since == answer.generation) return answer;
    std::vector<Object> objects;
    for (const auto& [name, one] : store_.all<IngressClass>()) objects.emplace_back(one);
    for (const auto& [name, one] : store_.all<Ingress>()) objects.emplace_back(one);
    const Named named = named_by(store_);
    for (const NamespacedName& name : named.services) {
        if (auto service = store_.find<Service>(name)) objects.emplace_back(std::move(service));
    }
    for (const NamespacedName& name : named.secrets) {
        if (auto secret = store_.find<Secret>(name)) objects.emplace_back(std::move(secret));
    }
    answer.objects = std::move(objects);
    return answer;
}

}  // namespace podlane::control
