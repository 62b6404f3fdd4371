// Questions to the cluster's DNS table that no packet brought.
//
// Used by `resolve` and by `explain`; control thread.
#pragma once

#include <string_view>
#include <vector>

#include "lib/base/ip_address.h"
#include "lib/dns/answer.h"
#include "lib/dns/zone.h"

namespace podlane::control {

/// A query of class IN for a name in wire form, recursion desired.
[[nodiscard]] DnsQuery dns_question(std::string_view wire, uint16_t type);

/// The zone's answer for a cluster name: whether the name exists, and its addresses of one family.
struct DnsAddresses {
    bool is_elsewhere = false;  ///< upstream would be asked
    bool exists = false;
    std::vector<IpAddress> addresses;
};
[[nodiscard]] DnsAddresses dns_addresses(const DnsZone& zone, std::string_view wire, bool is_v6);

}  // namespace podlane::control
