// A change of a Kubernetes object in one line: what of it is another than before.
//
// For the journal of news (control/node/watch.cc). Pure functions, control thread.
#pragma once

#include <optional>
#include <string>

#include "control/kube/store.h"
#include "control/show/news.h"

namespace podlane::control {

/// "added", "changed: ports, selector", "changed: +10.244.1.7:8080 -10.244.1.6:8080", "deleted".
[[nodiscard]] std::string change_text(const Change& change);

/// "namespace/name" of the Service to which an object with endpoints belongs; empty for other
/// objects.
[[nodiscard]] std::string endpoints_service(const Change& change);

}  // namespace podlane::control
