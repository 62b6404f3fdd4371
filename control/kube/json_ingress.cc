// Ingress, IngressClass and Secret.
#include "control/document/names.h"
#include "control/kube/base64.h"
#include "control/kube/json.h"
#include "control/kube/json_parts.h"

namespace podlane::control {

namespace {

using Json = nlohmann::ordered_json;

std::string_view name_of(PathType type) {
    switch (type) {
        case PathType::kExact:
            return "Exact";
        case PathType::kPrefix:
            return "Prefix";
        case PathType::kImplementationSpecific:
            break;
    }
    return "ImplementationSpecific";
}

Json to_json(const IngressBackend& backend) {
    Json out;
    out["service"]["name"] = backend.service;
    out["service"]["port"][backend.port.is_name() ? "name" : "number"] = to_json(backend.port);
    return out;
}

Json to_json(const IngressRule& rule) {
    Json out = Json::object();
    set_text(out, "host", rule.host);
    if (rule.paths.empty()) return out;
    out["http"]["paths"] = list_of(rule.paths, [](const IngressPath& path) {
        Json entry;
        set_text(entry, "path", path.path);
        entry["pathType"] = name_of(path.type);
        entry["backend"] = to_json(path.backend);
        return entry;
    });
    return out;
}

Json secret_head(const Secret& secret) {
    Json out = object_head(Kind::kSecret, secret.meta);
    out["type"] = "kubernetes.io/tls";
    return out;
}

}  // namespace

Json to_json(const Ingress& ingress) {
    Json out = object_head(Kind::kIngress, ingress.meta);
    Json& spec = out["spec"] = Json::object();
    if (is_dns_subdomain(ingress.class_name)) {
        spec["ingressClassName"] = ingress.class_name;
    } else if (!ingress.class_name.empty()) {
        out["metadata"]["annotations"]["kubernetes.io/ingress.class"] = ingress.class_name;
    }
    if (ingress.default_backend) spec["defaultBackend"] = to_json(*ingress.default_backend);
    if (!ingress.rules.empty()) {
        spec["rules"] =
            list_of(ingress.rules, [](const IngressRule& rule) { return to_json(rule); });
    }
    if (!ingress.tls.empty()) {
        spec["tls"] = list_of(ingress.tls, [](const IngressTls& tls) {
            Json entry = Json::object();
            if (!tls.hosts.empty()) entry["hosts"] = tls.hosts;
            set_text(entry, "secretName", tls.secret_name);
            return entry;
        });
    }
    if (!ingress.addresses.empty()) {
        out["status"]["loadBalancer"]["ingress"] =
            list_of(ingress.addresses, [](const std::string& text) {
                return Json{{parse_ip(text) ? "ip" : "hostname", text}};
            });
    }
    return out;
}

Json to_json(const IngressClass& ingress_class) {
    Json out = object_head(Kind::kIngressClass, ingress_class.meta);
    if (ingress_class.is_default) {
        out["metadata"]["annotations"]["ingressclass.kubernetes.io/is-default-class"] = "true";
    }
    out["spec"] = Json::object();
    set_text(out["spec"], "controller", ingress_class.controller);
    return out;
}

Json to_json(const Secret& secret) {
    Json out = secret_head(secret);
    out["dataBytes"] = {{"tls.crt", secret.certificate.size()}, {"tls.key", secret.key.size()}};
    return out;
}

Json whole_secret_json(const Secret& secret) {
    Json out = secret_head(secret);
    out["data"] = {{"tls.crt", to_base64(secret.certificate)}, {"tls.key", to_base64(secret.key)}};
    return out;
}

}  // namespace podlane::control
