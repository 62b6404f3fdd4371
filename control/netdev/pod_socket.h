// What a pod of DPDK's has in place of a kernel interface: a Unix socket of memif or vhost-user in
// a folder of its own, which its containers mount, and a device of podlaned's behind it.
//
// The node model makes one for pod.add. Control thread only; a few system calls each.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/result.h"

namespace podlane::control {

enum class PodInterface : uint8_t { kTap, kMemif, kVhostUser };

/// "tap", "memif", "vhostUser".
[[nodiscard]] std::string_view to_string(PodInterface kind) noexcept;
[[nodiscard]] std::optional<PodInterface> pod_interface(std::string_view word) noexcept;

struct PodSocket {
    PodInterface kind = PodInterface::kTap;  ///< kTap: there is no socket, and `path` is empty
    std::string path;
    uint32_t user = 0, group = 0;  ///< who may connect to it, beside root

    friend bool operator==(const PodSocket&, const PodSocket&) = default;
    [[nodiscard]] bool is_socket() const noexcept { return kind != PodInterface::kTap; }
};

/// FOLDER/NAMESPACE/NAME/IFNAME.sock: of the pod, not of its sandbox, so that a Pod object can say
/// what to mount.
[[nodiscard]] std::string pod_socket_path(const std::string& folder, const std::string& pod,
                                          const std::string& ifname);

/// DPDK's arguments for the device; `number` is its own among the process's.
[[nodiscard]] std::string pod_socket_device(const PodSocket& socket, unsigned number);

/// Makes the folders above the socket, which are root's, and removes a socket that a process before
/// this one left. Anything else that stands there is an error.
[[nodiscard]] Result<void> make_way_for_socket(const PodSocket& socket);
/// Lets the pod's user and group, beside root, connect to the socket, which the device has made.
[[nodiscard]] Result<void> hand_over_socket(const PodSocket& socket);
/// Removes the socket, and its folders as far as they are empty then.
void remove_socket(const PodSocket& socket) noexcept;

}  // namespace podlane::control
