// The next podlaned's part of an upgrade in place: it asks the one that runs for what that has
// open, gets ready beside it, and takes its place (docs/decisions/upgrade.md).
//
// Used by the composition root at start, on its thread; calls wait for the other process.
#pragma once

#include <chrono>
#include <map>
#include <string>

#include "control/netdev/fd_channel.h"
#include "control/netdev/unique_fd.h"
#include "control/node/kept_taps.h"
#include "lib/base/result.h"

namespace podlane::control {

/// While it lives, and until done(), the other process is there and goes on if this one ends.
class TakeOver {
  public:
    /// Asks the podlaned at the config socket. It refuses changes from then on, and forwards.
    [[nodiscard]] static Result<TakeOver> begin(const std::string& socket, unsigned workers);

    /// The other one's.
    [[nodiscard]] const std::string& version() const noexcept { return version_; }
    [[nodiscard]] KeptTapMaker::Queues take_taps() { return std::move(taps_); }
    /// The XDP program on the interface; none if there is none.
    [[nodiscard]] UniqueFd take_program(const std::string& ifname);
    /// Its workers rest when this returns: nobody forwards.
    [[nodiscard]] Result<void> rest();
    /// This one forwards and serves: the other one ends, and leaves everything.
    [[nodiscard]] Result<void> done();
    /// This one's workers have begun.
    void set_forwarding() noexcept { forwards_ = Clock::now(); }
    /// For how long nobody forwarded: from rest() to set_forwarding().
    [[nodiscard]] double away_ms() const noexcept {
        return std::chrono::duration<double, std::milli>(forwards_ - rests_).count();
    }
    /// Makes where the other one logs to this one's standard output and error.
    void take_log() noexcept;

  private:
    using Clock = std::chrono::steady_clock;
    explicit TakeOver(FdChannel channel) : channel_(std::move(channel)) {}
    [[nodiscard]] Result<void> receive_all();

    FdChannel channel_;
    std::string version_;
    KeptTapMaker::Queues taps_;
    std::map<std::string, UniqueFd> programs_;
    UniqueFd log_;
    Clock::time_point rests_, forwards_;
};

}  // namespace podlane::control
