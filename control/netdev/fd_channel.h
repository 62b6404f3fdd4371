// Messages with open descriptors between two processes of one machine (SCM_RIGHTS, unix(7)).
//
// One podlaned hands its TAPs to the next one by it. Any thread, one at a time; who may connect is
// said by the rights of the socket's file, which is its owner's alone.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "control/netdev/unique_fd.h"
#include "lib/base/result.h"

namespace podlane::control {

/// What came in one piece. Descriptors are close-on-exec.
struct FdMessage {
    std::string text;
    std::vector<UniqueFd> fds;
};

/// A connection. Closed when it goes, which the other end sees as its end.
class FdChannel {
  public:
    static constexpr size_t kMostBytes = 16384;  ///< of a message's text
    static constexpr size_t kMostFds = 64;       ///< in a message

    [[nodiscard]] static Result<FdChannel> connect(const std::string& path);

    /// Waits for room, for a second at most. The descriptors stay the caller's.
    [[nodiscard]] Result<void> send(std::string_view text, std::span<const int> fds = {});
    /// The next message; nothing when the other end has closed. An Error when none comes in time.
    [[nodiscard]] Result<std::optional<FdMessage>> receive(std::chrono::milliseconds timeout);
    /// The process at the other end; 0 if that cannot be known.
    [[nodiscard]] pid_t peer() const noexcept;
    /// For waiting; still the channel's.
    [[nodiscard]] int fd() const noexcept { return socket_.get(); }

  private:
    friend class FdListener;
    explicit FdChannel(UniqueFd socket) : socket_(std::move(socket)) {}

    UniqueFd socket_;
};

/// A place where one process waits for another. Its file goes with it.
class FdListener {
  public:
    /// Replaces what stands at the path.
    [[nodiscard]] static Result<FdListener> open(const std::string& path);
    FdListener(FdListener&& from) noexcept = default;
    FdListener& operator=(FdListener&&) = delete;
    ~FdListener();

    [[nodiscard]] Result<FdChannel> accept(std::chrono::milliseconds timeout);

  private:
    FdListener(UniqueFd socket, std::string path)
        : socket_(std::move(socket)), path_(std::move(path)) {}

    UniqueFd socket_;
    std::string path_;
};

}  // namespace podlane::control
