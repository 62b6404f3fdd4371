// The config socket: a Unix stream socket that answers JSON-RPC messages (docs/rpc.md).
//
// Made by the daemon's composition root. Everything runs in the handlers of the io_context that it
// is given, hence on the control thread: methods need no locks.
#pragma once

#include <sys/types.h>

#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <memory>
#include <string>

#include "control/rpc/framing.h"
#include "control/rpc/methods.h"
#include "lib/base/result.h"

namespace podlane::control {

struct RpcServerOptions {
    std::string path;                             ///< of the socket; its folder is made if absent
    size_t max_message_bytes = kMaxMessageBytes;  ///< longest request
    size_t max_unread_bytes = size_t{4}
                              << 20;  ///< replies waiting for a client before it must read
    /// One more, and the client goes that has been idle for the longest time.
    size_t max_clients = 512;
    /// Held for all clients together: requests that are not whole, replies that are not read. Above
    /// it the client goes that holds the most.
    size_t max_held_bytes = size_t{1} << 30;
};

/// Listens, reads, dispatches, replies.
///
/// One request is carried out at a time; between two of them, other connections and other work of
/// the io_context get their turn. Threads: all members on the thread that runs the io_context.
class RpcServer {
  public:
    /// `methods` must outlive the server, the io_context too.
    RpcServer(boost::asio::io_context& io, const RpcMethods& methods, RpcServerOptions options);
    RpcServer(const RpcServer&) = delete;
    RpcServer& operator=(const RpcServer&) = delete;
    ~RpcServer();

    /// Binds and listens. Replaces a socket file without a listening process; fails if there is
    /// one, or if the path is not a socket. `replace`: also a socket with a listening process, in
    /// one step, so that clients always find one.
    [[nodiscard]] Result<void> start(bool replace = false);

    /// Closes the socket and all connections and removes the file. Harmless when not started.
    void stop();

    /// Connections that are open now.
    [[nodiscard]] size_t client_count() const noexcept;

  private:
    class Core;
    std::shared_ptr<Core> core_;
};

}  // namespace podlane::control
