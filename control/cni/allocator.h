// Pods' addresses out of the node's pod CIDRs, for nodes that need no IPAM plugin.
//
// plugin.cc asks it for ADD, DEL, CHECK and GC. An assigned address is a symbolic link ADDRESS ->
// "CONTAINER:IFNAME": name and holder appear in one step, so a killed call leaves either nothing or
// a complete entry, and two calls never get the same address. The holder shows which entries belong
// to calls that died.
#pragma once

#include <chrono>
#include <set>
#include <string>
#include <vector>

#include "control/cni/folder.h"
#include "control/cni/request.h"
#include "lib/base/ip_address.h"

namespace podlane::cni {

class Allocator {
  public:
    /// Keeps its files in `folder`; waits for other calls at most `wait`.
    Allocator(std::string folder, std::chrono::milliseconds wait);

    /// One address out of each of `cidrs`, with its length: those that the holder has already,
    /// those of `wanted`, or the next free ones after the last assigned one, so that a freed
    /// address is not reused while there are others. None of `avoid`. All or nothing; throws
    /// Failure.
    [[nodiscard]] std::vector<InterfaceAddress> take(const Attachment& holder,
                                                     const std::vector<IpPrefix>& cidrs,
                                                     const std::vector<IpAddress>& wanted,
                                                     const std::set<IpAddress>& avoid) const;
    /// What it has; sorted.
    [[nodiscard]] std::vector<IpAddress> held_by(const Attachment& holder) const;
    void release(const Attachment& holder) const;
    /// Each once; sorted.
    [[nodiscard]] std::set<Attachment> holders() const;
    /// Throws Failure when one of the CIDRs has no address left.
    void check_room(const std::vector<IpPrefix>& cidrs) const;

  private:
    [[nodiscard]] InterfaceAddress next(const std::string& holder, const IpPrefix& cidr,
                                        const std::set<IpAddress>& avoid) const;

    Folder folder_;
    std::chrono::milliseconds wait_;
};

/// How many addresses of a CIDR are for pods, from the second after its base on: not the network's,
/// the gateway's and the broadcast address. At most 2^32.
[[nodiscard]] uint64_t pod_addresses_in(const IpPrefix& cidr) noexcept;

}  // namespace podlane::cni
