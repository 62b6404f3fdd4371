// A DPDK pod's replacement for a kernel interface: a memif or vhost-user Unix socket in a folder of
// its own, which its containers mount, and podlaned's device behind it.
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
    uint32_t user = 0, group = 0;  ///< may connect to it, as root may

    friend bool operator==(const PodSocket&, const PodSocket&) = default;
    [[nodiscard]] bool is_socket() const noexcept { return kind != PodInterface::kTap; }
};

/// FOLDER/NAMESPACE/NAME/IFNAME.sock. The path depends on the pod, not on its sandbox, so that a
/// Pod object can mount it.
[[nodiscard]] std::string pod_socket_path(const std::string& folder, const std::string& pod,
                                          const std::string& ifname);

/// DPDK's arguments for the device; `number` must be unique in the process.
[[nodiscard]] std::string pod_socket_device(const PodSocket& socket, unsigned number);

/// Makes the folders above the socket, owned by root, and removes a socket that an earlier process
/// left. Anything else at the path is an error.
[[nodiscard]] Result<void> make_way_for_socket(const PodSocket& socket);
/// Lets the pod's user and group connect to the socket, beside root. The device has made the
/// socket.
[[nodiscard]] Result<void> hand_over_socket(const PodSocket& socket);
/// Removes the socket, and its folders if they are empty then.
void remove_socket(const PodSocket& socket) noexcept;

}  // namespace podlane::control
