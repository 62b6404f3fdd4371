// NetworkPolicy as Kubernetes documents it, computed from the objects themselves: no sets, no
// state, all objects are examined for each question.
#pragma once

#include <vector>

#include "control/compile/topology.h"
#include "control/kube/store.h"

namespace podlane::control::test {

/// A packet that begins a connection. Ports in host order.
struct PolicyQuestion {
    IpAddress src, dst;
    uint8_t protocol = 6;
    uint16_t dst_port = 0;
    bool from_node = false;
};

/// The model's input.
struct PolicyWorld {
    const ObjectStore& store;
    const std::vector<PodPort>& local;  ///< pods with a port here
    std::vector<IpAddress> dns;
};

/// Only a local pod that some policy selects restricts packets; others let everything pass.
[[nodiscard]] bool model_allows(const PolicyWorld& world, const PolicyQuestion& question);
/// Whether a policy selects the local pod with this address.
[[nodiscard]] bool model_polices(const PolicyWorld& world, const IpAddress& address);

}  // namespace podlane::control::test
