// What probes answer, as JSON for the config socket (docs/rpc.md).
//
// The socket's bindings call it, on the control thread.
#pragma once

#include <nlohmann/json.hpp>

#include "control/show/probe_view.h"

namespace podlane::control {

[[nodiscard]] nlohmann::ordered_json to_json(const ProbeStarted& started);
[[nodiscard]] nlohmann::ordered_json to_json(const ProbeView& view);

}  // namespace podlane::control
