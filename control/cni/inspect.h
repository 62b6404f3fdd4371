// A look into a container's network namespace: whether an interface is there as ADD has made it.
//
// plugin.cc asks for CHECK. It reads what the kernel shows of that namespace and changes nothing.
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

/// An Error when the namespace is not there, or is the one that we are in: a container with the
/// node's own network has no interface of ours.
[[nodiscard]] Result<void> check_foreign_namespace(const std::string& netns);

}  // namespace podlane::cni
