// What taking over an interface (kernel_guard.cc) and giving it back (guard_back.cc) share.
// Internal to control/netdev.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "control/netdev/guard_memory.h"
#include "control/netdev/link_objects.h"
#include "control/netdev/rtnl.h"
#include "lib/base/ip_address.h"

namespace podlane::control {

/// Runs one of ethtool's commands that read or write a number; none if the driver lacks it.
std::optional<uint32_t> run_ethtool(const std::string& ifname, uint32_t command, uint32_t value);
[[nodiscard]] bool is_link_local(const LinkRecord& record);
/// Without link-local ones: each interface has its own.
[[nodiscard]] std::vector<InterfaceAddress> addresses_of(const std::vector<LinkRecord>& records);
/// The records of `own` addresses with the link-local ones, which go with them; and the others.
[[nodiscard]] std::pair<std::vector<LinkRecord>, std::vector<LinkRecord>> split_own(
    const std::vector<LinkRecord>& addresses, const std::vector<InterfaceAddress>& own);
/// Adds the record; a lease that was renewed replaces what was known of it.
void keep_newest(std::vector<LinkRecord>& known, const LinkRecord& record);
/// A line for each object, without link-local addresses.
[[nodiscard]] std::vector<std::string> lines_of(const LinkObjects& objects);
/// The interface's accept_ra if its kernel follows router advertisements, else 0: a router takes
/// them with the value 2 only.
[[nodiscard]] int followed_advertisements(const std::string& ifname);
/// The same interface, or the same NIC that was gone and is back.
[[nodiscard]] bool is_memory_of(const GuardMemory& memory, const LinkInfo& link);
[[nodiscard]] std::string joined_addresses(const std::vector<InterfaceAddress>& addresses);

}  // namespace podlane::control
