// Frontends at the node's own addresses, in the form for its kernel: packets from a process on the
// node to them must reach the workers (control/netdev/host_rules.h). Control thread.
#pragma once

#include <set>

#include "control/compile/services.h"
#include "control/netdev/host_rules.h"
#include "lib/model/snapshot.h"

namespace podlane::control {

/// NodePorts at the addresses that have them, host ports at all or at theirs, load balancer and
/// external addresses that are the node's. Of 127.0.0.0/8, host ports alone: a NodePort there is
/// not served, as with kube-proxy's nftables mode.
[[nodiscard]] std::set<HostRule> own_frontends(const ServiceCompiler& services,
                                               const Snapshot& snapshot);

}  // namespace podlane::control
