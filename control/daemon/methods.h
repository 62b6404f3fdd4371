// The config socket's methods: which call of the node model each name stands for.
//
// The daemon registers them once, before its socket opens; control thread.
#pragma once

#include <string>

#include "control/daemon/watchers.h"
#include "control/node/node_model.h"
#include "control/rpc/methods.h"

namespace podlane::control {

/// Puts the node's answers behind the methods of docs/rpc.md. `node` and `watchers` must outlive
/// `methods`.
/// `dpdk`: what `version` says of DPDK.
void register_methods(RpcMethods& methods, NodeModel& node, Watchers& watchers,
                      const std::string& dpdk);

/// The same for the socket that only reads: methods that change something, or that give Secrets
/// away, refuse.
void register_reading_methods(RpcMethods& methods, NodeModel& node, Watchers& watchers,
                              const std::string& dpdk);

}  // namespace podlane::control
