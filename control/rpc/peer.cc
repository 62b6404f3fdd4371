#include "control/rpc/peer.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

namespace podlane::control {

Result<PeerCredentials> peer_credentials(int socket_fd) {
    ucred who{};
    socklen_t bytes = sizeof who;
    if (::getsockopt(socket_fd, SOL_SOCKET, SO_PEERCRED, &who, &bytes) != 0) {
        return Error{std::string("peer credentials: ") + std::strerror(errno)};
    }
    PeerCredentials found{{who.uid, who.gid, who.pid}, std::vector<gid_t>(64)};
    for (int attempt = 0; attempt < 2; ++attempt) {
        bytes = static_cast<socklen_t>(found.groups.size() * sizeof(gid_t));
        const int rc =
            ::getsockopt(socket_fd, SOL_SOCKET, SO_PEERGROUPS, found.groups.data(), &bytes);
        const bool was_too_small = rc != 0 && errno == ERANGE;
        found.groups.resize(rc == 0 || was_too_small ? bytes / sizeof(gid_t) : 0);
        if (!was_too_small) break;
    }
    return found;
}

bool is_allowed(const PeerCredentials& who, uid_t own_uid, gid_t socket_gid) {
    return who.peer.uid == 0 || who.peer.uid == own_uid || who.peer.gid == socket_gid ||
           std::ranges::find(who.groups, socket_gid) != who.groups.end();
}

}  // namespace podlane::control
