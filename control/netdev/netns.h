// Runs code inside another network namespace without ever moving the calling thread.
//
// The makers of pod TAPs call it; control thread. The work runs on a thread that exists only for
// that call, so that no other thread can end up in the wrong namespace, whatever fails.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "control/netdev/unique_fd.h"
#include "lib/base/result.h"

namespace podlane::control {

/// Identifies a network namespace among those that exist. Zeros: none.
struct NetnsId {
    uint64_t device = 0;
    uint64_t inode = 0;
    friend bool operator==(const NetnsId&, const NetnsId&) = default;
};

/// The namespace at the path now; zeros if there is none, or it may not be seen. `is_hidden`, if
/// not null: whether this process lacks the right to look.
[[nodiscard]] NetnsId netns_id(const std::string& path, bool* is_hidden = nullptr) noexcept;

/// Opens the network namespace at the path, and nothing else that may be there: a file that is no
/// namespace is not opened at all. Errors name the path.
[[nodiscard]] Result<UniqueFd> open_network_namespace(const std::string& path);

/// Runs `work` inside the network namespace at `path` ("/run/netns/x", "/proc/PID/ns/net"; empty:
/// the caller's own) and returns what it returns. Blocks until it is done. While it runs,
/// /proc/thread-self/net and /proc/sys/net show that namespace. Errors of entering name the path.
[[nodiscard]] Result<void> in_network_namespace(const std::string& path,
                                                const std::function<Result<void>()>& work);

/// A new network namespace that has only `lo`, which is down. It lives as long as the descriptor, a
/// socket in it or a process is open; namespace_path() names it to others here.
[[nodiscard]] Result<UniqueFd> new_network_namespace();
/// A path to the namespace behind the descriptor, good within this process while that is open.
[[nodiscard]] std::string namespace_path(const UniqueFd& netns);

}  // namespace podlane::control
