// Sums of what the workers count, as typed values: `stats`, `drops`.
//
// Called by the node, control thread; reads the workers' counters without disturbing them.
#pragma once

#include <cstdint>
#include <map>

#include "control/dns/name_server.h"
#include "control/node/live_view.h"
#include "control/show/node_stats.h"

namespace podlane::control {

/// All but `dns`.
[[nodiscard]] NodeStats node_stats(const LiveView& live);
[[nodiscard]] DropStats drop_stats(const Dataplane& dataplane);
[[nodiscard]] SnatStats snat_stats(const Dataplane& dataplane);
/// `server` may be null.
[[nodiscard]] DnsStats dns_stats(const Dataplane& dataplane, const NameServer* server);
/// What each destination was refused for want of a source port, by all workers.
[[nodiscard]] std::map<SnatTarget, uint64_t> snat_refusals(const Dataplane& dataplane);

}  // namespace podlane::control
