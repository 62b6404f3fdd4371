// The page's answers as JSON: the node's state, its numbers, and one item's connections.
//
// control/show writes rows and counters as everywhere else; this file combines them.
// control/daemon/page.cc fills the views, on the control thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "control/show/node_stats.h"
#include "control/show/rows.h"
#include "control/show/views.h"
#include "lib/model/snapshot.h"

namespace podlane::control {

/// The NetworkPolicies that select a pod, "namespace/name"; sorted.
struct PolicyNames {
    std::vector<std::string> ingress, egress;
};

/// For ports of pods that any policy selects; by the port's name.
[[nodiscard]] std::map<std::string, PolicyNames> policies_by_port(
    const Snapshot& snapshot, const std::vector<PortRow>& ports);

/// What changes seldom.
struct PageNode {
    HealthReport health;
    Listing ports, neighbours, routes;  ///< of routes, those to other nodes and by default
    Listing frontends;                  ///< of the Services that the page shows
    std::map<std::string, PolicyNames> policies;
};

/// All counters at one moment.
struct PageNumbers {
    uint64_t at_ms = 0;  ///< of a monotonic clock
    NodeStats stats;
    PeerReport peers;
    size_t services = 0;  ///< all that there are, shown or not
};

/// Details of one item: connections, and frontends if it is a Service.
struct PageThing {
    Listing flows, frontends;
};

/// With the stages of the packet's way, and each reason for a drop.
[[nodiscard]] nlohmann::ordered_json to_json(const PageNode& node);
[[nodiscard]] nlohmann::ordered_json to_json(const PageNumbers& numbers);
[[nodiscard]] nlohmann::ordered_json to_json(const PageThing& thing);

/// Leaves the `most` busiest Services in it; how many there were.
size_t keep_busiest_services(NodeStats& stats, size_t most);

/// Leaves the `most` busiest Nodes in it, and of these only those that had any traffic.
void keep_busiest_peers(PeerReport& report, size_t most);

/// Leaves at most `most` rows of a listing, and notes how many there were.
void cut_rows(Listing& listing, size_t most);

}  // namespace podlane::control
