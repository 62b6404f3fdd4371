// Words of packets and addresses, as every face shows them.
//
// Pure functions; any thread.
#pragma once

#include <cstdint>
#include <string>

#include "lib/base/ip_address.h"

namespace podlane::control {

/// "TCP", "UDP", "SCTP", "ICMP", "ICMPv6", or the number.
[[nodiscard]] std::string protocol_text(uint8_t protocol);
/// "10.0.0.1:80"; the address alone when `port` (host order) is 0.
[[nodiscard]] std::string endpoint_text(const IpAddress& address, uint16_t port);

}  // namespace podlane::control
