// The work of the process that attaches pods: it alone enters their network namespaces.
//
// podlaned forks it before starting any thread. It keeps the capabilities that podlaned drops, and
// does only what wire.h can express: make, keep, take back and remove pods' interfaces, and
// identify the namespace at a path. It ends when the other end of its socket closes.
#pragma once

#include <string>

namespace podlane::control {

/// Requests worked on at a time: most of the work is waiting for the kernel.
inline constexpr int kAttachedAtOnce = 8;

/// Answers requests until the other end of the socket closes or sends something that is not a
/// request; then ends the process. `owner`: the node's name.
[[noreturn]] void attach_pods(int socket, const std::string& owner);

}  // namespace podlane::control
