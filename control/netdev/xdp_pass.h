// The smallest XDP program: it passes every frame to the stack.
//
// Only its presence matters: while a veth has one, the kernel at the other end segments TCP frames
// to the MTU before it sends them (drivers/net/veth.c, veth_fix_features), instead of passing 64 kB
// at once, which a packet socket's ring would truncate.
#pragma once

#include "control/netdev/unique_fd.h"
#include "lib/base/result.h"

namespace podlane::control {

/// Attaches the program in the driver; it goes when the descriptor is closed, also by a crash.
[[nodiscard]] Result<UniqueFd> attach_xdp_pass(int ifindex);

}  // namespace podlane::control
