// Objects as JSON in Kubernetes' own shape, with the fields that we keep: `get KIND -o json|yaml`.
//
// Control thread only. parse_objects() reads the output back to an equal object, except for
// Secrets, because their contents are not printed.
#pragma once

#include <nlohmann/json.hpp>

#include "control/kube/objects.h"
#include "lib/border/bandwidth.h"

namespace podlane::control {

// For each kind. For a Secret it prints only the sizes of its data, in `dataBytes`; that cannot be
// applied again.
#define PODLANE_PRINTER(type, ...) [[nodiscard]] nlohmann::ordered_json to_json(const type& object);
PODLANE_KINDS(PODLANE_PRINTER)
#undef PODLANE_PRINTER
[[nodiscard]] nlohmann::ordered_json to_json(const Object& object);
[[nodiscard]] nlohmann::ordered_json to_json(const ContainerPort& port);
/// With CNI's field names, in bits and bits per second; limits that are not set are left out.
[[nodiscard]] nlohmann::ordered_json to_json(const Bandwidth& limits);
/// A Secret with its contents, for the program that serves them.
[[nodiscard]] nlohmann::ordered_json whole_secret_json(const Secret& secret);

}  // namespace podlane::control
