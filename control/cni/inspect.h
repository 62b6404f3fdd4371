// Checks in a container's network namespace whether an interface is as ADD has set it up.
//
// plugin.cc calls it for CHECK. It reads the kernel's state of that namespace and changes nothing.
#pragma once

#include <set>
#include <string>

#include "lib/base/ip_address.h"
#include "lib/base/mac.h"
#include "lib/base/result.h"

namespace podlane::cni {

struct SeenInterface {
    bool up = false;
    MacAddress mac{};
    std::set<IpAddress> addresses;
    std::set<IpAddress> default_gateways;  ///< of default routes by this interface
};

/// An Error when the namespace cannot be entered or has no such interface.
[[nodiscard]] Result<SeenInterface> inspect_interface(const std::string& netns,
                                                      const std::string& ifname);

/// An Error if the namespace does not exist, or is our own: a container on the node's network has
/// no interface of ours.
[[nodiscard]] Result<void> check_foreign_namespace(const std::string& netns);

}  // namespace podlane::cni
