// What a proxy has to do to serve Ingresses: hosts, paths, destinations of requests, keys.
//
// Made from Kubernetes' objects, independent of any proxy; nginx.h writes it as a configuration.
// Every choice between objects, and every fault in one, is handled here. Pure; any thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/kube/objects.h"

namespace podlane::control {

/// Where requests go: a Service's address, or nowhere (answered 503).
struct IngressTarget {
    std::string address;  ///< "10.96.0.10:80", "[fd00::a]:80"; "" if there is none
    std::string origin;   ///< "Ingress default/shop, Service web": for people

    friend bool operator==(const IngressTarget&, const IngressTarget&) = default;
};

/// A certificate with its key, and the file that they are to be in.
struct IngressKeyPair {
    std::string file;  ///< "default.shop-0123456789abcdef.pem": changes with its contents
    std::string pem;   ///< the chain and the key

    friend bool operator==(const IngressKeyPair&, const IngressKeyPair&) = default;
};

/// One host and its paths.
struct IngressHost {
    std::string name;                             ///< may begin with "*."; "" = every other host
    std::map<std::string, IngressTarget> exact;   ///< by the whole path, percent-decoded
    std::map<std::string, IngressTarget> prefix;  ///< by elements; no / at the end, "" = all
    std::optional<IngressTarget> fallback;        ///< where no path matches; none: answered 404
    std::string key_pair;                         ///< file of `key_pairs`; "" = no TLS

    /// Where a request for `path`, percent-decoded, goes; none: answered 404. Exact before prefix,
    /// then the longest (kubernetes.io/docs/concepts/services-networking/ingress, "Multiple
    /// matches").
    [[nodiscard]] const IngressTarget* find(std::string_view path) const;
};

struct IngressPlan {
    std::vector<IngressHost> hosts;  ///< by name; the first is always "", every other host
    std::vector<IngressKeyPair> key_pairs;
    std::vector<std::string> warnings;      ///< what is not served as requested, one line each
    std::vector<NamespacedName> ingresses;  ///< of this class, the older first
};

/// Plans the Ingresses of a class among `objects`, with the Services, Secrets and IngressClasses in
/// it. Ingresses without a class are included unless another class is the cluster's default.
[[nodiscard]] IngressPlan plan_ingresses(const std::vector<Object>& objects,
                                         std::string_view class_name);

}  // namespace podlane::control
