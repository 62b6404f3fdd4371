// What a pod's interface is made with, as the configuration and the pod's addresses give it.
//
// The node model uses it for new pods and kept ones; the composition root for kept ones, whose
// interfaces it has attached while DPDK starts. Any thread.
#pragma once

#include <optional>
#include <vector>

#include "control/config/node_config.h"
#include "control/keep/keeper.h"
#include "control/netdev/tap.h"
#include "lib/base/ip_address.h"

namespace podlane::control {

/// The node's pod CIDR that has this address; null: none has.
[[nodiscard]] const IpPrefix* pod_cidr_of(const NodeConfig& config, const IpAddress& address);

/// The bridge's addresses for a pod with these, at most one a family.
[[nodiscard]] std::vector<IpAddress> pod_gateways(const NodeConfig& config,
                                                  const std::vector<IpAddress>& addresses);

/// Queues of a TAP for so many workers.
[[nodiscard]] unsigned tap_queues_for(size_t workers) noexcept;

/// The interface of a kept pod as it was made. None: it has a socket in place of one, or an address
/// that is in none of the node's pod CIDRs any more.
[[nodiscard]] std::optional<PodTapRequest> kept_interface(const NodeConfig& config,
                                                          const KeptPod& pod, unsigned queues);

}  // namespace podlane::control
