// Reduces the running process's privileges to the capabilities that it uses, with no way to regain
// others.
//
// The composition root calls it when all devices are open, before it says that it is ready.
#pragma once

#include <cstdint>

#include "lib/base/result.h"

namespace podlane::control {

/// What the uplinks' devices are, as far as reopening them when they return needs capabilities.
struct DeviceNeeds {
    bool kernel_interface = false;  ///< an interface shared with the kernel
    bool uio_nic = false;           ///< a NIC behind a uio driver: physical addresses
};

/// The capabilities that podlaned needs while it runs, for its host's kernel and its devices. Bits
/// are numbered as in linux/capability.h.
[[nodiscard]] uint64_t kept_capability_bits(DeviceNeeds needs) noexcept;
/// The capabilities that the process that attaches pods needs.
[[nodiscard]] uint64_t attaching_capability_bits() noexcept;

/// From here on neither this thread nor those that it starts gain privileges by executing a file.
/// Before any thread is started.
[[nodiscard]] Result<void> forbid_new_privileges();

/// Takes all capabilities except `kept` from every thread of the process, and from the bounding set
/// of this one. Threads that had fewer do not get more. Waits for each thread, at most half a
/// second.
[[nodiscard]] Result<void> drop_capabilities(uint64_t kept);

}  // namespace podlane::control
