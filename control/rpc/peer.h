// Who may use the config socket. Asked by the server for each new connection, on the control
// thread.
#pragma once

#include <sys/types.h>

#include <vector>

#include "control/rpc/request.h"
#include "lib/base/result.h"

namespace podlane::control {

/// A peer's identity with all its groups.
struct PeerCredentials {
    RpcPeer peer;
    std::vector<gid_t> groups;  ///< supplementary ones; the primary is peer.gid
};

/// Reads the identity that the peer of a connected Unix socket had when it connected
/// (SO_PEERCRED, SO_PEERGROUPS).
[[nodiscard]] Result<PeerCredentials> peer_credentials(int socket_fd);

/// Root, `own_uid`, and members of `socket_gid` may.
[[nodiscard]] bool is_allowed(const PeerCredentials& who, uid_t own_uid, gid_t socket_gid);

}  // namespace podlane::control
