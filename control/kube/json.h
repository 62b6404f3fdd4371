// Objects as JSON in Kubernetes' own shape, with the fields that we keep: `get KIND -o json|yaml`.
//
// Control thread only. What it prints, parse_objects() reads back to an equal object, but for
// Secrets, whose contents it keeps to itself.
#pragma once

#include <nlohmann/json.hpp>

#include "control/kube/objects.h"

namespace podlane::control {

[[nodiscard]] nlohmann::ordered_json to_json(const Node& node);
[[nodiscard]] nlohmann::ordered_json to_json(const Pod& pod);
[[nodiscard]] nlohmann::ordered_json to_json(const Namespace& name_space);
[[nodiscard]] nlohmann::ordered_json to_json(const Service& service);
[[nodiscard]] nlohmann::ordered_json to_json(const EndpointSlice& slice);
[[nodiscard]] nlohmann::ordered_json to_json(const Endpoints& endpoints);
[[nodiscard]] nlohmann::ordered_json to_json(const NetworkPolicy& policy);
[[nodiscard]] nlohmann::ordered_json to_json(const Ingress& ingress);
[[nodiscard]] nlohmann::ordered_json to_json(const IngressClass& ingress_class);
/// The sizes of what it holds, in `dataBytes`; not to be applied again.
[[nodiscard]] nlohmann::ordered_json to_json(const Secret& secret);
[[nodiscard]] nlohmann::ordered_json to_json(const Object& object);
/// A Secret with its contents, for the program that serves them.
[[nodiscard]] nlohmann::ordered_json whole_secret_json(const Secret& secret);

}  // namespace podlane::control
