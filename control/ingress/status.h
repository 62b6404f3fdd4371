// What a controller would write into the status of Ingresses: the addresses of the Service in front
// of the proxy.
//
// `podlanectl ingress status` prints it, podlane-kube writes it. Pure; any thread.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>
#include <vector>

#include "control/kube/objects.h"
#include "lib/base/result.h"

namespace podlane::control {

/// The addresses at which a Service, as `get services` shows it, is reached from outside: those of
/// its load balancer, else its externalIPs. An array in the form of status.loadBalancer.ingress.
[[nodiscard]] nlohmann::ordered_json outside_addresses(const nlohmann::ordered_json& service);

/// Which Ingresses of the method ingress.objects' `items` the class serves, the older first.
[[nodiscard]] Result<std::vector<NamespacedName>> ingresses_of_class(
    const nlohmann::ordered_json& items, std::string_view class_name);

}  // namespace podlane::control
