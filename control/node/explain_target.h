// Where the packet of `explain` is addressed: an address, a Service or pod, or a name of the
// cluster's DNS.
//
// Used by explain_question.cc alone; control thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "control/kube/store.h"
#include "lib/base/ip_address.h"
#include "lib/base/result.h"
#include "lib/dns/zone.h"

namespace podlane::control {

struct ExplainTarget {
    std::vector<IpAddress> addresses;  ///< at least one; the first of the sender's family counts
    std::optional<uint16_t> port;      ///< host order
};

/// Parses "10.96.0.10:80", "[fd00::a]:80", "10.96.0.10", "shop/web:80", "shop/web:http", "shop/web"
/// (if it has only one port, or none is wanted) and "web.shop.svc.cluster.local:80", also
/// "web.shop:80" and the like, which a pod's resolver completes by its search domains. `zone`: null
/// if DNS is off. `sender_namespace`: "" if the sender is not a pod. `wants_port`: the protocol has
/// ports.
[[nodiscard]] Result<ExplainTarget> resolve_target(const ObjectStore& store, const DnsZone* zone,
                                                   std::string_view sender_namespace,
                                                   std::string_view text, bool wants_port);

}  // namespace podlane::control
