#include "control/ingress/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "control/ingress/tls_pair.h"

namespace podlane::control {

namespace {

/// The longest path: far below what a proxy accepts as one word of its configuration.
constexpr size_t kMostPathBytes = 1024;
/// Never in a path: characters that end a quoted word or change the meaning of what follows.
constexpr std::string_view kNeverInPaths = "\"\\";

int hex_digit(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/// The path with percent-encoding decoded (RFC 3986 section 2.1), as a request's path is before
/// matching. None if it is not served. %2F does not separate elements but looks as if it did, so it
/// is refused, as Kubernetes' validation does; so are //, /./ and /../.
std::optional<std::string> servable_path(std::string_view path) {
    std::string out;
    for (size_t i = 0; i < path.size(); ++i) {
        char c = path[i];
        if (c == '%') {
            const int high = i + 2 < path.size() ? hex_digit(path[i + 1]) : -1;
            const int low = i + 2 < path.size() ? hex_digit(path[i + 2]) : -1;
            if (high < 0 || low < 0) return std::nullopt;
            c = static_cast<char>(high * 16 + low);
            if (c == '/') return std::nullopt;
            i += 2;
        }
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f || kNeverInPaths.find(c) != std::string_view::npos) {
            return std::nullopt;
        }
        out += c;
    }
    const std::string closed = out + '/';
    if (out.size() > kMostPathBytes || out.find("//") != std::string::npos ||
        closed.find("/./") != std::string::npos || closed.find("/../") != std::string::npos) {
        return std::nullopt;
    }
    return out;
}

/// A path in a form fit for a message.
std::string shown(std::string_view path) {
    std::string out;
    for (const char c : path.substr(0, 80)) {
        const bool is_printable = c >= 0x20 && c < 0x7f;
        out += is_printable ? std::string(1, c)
                            : fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
    return path.size() > 80 ? out + "..." : out;
}

bool covers(std::string_view pattern, std::string_view host) {
    const size_t dot = host.find('.');
    return pattern == host || (pattern.starts_with("*.") && dot != std::string_view::npos &&
                               pattern.substr(1) == host.substr(dot));
}

std::string shown_host(const std::string& host) {
    return host.empty() ? "every other host" : "host " + host;
}

/// Makes the plan; its members are the state that the steps share.
class Planner {
  public:
    Planner(const std::vector<Object>& objects, std::string_view class_name)
        : class_name_(class_name) {
        for (const Object& object : objects) {
            if (const auto* ingress = std::get_if<ObjectPtr<Ingress>>(&object)) {
                ingresses_.push_back(ingress->get());
            } else if (const auto* service = std::get_if<ObjectPtr<Service>>(&object)) {
                services_[(*service)->meta.namespaced_name()] = service->get();
            } else if (const auto* secret = std::get_if<ObjectPtr<Secret>>(&object)) {
                secrets_[(*secret)->meta.namespaced_name()] = secret->get();
            } else if (const auto* known = std::get_if<ObjectPtr<IngressClass>>(&object)) {
                if ((*known)->is_default && (*known)->meta.name != class_name) {
                    other_is_default_ = true;
                }
            }
        }
    }

    IngressPlan make() {
        std::erase_if(ingresses_, [&](const Ingress* ingress) { return !is_ours(*ingress); });
        // The older one wins, as in other controllers; Ingresses of unknown age come last.
        const auto age = [](const Ingress* i) {
            return std::tuple(i->meta.created == 0, i->meta.created, i->meta.namespaced_name());
        };
        std::ranges::sort(ingresses_, {}, age);
        for (const Ingress* each : ingresses_) {
            plan_.ingresses.push_back(each->meta.namespaced_name());
        }
        hosts_[""];
        for (const Ingress* ingress : ingresses_) add_rules(*ingress);
        for (const Ingress* ingress : ingresses_) add_tls(*ingress);
        for (const Ingress* ingress : ingresses_) add_fallback(*ingress);
        for (const auto& [name, host] : hosts_) plan_.hosts.push_back(finished(name, host));
        for (auto& [file, pem] : pairs_) plan_.key_pairs.push_back({file, pem});
        return std::move(plan_);
    }

  private:
    /// A host that is listed only under `tls` is served as it would be without that.
    [[nodiscard]] IngressHost finished(const std::string& name, IngressHost host) const {
        const IngressHost& everyone = hosts_.at("");
        if (!ruled_.contains(name)) {
            const auto wildcard = std::ranges::find_if(ruled_, [&](const std::string& ruled) {
                return !name.empty() && covers(ruled, name);
            });
            const IngressHost& like =
                wildcard == ruled_.end() ? everyone : hosts_.find(*wildcard)->second;
            host.exact = like.exact;
            host.prefix = like.prefix;
            if (!host.fallback) host.fallback = like.fallback;
        }
        if (!host.fallback) host.fallback = everyone.fallback;
        host.name = name;
        return host;
    }

    [[nodiscard]] bool is_ours(const Ingress& ingress) const {
        return ingress.class_name.empty() ? !other_is_default_ : ingress.class_name == class_name_;
    }

    void warn(const Ingress& ingress, std::string_view what) {
        std::string line =
            fmt::format("Ingress {}: {}", to_string(ingress.meta.namespaced_name()), what);
        if (warned_.insert(line).second) plan_.warnings.push_back(std::move(line));
    }

    IngressTarget target(const Ingress& ingress, const IngressBackend& backend) {
        const NamespacedName name{ingress.meta.name_space, backend.service};
        IngressTarget made;
        made.origin = fmt::format("Ingress {}, Service {}",
                                  to_string(ingress.meta.namespaced_name()), backend.service);
        const auto found = services_.find(name);
        const auto refuse = [&](std::string_view why) {
            warn(ingress, fmt::format("Service {} {}; its paths answer 503", to_string(name), why));
            return made;
        };
        if (found == services_.end()) return refuse("does not exist");
        const Service& service = *found->second;
        const auto port = std::ranges::find_if(service.ports, [&](const ServicePort& p) {
            return p.protocol == Protocol::kTcp &&
                   (backend.port.is_name() ? p.name == backend.port.name
                                           : p.port == backend.port.number);
        });
        if (port == service.ports.end()) {
            return refuse(backend.port.is_name()
                              ? fmt::format("has no TCP port {}", backend.port.name)
                              : fmt::format("has no TCP port {}", backend.port.number));
        }
        if (service.type == ServiceType::kExternalName || service.cluster_ips.empty()) {
            return refuse("has no ClusterIP");
        }
        const IpAddress& ip = service.cluster_ips.front();
        made.address = fmt::format("{}{}{}:{}", ip.is_v4() ? "" : "[", to_string(ip),
                                   ip.is_v4() ? "" : "]", port->port);
        return made;
    }

    void add_rules(const Ingress& ingress) {
        for (const IngressRule& rule : ingress.rules) {
            // A rule without paths sends its host to the default backend.
            IngressHost& host = hosts_[rule.host];
            ruled_.insert(rule.host);
            for (const IngressPath& path : rule.paths) add_path(ingress, rule.host, host, path);
        }
    }

    void add_path(const Ingress& ingress, const std::string& name, IngressHost& host,
                  const IngressPath& path) {
        const auto servable = servable_path(path.path);
        if (!servable) {
            warn(ingress,
                 fmt::format("path \"{}\" is not served: it must be without control characters, "
                             "\", \\, %2F, //, /./ and /../, and of at most {} bytes",
                             shown(path.path), kMostPathBytes));
            return;
        }
        const bool is_exact = path.type == PathType::kExact;
        std::string key = *servable;
        if (!is_exact && key.ends_with('/')) key.pop_back();
        IngressTarget made = target(ingress, path.backend);
        auto& paths = is_exact ? host.exact : host.prefix;
        const auto [at, is_new] = paths.try_emplace(key, made);
        if (is_new || at->second.address == made.address) return;
        warn(ingress, fmt::format("path {} of {} is taken: {} has it",
                                  path.path.empty() ? "/" : shown(path.path), shown_host(name),
                                  at->second.origin));
    }

    /// An Ingress's default backend applies to its hosts; the oldest one applies to all other
    /// hosts.
    void add_fallback(const Ingress& ingress) {
        if (!ingress.default_backend) return;
        const IngressTarget made = target(ingress, *ingress.default_backend);
        const auto give = [&](IngressHost& host) {
            if (!host.fallback) host.fallback = made;
        };
        for (const IngressRule& rule : ingress.rules) give(hosts_[rule.host]);
        for (const IngressTls& tls : ingress.tls) {
            for (const std::string& host : tls.hosts) give(hosts_[host]);
        }
        give(hosts_[""]);
    }

    /// The key pair is for the entry's hosts and for the rules' hosts that its wildcards cover; an
    /// entry without hosts is for all hosts of the rules.
    void add_tls(const Ingress& ingress) {
        for (const IngressTls& tls : ingress.tls) {
            std::set<std::string> names(tls.hosts.begin(), tls.hosts.end());
            for (const IngressRule& rule : ingress.rules) {
                const bool covered = std::ranges::any_of(
                    tls.hosts, [&](const std::string& host) { return covers(host, rule.host); });
                if (tls.hosts.empty() || covered) names.insert(rule.host);
            }
            if (tls.hosts.empty() && ingress.rules.empty()) names.insert("");
            const std::string file = key_pair(ingress, tls.secret_name);
            if (file.empty()) continue;
            for (const std::string& name : names) give_key_pair(ingress, name, file, tls);
        }
    }

    void give_key_pair(const Ingress& ingress, const std::string& name, const std::string& file,
                       const IngressTls& tls) {
        IngressHost& host = hosts_[name];
        const bool is_named = std::ranges::find(tls.hosts, name) != tls.hosts.end();
        // An Ingress that names the host takes precedence over one with a matching wildcard.
        if (host.key_pair.empty() || (is_named && !named_pair_.contains(name))) {
            host.key_pair = file;
            if (is_named) named_pair_.insert(name);
        } else if (host.key_pair != file && is_named) {
            warn(ingress, fmt::format("TLS of {} is taken: an older Ingress has another Secret",
                                      shown_host(name)));
        }
    }

    /// The file with a Secret's key pair; "" if it cannot be used.
    std::string key_pair(const Ingress& ingress, const std::string& secret_name) {
        const NamespacedName name{ingress.meta.name_space, secret_name};
        const auto refuse = [&](std::string_view what) {
            warn(ingress, fmt::format("{}; its hosts are served without TLS", what));
            return std::string();
        };
        if (secret_name.empty()) return refuse("tls without secretName");
        const auto found = secrets_.find(name);
        if (found == secrets_.end()) {
            return refuse(
                fmt::format("there is no Secret {} of type kubernetes.io/tls", to_string(name)));
        }
        const Secret& secret = *found->second;
        const std::string fault = tls_pair_fault(secret.certificate, secret.key);
        if (!fault.empty()) return refuse(fmt::format("Secret {}: {}", to_string(name), fault));
        const std::string gap = secret.certificate.ends_with('\n') ? "" : "\n";
        std::string pem = secret.certificate + gap + secret.key;
        std::string file =
            fmt::format("{}.{}-{}.pem", name.name_space, name.name, short_digest(pem));
        pairs_.insert_or_assign(file, std::move(pem));
        return file;
    }

    std::string_view class_name_;
    bool other_is_default_ = false;
    std::vector<const Ingress*> ingresses_;
    std::map<NamespacedName, const Service*> services_;
    std::map<NamespacedName, const Secret*> secrets_;
    std::map<std::string, IngressHost> hosts_;
    std::map<std::string, std::string> pairs_;
    std::set<std::string> ruled_;       // hosts that have rules
    std::set<std::string> named_pair_;  // hosts with a key pair from an entry that names them
    std::set<std::string> warned_;
    IngressPlan plan_;
};

}  // namespace

const IngressTarget* IngressHost::find(std::string_view path) const {
    if (const auto it = exact.find(std::string(path)); it != exact.end()) return &it->second;
    // /a/b/ is /a/b, then /a, then everything.
    while (true) {
        if (const auto it = prefix.find(std::string(path)); it != prefix.end()) return &it->second;
        if (path.empty()) return fallback ? &*fallback : nullptr;
        path = path.substr(0, path.rfind('/') == std::string_view::npos ? 0 : path.rfind('/'));
    }
}

IngressPlan plan_ingresses(const std::vector<Object>& objects, std::string_view class_name) {
    return Planner(objects, class_name).make();
}

}  // namespace podlane::control
