// The config socket's methods: the call of the node model for each name.
//
// The daemon registers them once, before its socket opens; control thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "control/daemon/watchers.h"
#include "control/node/node_model.h"
#include "control/rpc/methods.h"

namespace podlane::control {

/// Whether this process makes the system calls of a list alone.
enum class SyscallFiltering : uint8_t {
    kOn,
    kOff,      ///< by configuration
    kMissing,  ///< the kernel cannot
};

/// What the methods need to know about the process besides its node; read for each call.
struct ProcessFacts {
    std::string dpdk;              ///< its version
    gid_t keys_group = gid_t(-1);  ///< whose members may read TLS keys, besides root; -1: no group
    SyscallFiltering seccomp = SyscallFiltering::kOff;
    /// Whether the kernel carries what pods say to each other: "on", "off", or why it cannot.
    std::string shortcut = "off";
    bool is_managed = false;  ///< by a service manager that waits for its notifications
};

/// Puts the node's answers behind the methods of docs/rpc.md. `node`, `watchers` and `process` must
/// outlive `methods`.
void register_methods(RpcMethods& methods, NodeModel& node, Watchers& watchers,
                      const ProcessFacts& process);

/// Whether the method ends the node or changes what it keeps across restarts.
[[nodiscard]] bool changes_node(std::string_view method) noexcept;

/// The same for the socket that only reads: methods that change something, or that give TLS keys
/// away, refuse.
void register_reading_methods(RpcMethods& methods, NodeModel& node, Watchers& watchers,
                              const ProcessFacts& process);

}  // namespace podlane::control
