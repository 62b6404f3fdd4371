// What flannel's nodes must know of this one: its VTEP, as the annotations that flannel reads.
//
// The socket's method `flannel` answers with it; a pure function of the configuration.
#pragma once

#include "control/config/node_config.h"
#include "control/show/answers.h"
#include "control/show/outcome.h"

namespace podlane::control {

/// Refused where the overlay is no VXLAN.
[[nodiscard]] Outcome<FlannelFacts> flannel_facts(const NodeConfig& config);

}  // namespace podlane::control
