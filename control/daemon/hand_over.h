// The running podlaned's part of an upgrade in place: it gives what it has open to the next one,
// which gets ready beside it, lets its workers rest when that one says so, and ends, or goes on as
// if nothing had been when that one fails (docs/decisions/upgrade.md).
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

/// Of the messages below; one podlaned hands over to another of the same form alone.
inline constexpr int kHandOverForm = 1;

// What the next one says, and what it is told.
inline constexpr std::string_view kAskToRest = "rest";        ///< workers are to rest
inline constexpr std::string_view kSayDone = "done";          ///< it serves, and this one may end
inline constexpr std::string_view kSayRests = "rests";        ///< workers do
inline constexpr std::string_view kSayComplete = "complete";  ///< all that is open has been given

/// A TAP that is open: where it is and its queues, by worker.
struct HandedTap {
    std::string netns;  ///< path; empty: the node's own
    std::string ifname;
    std::vector<int> queues;
};

/// What guards an uplink's interface: an XDP program that goes with its last descriptor.
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
        /// Why nothing can be handed over; empty: it can.
        std::function<std::string()> obstacle;
        /// The next one serves: this process is to end, and to leave everything.
        std::function<void()> done;
        /// The next one has failed: this process goes on. A line says why; `had_begun`: workers
        /// rested already, and the other one may have put its sockets in place.
        std::function<void(const std::string& why, bool had_begun)> failed;
    };
    HandOver(boost::asio::io_context& io, Parts parts);

    /// Adds the method `handover`, and closes the gate for changes while it is under way.
    void add_to(RpcMethods& methods);
    [[nodiscard]] bool is_under_way() const noexcept { return channel_.has_value() || is_due_; }
    /// Has another one everything?
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
    bool is_due_ = false;  ///< somebody has asked, and is about to be given
    bool rests_ = false;
    bool is_done_ = false;
};

}  // namespace podlane::control
