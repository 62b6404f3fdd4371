#include "control/node/explain_target.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string>
#include <utility>

#include "control/node/dns_question.h"
#include "lib/dns/name.h"

namespace podlane::control {
namespace {

Error not_understood(std::string_view text) {
    return {
        fmt::format("to: {} is not ADDRESS:PORT such as 10.96.0.10:80 or [fd00::a]:80, "
                    "NAMESPACE/SERVICE:PORT, or a name of the cluster and a port",
                    text)};
}

std::optional<uint16_t> port_number(std::string_view text) {
    uint16_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool is_whole = error == std::errc() && end == text.data() + text.size();
    return is_whole && number != 0 ? std::optional(number) : std::nullopt;
}

/// "shop/web:80" split in two; the port is "" if there is none.
struct Split {
    std::string_view host, port;
    bool has_port = false;
};

std::optional<Split> split(std::string_view text) {
    if (parse_ip(text)) return Split{text, {}, false};
    if (text.starts_with('[')) {
        const size_t end = text.find(']');
        if (end == std::string_view::npos) return std::nullopt;
        const std::string_view rest = text.substr(end + 1);
        if (!rest.empty() && !rest.starts_with(':')) return std::nullopt;
        return Split{text.substr(1, end - 1), rest.empty() ? rest : rest.substr(1), !rest.empty()};
    }
    const size_t colon = text.find(':');
    if (colon == std::string_view::npos) return Split{text, {}, false};
    return Split{text.substr(0, colon), text.substr(colon + 1), true};
}

/// The Service's port by number or name; optional if the Service has only one.
Result<std::optional<uint16_t>> service_port(const Service& service, const Split& parts,
                                             bool wants_port) {
    const std::string name = to_string(service.meta.namespaced_name());
    if (!parts.has_port) {
        if (wants_port && service.ports.size() == 1)
            return std::optional(service.ports.front().port);
        return std::optional<uint16_t>();
    }
    if (const auto number = port_number(parts.port)) return std::optional(*number);
    const auto named = std::ranges::find(service.ports, parts.port, &ServicePort::name);
    if (named != service.ports.end()) return std::optional(named->port);
    return Error{fmt::format("to: Service {} has no port {}", name, parts.port)};
}

Result<ExplainTarget> of_object(const ObjectStore& store, const Split& parts, bool wants_port) {
    const size_t slash = parts.host.find('/');
    const NamespacedName name{std::string(parts.host.substr(0, slash)),
                              std::string(parts.host.substr(slash + 1))};
    if (const auto service = store.find<Service>(name)) {
        if (service->cluster_ips.empty()) {
            return Error{fmt::format("to: Service {} has no ClusterIP; give the address of a pod",
                                     to_string(name))};
        }
        const auto port = service_port(*service, parts, wants_port);
        if (!port.ok()) return port.error();
        return ExplainTarget{service->cluster_ips, port.value()};
    }
    const auto pod = store.find<Pod>(name);
    if (!pod) return Error{fmt::format("to: there is no Service or Pod {}", to_string(name))};
    if (pod->ips.empty()) return Error{fmt::format("to: pod {} has no address", to_string(name))};
    const auto port = port_number(parts.port);
    if (parts.has_port && !port) {
        return Error{fmt::format("to: {} is no port number (1-65535)", parts.port)};
    }
    return ExplainTarget{pod->ips, port};
}

/// The Service that a name such as "web.shop.svc.cluster.local" belongs to, for named ports.
std::shared_ptr<const Service> service_of(const ObjectStore& store, std::string_view host) {
    const size_t first = host.find('.');
    const size_t second = first == std::string_view::npos ? first : host.find('.', first + 1);
    if (second == std::string_view::npos) return nullptr;
    return store.find<Service>({std::string(host.substr(first + 1, second - first - 1)),
                                std::string(host.substr(0, first))});
}

/// The names that a pod's resolver tries in turn, by the search domains that `pod add` sets.
std::vector<std::string> searched(const DnsZone& zone, std::string_view sender_namespace,
                                  std::string_view host) {
    std::vector<std::string> names;
    if (!host.ends_with('.')) {
        const std::string domain = dns_name_text(zone.identity().domain);
        if (!sender_namespace.empty()) {
            names.push_back(fmt::format("{}.{}.svc.{}", host, sender_namespace, domain));
        }
        names.push_back(fmt::format("{}.svc.{}", host, domain));
        names.push_back(fmt::format("{}.{}", host, domain));
    }
    names.emplace_back(host);
    return names;
}

/// The addresses of the first of these names that has any, and which name that is.
struct Found {
    std::string name;
    std::vector<IpAddress> addresses;
    bool is_elsewhere = false;  ///< the last name is outside the cluster
};

Found look_up(const DnsZone& zone, const std::vector<std::string>& names) {
    Found found;
    for (const std::string& name : names) {
        const auto wire = dns_name_from_text(name);
        if (!wire) continue;
        found.name = name;
        for (const bool is_v6 : {false, true}) {
            const DnsAddresses answer = dns_addresses(zone, *wire, is_v6);
            found.is_elsewhere = answer.is_elsewhere;
            found.addresses.insert(found.addresses.end(), answer.addresses.begin(),
                                   answer.addresses.end());
        }
        if (!found.addresses.empty()) break;
    }
    return found;
}

Result<ExplainTarget> of_name(const ObjectStore& store, const DnsZone* zone,
                              std::string_view sender_namespace, const Split& parts,
                              bool wants_port) {
    if (zone == nullptr) {
        return Error{
            fmt::format("to: {} is a name, and cluster.dns is off; give its address", parts.host)};
    }
    Found found = look_up(*zone, searched(*zone, sender_namespace, parts.host));
    if (found.addresses.empty() && found.is_elsewhere) {
        return Error{fmt::format(
            "to: {} is no name of the cluster, and explain asks no server outside; give "
            "its address",
            parts.host)};
    }
    if (found.addresses.empty()) {
        return Error{fmt::format("to: {} has no address in the cluster's DNS", parts.host)};
    }
    ExplainTarget target{std::move(found.addresses), port_number(parts.port)};
    if (const auto service = service_of(store, found.name); service && !target.port) {
        const auto port = service_port(*service, parts, wants_port);
        if (!port.ok()) return port.error();
        target.port = port.value();
    } else if (parts.has_port && !target.port) {
        return Error{fmt::format("to: {} is no port number (1-65535)", parts.port)};
    }
    return target;
}

}  // namespace

Result<ExplainTarget> resolve_target(const ObjectStore& store, const DnsZone* zone,
                                     std::string_view sender_namespace, std::string_view text,
                                     bool wants_port) {
    const auto parts = split(text);
    if (!parts) return not_understood(text);
    if (const auto address = parse_ip(parts->host)) {
        const auto port = port_number(parts->port);
        if (parts->has_port && !port) return not_understood(text);
        return ExplainTarget{{*address}, port};
    }
    if (parts->host.find('/') != std::string_view::npos)
        return of_object(store, *parts, wants_port);
    if (!dns_name_from_text(parts->host)) return not_understood(text);
    auto named = of_name(store, zone, sender_namespace, *parts, wants_port);
    if (named.ok() || parts->host.find('.') != std::string_view::npos) return named;
    // A Service that DNS does not know, or a pod, of the sender's namespace.
    const std::string whole =
        fmt::format("{}/{}", sender_namespace.empty() ? "default" : sender_namespace, parts->host);
    return of_object(store, {whole, parts->port, parts->has_port}, wants_port);
}

}  // namespace podlane::control
