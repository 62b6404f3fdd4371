// Decides which Services have series of their own in a scrape: at most a given number, and always
// the same ones.
//
// The node asks it for each scrape, control thread. If there are no more Services than series, each
// Service has its own from the beginning; otherwise a Service gets one with its first connection,
// while there are some left. It keeps that series while it exists; the connections of the others
// are counted together. No counter ever decreases.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "control/metrics/node_metrics.h"

namespace podlane::control {

class ServiceSeries {
  public:
    explicit ServiceSeries(size_t most) : most_(most) {}

    /// Puts the series for `all`, the present Services, into `out`.
    void divide(std::vector<ServiceMetrics> all, NodeMetrics& out);

  private:
    using Name = std::pair<std::string, std::string>;  // namespace, name

    const size_t most_;
    std::set<Name> shown_;
    std::map<Name, uint64_t> others_;  ///< connections that are in others_total_
    uint64_t others_total_ = 0;
};

}  // namespace podlane::control
