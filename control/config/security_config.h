// The configuration's section `security`: what podlaned forbids itself.
//
// The composition root alone reads it; load_node_config() has checked it with the rest. Control
// thread.
#pragma once

#include <sys/types.h>

#include <string>

#include "control/document/fields.h"
#include "lib/base/result.h"

namespace podlane::control {

struct SecurityConfig {
    bool seccomp = true;  ///< threads make the system calls of a list, and no others
    /// A group's name or number: processes with it as primary group may read TLS keys. Empty: only
    /// root.
    std::string keys;
};

/// Of the section, null where there is none.
[[nodiscard]] SecurityConfig read_security(const Value* section, Problems& problems);

/// From a configuration that load_node_config() has accepted.
[[nodiscard]] Result<SecurityConfig> load_security_config(const std::string& path);

/// The number of the group `keys`, which is not empty; an error if there is none of the name.
[[nodiscard]] Result<gid_t> keys_group(const SecurityConfig& security);

/// A line for `podlaned --check`.
[[nodiscard]] std::string describe(const SecurityConfig& security);

}  // namespace podlane::control
