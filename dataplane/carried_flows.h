// Connections for the kernel to carry: what they say, and what it has carried of them.
#pragma once

#include <optional>

#include "lib/base/quiescent.h"
#include "lib/border/carried.h"
#include "lib/flow/table.h"
#include "lib/model/snapshot.h"
#include "lib/telemetry/peer_counts.h"

namespace podlane::dataplane {

/// Threads: one, which owns the domain's slot `reader`; online for the life of the object.
class CarriedFlows {
  public:
    /// `snapshot`: the live one.
    CarriedFlows(FlowTable<V4>& v4, FlowTable<V6>& v6, QuiescentDomain& domain, unsigned reader,
                 const Snapshot& snapshot)
        : v4_(v4), v6_(v6), online_(domain, reader), snapshot_(snapshot) {}

    /// See Dataplane::flow_to_carry().
    [[nodiscard]] std::optional<CarriedFlow> find(FlowRef flow) const;
    /// See Dataplane::note_carried(). `peers`: where other Nodes' traffic is counted; null:
    /// nowhere.
    bool note(FlowRef flow, const CarriedTraffic& traffic, PeerCounts::Row* peers = nullptr);

  private:
    template <Family F>
    [[nodiscard]] std::optional<CarriedFlow> find_in(const FlowTable<F>& table, FlowRef flow) const;
    template <Family F>
    bool note_in(FlowTable<F>& table, FlowRef flow, const CarriedTraffic& traffic,
                 PeerCounts::Row* peers);

    FlowTable<V4>& v4_;
    FlowTable<V6>& v6_;
    QuiescentReader online_;
    const Snapshot& snapshot_;
};

}  // namespace podlane::dataplane
