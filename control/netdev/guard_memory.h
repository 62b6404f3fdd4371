// What a guarded interface had before (kernel_guard.h), in a file: a podlaned that is killed cannot
// restore it; the next one, or `podlaned --give-back`, does.
//
// The file is valid only for this boot, and lies beside the config socket. Control thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "control/netdev/link_objects.h"
#include "lib/base/mac.h"
#include "lib/base/result.h"

namespace podlane::control {

struct GuardMemory {
    std::string ifname;
    int ifindex = 0;      ///< another interface of that name must not get these settings,
    MacAddress mac{};     ///< but the same NIC may have been gone for a while
    LinkObjects objects;  ///< that were taken off it, or name it
    std::string host;     ///< the host interface that has the like of them now; "": none
    std::string owner;    ///< of the host interface, see kept_tap.h
    std::vector<std::pair<std::string, std::string>> sysctls;  ///< path, value
    std::vector<std::pair<uint32_t, uint32_t>> features;       ///< ETHTOOL_S* command, value
    bool set_up = false;                                       ///< it was down
    bool promiscuous = false;  ///< it was, before the device was opened
    bool programs = false;     ///< its ingress is ours, and is to be removed

    friend bool operator==(const GuardMemory&, const GuardMemory&) = default;
};

/// Rewrites the file atomically; creates its folder if needed.
[[nodiscard]] Result<void> save_guard_memory(const std::string& path, const GuardMemory& memory);

/// None if there is no file, or it is of an earlier boot. An Error if it has other contents.
[[nodiscard]] Result<std::optional<GuardMemory>> load_guard_memory(const std::string& path);

}  // namespace podlane::control
