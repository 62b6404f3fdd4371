// The next podlaned's part of an upgrade in place: it asks the running one for its open
// descriptors, gets ready beside it, and takes its place (docs/decisions/upgrade.md).
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

/// While it exists, and until done(), the other process stays, and continues if this one ends.
class TakeOver {
  public:
    /// Asks the podlaned at the config socket. From then on that one refuses changes, but still
    /// forwards.
    [[nodiscard]] static Result<TakeOver> begin(const std::string& socket, unsigned workers);

    /// The other podlaned's version.
    [[nodiscard]] const std::string& version() const noexcept { return version_; }
    [[nodiscard]] KeptTapMaker::Queues take_taps() { return std::move(taps_); }
    /// The interface's XDP program; none if it has none.
    [[nodiscard]] UniqueFd take_program(const std::string& ifname);
    /// When this returns, the other one's workers are at rest, and neither process forwards.
    [[nodiscard]] Result<void> rest();
    /// This process forwards and serves. The other one ends, and leaves everything in place.
    [[nodiscard]] Result<void> done();
    /// Call when this process's workers have begun.
    void set_forwarding() noexcept { forwards_ = Clock::now(); }
    /// How long neither process forwarded: from rest() to set_forwarding().
    [[nodiscard]] double away_ms() const noexcept {
        return std::chrono::duration<double, std::milli>(forwards_ - rests_).count();
    }
    /// Redirects this process's standard output and error to the other one's log.
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
