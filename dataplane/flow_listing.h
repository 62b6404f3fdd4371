// Describes connections for `get flows` and `explain`. On the control thread, while workers run.
#pragma once

#include <optional>

#include "lib/base/quiescent.h"
#include "lib/border/dataplane.h"
#include "lib/border/flows.h"
#include "lib/flow/table.h"
#include "lib/model/snapshot.h"

namespace podlane::dataplane {

/// Reads both flow tables as a quiescent reader of its own.
///
/// Threads: one, which owns the domain's slot `reader`; online for the life of the object.
class FlowReader {
  public:
    /// `now_s`: the worker clock's time; `snapshot`: the live one.
    FlowReader(FlowTable<V4>& v4, FlowTable<V6>& v6, QuiescentDomain& domain, unsigned reader,
               uint32_t now_s, const Snapshot& snapshot)
        : v4_(v4),
          v6_(v6),
          domain_(domain),
          id_(reader),
          online_(domain, reader),
          now_s_(now_s),
          snapshot_(snapshot) {}

    [[nodiscard]] std::optional<FlowInfo> find(const FlowTuple& first) const;
    /// See Dataplane::flows().
    [[nodiscard]] FlowPage page(const FlowFilter& filter, size_t limit, FlowCursor from);

  private:
    template <Family F>
    [[nodiscard]] std::optional<FlowInfo> find_in(FlowTable<F>& table,
                                                  const FlowTuple& first) const;
    /// Continues at `block` and leaves there the block to continue at next time, 0 at the end.
    template <Family F>
    void read(FlowTable<F>& table, const FlowFilter& filter, size_t limit, uint32_t& block,
              uint32_t& budget, FlowPage& page);

    FlowTable<V4>& v4_;
    FlowTable<V6>& v6_;
    QuiescentDomain& domain_;
    const unsigned id_;
    QuiescentReader online_;
    const uint32_t now_s_;
    const Snapshot& snapshot_;
};

/// See Dataplane::flow_totals().
[[nodiscard]] FlowTotals total_flows(const FlowTable<V4>& v4, const FlowTable<V6>& v6);

}  // namespace podlane::dataplane
