// What the kernel says of a network interface beyond the files of /sys: offloads, and the programs
// at its TC ingress.
//
// doctor's checks of uplinks that stay with the kernel ask it. Any thread; no rights are needed.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace podlane::control {

struct LinkFacts {
    bool has_gro = false, has_tso = false;
    /// By name, "from_nic:[12]", in the order in which frames come to them.
    std::vector<std::string> ingress;
};

/// None: there is no such interface, or no answer.
[[nodiscard]] std::optional<LinkFacts> link_facts(const std::string& ifname);

}  // namespace podlane::control
