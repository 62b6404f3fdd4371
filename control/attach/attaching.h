// The work of the process that attaches pods: it alone enters their network namespaces.
//
// It is forked before podlaned starts a thread, and keeps the capabilities that podlaned gives up.
// What it does is what wire.h can say: make, keep, take back and remove pods' interfaces, and tell
// which namespace stands at a path. It ends with the other end of its socket.
#pragma once

#include <string>

namespace podlane::control {

/// Requests that are worked on at once: most of it is waiting for the kernel.
inline constexpr int kAttachedAtOnce = 8;

/// Answers requests until the other end of the socket is closed, or says what is no request; then
/// ends the process. `owner`: the node's name.
[[noreturn]] void attach_pods(int socket, const std::string& owner);

}  // namespace podlane::control
