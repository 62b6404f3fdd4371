// The smallest XDP program: every frame goes on to the stack.
//
// What it does is not the point, its presence is: while a veth has one, the kernel at the other
// end segments TCP frames to the MTU before it sends them (drivers/net/veth.c, veth_fix_features),
// instead of passing 64 kB at once, which a packet socket's ring would cut off.
#pragma once

#include "control/netdev/unique_fd.h"
#include "lib/base/result.h"

namespace podlane::control {

/// Attaches the program in the driver; it goes when the descriptor is closed, also by a crash.
[[nodiscard]] Result<UniqueFd> attach_xdp_pass(int ifindex);

}  // namespace podlane::control
