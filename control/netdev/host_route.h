// Routes of the node's own kernel to single addresses by the host interface, for whoever reads the
// kernel's table: a BGP speaker finds load balancer addresses there. Control thread; root is
// needed.
#pragma once

#include <cstdint>
#include <string>

#include "lib/base/ip_address.h"
#include "lib/base/result.h"

namespace podlane::control {

/// By this number (`proto 96` in `ip route`) a BGP speaker knows our routes from others. It is none
/// of those in iproute2's rt_protos.
inline constexpr uint8_t kRouteProtocol = 96;

/// Makes the main table have a route to `address` by `ifname`, or have none; nothing happens where
/// it is so already. Its source is the interface's first address of the family; without any, there
/// is no route. It goes with the interface, however that ends.
[[nodiscard]] Result<void> set_host_route(const std::string& ifname, const IpAddress& address,
                                          bool there);

}  // namespace podlane::control
