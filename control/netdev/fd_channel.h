// Messages with open descriptors between two processes of one machine (SCM_RIGHTS, unix(7)).
//
// One podlaned hands its TAPs to the next one through it. Any thread, one at a time. The mode of
// the socket's file decides who may connect: its owner only.
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

/// One message. Descriptors are close-on-exec.
struct FdMessage {
    std::string text;
    std::vector<UniqueFd> fds;
};

/// A connection. Destroying it closes it, and the other end sees that as its end.
class FdChannel {
  public:
    static constexpr size_t kMostBytes = 16384;  ///< in a message's text
    static constexpr size_t kMostFds = 64;       ///< in a message

    [[nodiscard]] static Result<FdChannel> connect(const std::string& path);

    /// Waits a second at most for room. The caller keeps its descriptors.
    [[nodiscard]] Result<void> send(std::string_view text, std::span<const int> fds = {});
    /// The next message; nothing if the other end has closed. An Error if none comes in time.
    [[nodiscard]] Result<std::optional<FdMessage>> receive(std::chrono::milliseconds timeout);
    /// The process at the other end; 0 if it is unknown.
    [[nodiscard]] pid_t peer() const noexcept;
    /// To wait on; the channel owns it.
    [[nodiscard]] int fd() const noexcept { return socket_.get(); }

  private:
    friend class FdListener;
    explicit FdChannel(UniqueFd socket) : socket_(std::move(socket)) {}

    UniqueFd socket_;
};

/// Where one process waits for another. Its destructor removes the file.
class FdListener {
  public:
    /// Replaces any file at the path.
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
