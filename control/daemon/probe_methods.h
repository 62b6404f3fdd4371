// The config socket's methods that look at what happens: probe.start, probe.read and probe.stop for
// `capture` and `trace`, and events.
#pragma once

#include "control/node/node_model.h"
#include "control/rpc/methods.h"

namespace podlane::control {

/// `node` must outlive `methods`.
void register_probe_methods(RpcMethods& methods, NodeModel& node);

}  // namespace podlane::control
