// Ingress and IngressClass (networking.k8s.io/v1).
#include <fmt/format.h>

#include <algorithm>

#include "control/document/names.h"
#include "control/kube/read.h"

namespace podlane::control {

namespace {

constexpr auto kPathTypes =
    std::to_array<Word<PathType>>({{"Exact", PathType::kExact},
                                   {"Prefix", PathType::kPrefix},
                                   {"ImplementationSpecific", PathType::kImplementationSpecific}});

/// None if it is invalid, or names a resource other than a Service, which is its controller's
/// business.
std::optional<IngressBackend> read_backend(const Value& value, Problems& problems) {
    Fields fields(&value, problems, Keys::kLax);
    if (!fields || fields.has("resource")) return std::nullopt;
    if (fields.require("service", "the Service behind it") == nullptr) return std::nullopt;
    Fields service = fields.fields("service");
    IngressBackend backend;
    service.require("name", "the Service's name");
    backend.service = read_name(service, "name", is_dns_label, "a Service's name");
    if (service.require("port", "name or number") == nullptr) return backend;
    Fields port = service.fields("port");
    const bool has_number = port.integer<int64_t>("number", {0, 65535, "a port"}, 0) != 0;
    const bool has_name = port.has("name") && !port.get("name")->text().empty();
    if (has_number == has_name) {
        if (port) problems.add(port.value(), "either name or number is needed");
    } else if (const auto ref = read_port_ref(*port.get(has_name ? "name" : "number"), problems)) {
        backend.port = *ref;
    }
    return backend;
}

/// Kubernetes' validation rule for Exact and Prefix.
bool is_plain_path(std::string_view path) {
    for (const char* part : {"//", "/./", "/../", "%2f", "%2F"}) {
        if (path.find(part) != std::string_view::npos) return false;
    }
    return !path.ends_with("/.") && !path.ends_with("/..");
}

IngressRule read_rule(const Value& item, Problems& problems) {
    Fields fields(&item, problems, Keys::kLax);
    IngressRule rule;
    rule.host = read_name(fields, "host", is_host_pattern, "a host's DNS name");
    if (!rule.host.empty() && parse_ip(rule.host)) {
        problems.add(*fields.get("host"), "must be a DNS name, not an IP address");
    }
    Fields http = fields.fields("http");
    for (const Value& path_item : http.list("paths")) {
        Fields path_fields(&path_item, problems, Keys::kLax);
        IngressPath path;
        path.path = path_fields.string("path");
        path_fields.require("pathType", "Exact, Prefix or ImplementationSpecific");
        path.type = path_fields.word("pathType", kPathTypes, PathType::kImplementationSpecific);
        const bool may_be_empty = path.type == PathType::kImplementationSpecific;
        if (!path.path.starts_with('/') && !(may_be_empty && path.path.empty()) && path_fields) {
            const Value* text = path_fields.get("path");
            problems.add(text == nullptr ? path_item : *text, "the path must begin with /");
        } else if (path.type != PathType::kImplementationSpecific && !is_plain_path(path.path)) {
            problems.add(*path_fields.get("path"),
                         fmt::format("{} may not have //, /./, /../ or %2f in it",
                                     shown(*path_fields.get("path"))));
        }
        const Value* backend = path_fields.require("backend", "the Service behind it");
        if (backend == nullptr) continue;
        if (auto read = read_backend(*backend, problems)) {
            path.backend = std::move(*read);
            rule.paths.push_back(std::move(path));
        }
    }
    return rule;
}

}  // namespace

ObjectPtr<Ingress> read_object(std::type_identity<Ingress>, const Value& root, Meta meta,
                               Problems& problems) {
    auto ingress = std::make_shared<Ingress>();
    ingress->meta = std::move(meta);
    Fields fields(&root, problems, Keys::kLax);
    Fields spec = fields.fields("spec");
    ingress->class_name =
        read_name(spec, "ingressClassName", is_dns_subdomain, "an IngressClass's name");
    // The older form, still common in manifests.
    const Value* annotation = find_annotation(root, "kubernetes.io/ingress.class");
    if (ingress->class_name.empty() && annotation != nullptr) {
        ingress->class_name = as_string(*annotation, problems).value_or("");
    }
    if (const Value* backend = spec.get("defaultBackend")) {
        ingress->default_backend = read_backend(*backend, problems);
    }
    for (const Value& item : spec.list("rules")) {
        ingress->rules.push_back(read_rule(item, problems));
    }
    for (const Value& item : spec.list("tls")) {
        Fields tls_fields(&item, problems, Keys::kLax);
        IngressTls tls;
        for (const Value& host : tls_fields.list("hosts")) {
            const auto text = as_string(host, problems);
            if (!text) continue;
            if (is_host_pattern(*text)) {
                tls.hosts.emplace_back(*text);
            } else {
                problems.add(host, fmt::format("{} is not a host's DNS name", shown(host)));
            }
        }
        tls.secret_name = read_name(tls_fields, "secretName", is_dns_subdomain, "a Secret's name");
        ingress->tls.push_back(std::move(tls));
    }
    Fields balancer = fields.fields("status").fields("loadBalancer");
    for (const Value& item : balancer.list("ingress")) {
        Fields entry(&item, problems, Keys::kLax);
        const std::string ip = entry.string("ip");
        const std::string text = ip.empty() ? entry.string("hostname") : ip;
        if (!text.empty()) ingress->addresses.push_back(text);
    }
    return ingress;
}

ObjectPtr<IngressClass> read_object(std::type_identity<IngressClass>, const Value& root, Meta meta,
                                    Problems& problems) {
    auto ingress_class = std::make_shared<IngressClass>();
    ingress_class->meta = std::move(meta);
    Fields fields(&root, problems, Keys::kLax);
    ingress_class->controller = fields.fields("spec").string("controller");
    const Value* is_default = find_annotation(root, "ingressclass.kubernetes.io/is-default-class");
    ingress_class->is_default = is_default != nullptr && is_default->text() == "true";
    return ingress_class;
}

}  // namespace podlane::control
