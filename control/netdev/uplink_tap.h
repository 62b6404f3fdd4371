// A TAP beside a NIC that stays with the kernel: workers read and write the TAP, and programs on
// both devices pass frames between them (docs/decisions/kernel-uplink.md).
//
// The process that attaches pods calls this, in the namespace of podlaned. The TAP is called pluN,
// with N the NIC's index; it has no addresses, and ends with its queues.
#pragma once

#include <functional>
#include <string>

#include "control/netdev/kept_tap.h"
#include "lib/base/mac.h"
#include "lib/base/result.h"

namespace podlane::control {

/// Puts the programs on both devices, of which the TAP is up and nobody writes it yet.
using ConnectNic = std::function<Result<void>(int nic, int tap, const MacAddress& mac)>;

/// Makes the TAP; waits up to half a second for a killed process to let go of its own.
/// KeptTap::ifindex is the NIC's. Errors name the NIC.
[[nodiscard]] Result<KeptTap> make_uplink_tap(const std::string& nic, uint16_t mtu, unsigned queues,
                                              const std::string& owner, const ConnectNic& connect);

}  // namespace podlane::control
