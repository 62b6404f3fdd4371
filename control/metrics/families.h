// The metrics of a node: their names, and the text of a scrape. docs/metrics.md lists them.
//
// The daemon calls it for a request; control thread.
#pragma once

#include <string>
#include <string_view>

#include "control/metrics/exposition.h"
#include "control/metrics/node_metrics.h"

namespace podlane::control {

/// What does not change while the process lives.
struct BuildInfo {
    std::string_view version;
    std::string_view dpdk;
};

/// All of the node's numbers, in the order of their names' table.
[[nodiscard]] std::string metrics_text(const NodeMetrics& node, const BuildInfo& build,
                                       MetricsFormat format);

}  // namespace podlane::control
