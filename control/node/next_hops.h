// Next hops in an operator's words: which address it is, and whose.
//
// For explain and health. Control thread.
#pragma once

#include <string>

#include "control/kube/store.h"
#include "control/node/live_view.h"
#include "lib/base/ip_address.h"

namespace podlane::control {

/// "192.168.50.2 (Node node-b)" if a Node has this address, else the address alone.
[[nodiscard]] std::string address_with_node(const ObjectStore& store, const IpAddress& address);

/// Whether a Node has this address.
[[nodiscard]] bool is_node(const ObjectStore& store, const IpAddress& address);

/// The next hop on `port` by which packets to `destination` should go and that has no MAC address
/// now: "the next hop 192.168.50.2 (Node node-b) on uplink0"; without the address if none is known
/// to be waited for.
[[nodiscard]] std::string silent_next_hop(const LiveView& live, const PortNames& names, PortId port,
                                          const IpAddress& destination);

}  // namespace podlane::control
