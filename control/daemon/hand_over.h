// The running podlaned's part of an upgrade in place. It gives its open descriptors to the next
// podlaned, which gets ready beside it, and puts its workers to rest when that one asks. Then it
// ends; if the next one fails, it continues as before (docs/decisions/upgrade.md).
//
// Made by the daemon; everything runs on the thread of its io_context.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "control/netdev/fd_channel.h"
#include "control/rpc/methods.h"
#include "lib/border/dataplane.h"

namespace podlane::control {

/// The version of the messages below; both podlaneds must have the same.
inline constexpr int kHandOverForm = 1;

// What the next one says, and what it is told.
inline constexpr std::string_view kAskToRest = "rest";        ///< workers are to rest
inline constexpr std::string_view kSayDone = "done";          ///< it serves, and this one may end
inline constexpr std::string_view kSayRests = "rests";        ///< workers are at rest
inline constexpr std::string_view kSayComplete = "complete";  ///< everything has been given

/// An open TAP: where it is, and its queues by worker.
struct HandedTap {
    std::string netns;  ///< path; empty: the node's own
    std::string ifname;
    std::vector<int> queues;
};

/// An uplink interface's guard: an XDP program that is removed with its last descriptor.
struct HandedProgram {
    std::string ifname;
    int fd = -1;
};

class HandOver {
  public:
    struct Parts {
        Dataplane& dataplane;
        std::function<std::vector<HandedTap>()> taps;
        std::function<std::vector<HandedProgram>()> programs;
        /// Why nothing can be handed over; empty if it can.
        std::function<std::string()> obstacle;
        /// Called when the next process serves: this one must end, and leave everything in place.
        std::function<void()> done;
        /// Called when the next process has failed: this one continues. `why` is one line;
        /// `had_begun`: the workers were at rest, and the other process may have replaced the
        /// sockets.
        std::function<void(const std::string& why, bool had_begun)> failed;
    };
    HandOver(boost::asio::io_context& io, Parts parts);

    /// Adds the method `handover`, and refuses changes while a handover is under way.
    void add_to(RpcMethods& methods);
    [[nodiscard]] bool is_under_way() const noexcept { return channel_.has_value() || is_due_; }
    /// Whether another process has everything.
    [[nodiscard]] bool is_done() const noexcept { return is_done_; }

  private:
    [[nodiscard]] RpcResult begin(RpcRequest& request);
    void give(const std::string& path, pid_t to);
    [[nodiscard]] Result<void> give_all(const std::string& path, pid_t to);
    void listen();
    void heard();
    void limit(std::chrono::seconds most, const char* what);
    void give_up(const std::string& why);

    boost::asio::io_context& io_;
    Parts parts_;
    boost::asio::steady_timer limit_;
    boost::asio::posix::stream_descriptor readable_;
    std::optional<FdChannel> channel_;
    bool is_due_ = false;  ///< a process has asked, but has not been given anything yet
    bool rests_ = false;
    bool is_done_ = false;
};

}  // namespace podlane::control
