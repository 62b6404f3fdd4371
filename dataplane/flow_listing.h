// Connections in words, for `get flows`. Control's thread, beside the workers.
#pragma once

#include <functional>

#include "lib/base/quiescent.h"
#include "lib/border/dataplane.h"
#include "lib/flow/table.h"

namespace podlane::dataplane {

/// Calls `visit` for up to `left` live connections and lowers `left` by their number. `reader` is
/// online in `domain` and is quiescent now and then on the way; `now_s` is the worker
/// clock's.
template <Family F>
void list_flows(FlowTable<F>& table, QuiescentDomain& domain, unsigned reader, uint32_t now_s,
                size_t& left, const std::function<void(const FlowInfo&)>& visit);

}  // namespace podlane::dataplane
