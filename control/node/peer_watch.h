// The traffic from and to each other Node, counted while somebody looks: the page, `top`.
//
// The node model owns it and calls it as time passes; control thread. Workers count by the Nodes'
// numbers (lib/telemetry/peer_counts.h); names and beginnings are kept here.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "control/show/node_stats.h"
#include "lib/border/dataplane.h"
#include "lib/model/ingress.h"

namespace podlane::control {

class PeerWatch {
  public:
    /// After this long without a call of report(), counting stops.
    static constexpr uint64_t kLookMs = 10'000;

    explicit PeerWatch(Dataplane& dataplane) : dataplane_(dataplane) {}
    /// Workers do not count any more.
    ~PeerWatch();
    PeerWatch(const PeerWatch&) = delete;
    PeerWatch& operator=(const PeerWatch&) = delete;

    /// What was counted of each of these Nodes since it is known here. Counting starts with the
    /// first call. `now_ms`: of a monotonic clock.
    [[nodiscard]] PeerReport report(const std::map<std::string, NodeNumber>& nodes,
                                    uint64_t now_ms);
    void tick(uint64_t now_ms);

  private:
    /// A Node, and what had been counted of its number before it was known.
    struct Known {
        NodeNumber number{};
        PeerTraffic before;
    };

    Dataplane& dataplane_;
    std::map<std::string, Known> known_;
    bool is_on_ = false;
    uint64_t on_since_ms_ = 0;
    uint64_t looked_ms_ = 0;   ///< time of the last call
    uint64_t counted_ms_ = 0;  ///< milliseconds: how long it was on before it was last switched on
};

}  // namespace podlane::control
