// What a guarded interface had before (kernel_guard.h), in a file: a podlaned that is killed gives
// nothing back itself; the next one, or `podlaned --give-back`, does.
//
// The file is of this boot alone, beside the config socket. Control thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "control/netdev/rtnl.h"
#include "lib/base/ip_address.h"
#include "lib/base/result.h"

namespace podlane::control {

struct GuardMemory {
    int ifindex = 0;  ///< another interface of that name has nothing of this
    std::vector<InterfaceAddress> addresses;  ///< that were taken off it, in their order
    std::vector<KernelRoute> routes;          ///< and what led out of it
    std::vector<std::pair<std::string, std::string>> sysctls;  ///< path, value
    std::vector<std::pair<uint32_t, uint32_t>> features;       ///< ETHTOOL_S* command, value
    bool set_up = false;                                       ///< it was down

    friend bool operator==(const GuardMemory&, const GuardMemory&) = default;
};

/// Writes the file anew, whole or not at all; its folder is made.
[[nodiscard]] Result<void> save_guard_memory(const std::string& path, const GuardMemory& memory);

/// None where there is no file. An Error for one that holds something else.
[[nodiscard]] Result<std::optional<GuardMemory>> load_guard_memory(const std::string& path);

}  // namespace podlane::control
