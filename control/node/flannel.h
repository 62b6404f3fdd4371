// What flannel nodes must know about this one: its backend, and its VTEP if it has one, as the
// annotations that flannel reads.
//
// The socket's method `flannel` answers with it; a pure function of the configuration.
#pragma once

#include "control/config/node_config.h"
#include "control/show/answers.h"

namespace podlane::control {

[[nodiscard]] FlannelFacts flannel_facts(const NodeConfig& config);

}  // namespace podlane::control
