// What the cluster's DNS did, as JSON: workers and server. Control thread.
#pragma once

#include <nlohmann/json.hpp>

#include "control/dns/name_server.h"
#include "lib/border/dataplane.h"

namespace podlane::control {

/// The `dns` part of what `stats` answers (docs/rpc.md). `server` may be null.
[[nodiscard]] nlohmann::ordered_json dns_stats_json(const Dataplane& dataplane,
                                                    const NameServer* server);

}  // namespace podlane::control
