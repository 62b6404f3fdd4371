// Addresses and CIDRs as the API server and kube-proxy read them (k8s.io/utils/net, ParseIPSloppy
// and ParseCIDRSloppy), which accept more than a configuration file may contain.
//
// Leading zeros are decimal: 10.96.0.011 is 10.96.0.11 (objects stored before CVE-2021-29923 must
// remain readable). An IPv4-mapped IPv6 address, ::ffff:10.244.1.9, is the IPv4 address. A CIDR's
// host bits are cleared. The readers of the kinds call it; pure functions, any thread.
#pragma once

#include <optional>
#include <string_view>

#include "lib/base/ip_address.h"

namespace podlane::control {

[[nodiscard]] std::optional<IpAddress> parse_ip_sloppily(std::string_view text);
/// "10.244.01.5/024" is 10.244.1.0/24, ::ffff:10.0.0.0/104 is 10.0.0.0/8.
[[nodiscard]] std::optional<IpPrefix> parse_cidr_sloppily(std::string_view text);

}  // namespace podlane::control
