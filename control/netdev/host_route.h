// Routes in the node's own kernel to single addresses through the host interface, for readers of
// the kernel's table: a BGP speaker finds load balancer addresses there. Control thread; root is
// needed.
#pragma once

#include <cstdint>
#include <string>

#include "lib/base/ip_address.h"
#include "lib/base/result.h"

namespace podlane::control {

/// This number (`proto 96` in `ip route`) marks our routes for a BGP speaker. It is not used in
/// iproute2's rt_protos.
inline constexpr uint8_t kRouteProtocol = 96;

/// Adds a route to `address` by `ifname` to the main table, or removes it; does nothing if that is
/// the case already. Its source is the interface's first address of the family; without one, there
/// is no route. The route goes away with the interface, however that ends.
[[nodiscard]] Result<void> set_host_route(const std::string& ifname, const IpAddress& address,
                                          bool there);

}  // namespace podlane::control
