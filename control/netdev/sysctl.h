// Reading and writing kernel settings under /proc/sys, for the network namespace of the thread.
#pragma once

#include <string>

#include "lib/base/result.h"

namespace podlane::control {

/// The path of a per-interface setting, such as family "ipv4", "eth1", "rp_filter".
[[nodiscard]] std::string interface_sysctl(const std::string& family, const std::string& ifname,
                                           const std::string& key);
/// The value without its newline.
[[nodiscard]] Result<std::string> read_sysctl(const std::string& path);
[[nodiscard]] Result<void> write_sysctl(const std::string& path, const std::string& value);

}  // namespace podlane::control
