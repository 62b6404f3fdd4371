// A kernel interface behind a port: whether it is up, and what it lost.
//
// A TAP's end may be in another network namespace: the kernel is asked there by the id that ours
// has for it (RTM_NEWNSID), which takes CAP_NET_ADMIN but no entering. Drivers on packet sockets
// always report an up link, and none of the interface's losses. The kernel is asked by index: a
// rename changes nothing, and a new interface with the old name is not mistaken for it. Control
// thread; a few system calls each.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lib/border/port_state.h"

namespace podlane {

class KernelLink {
  public:
    /// The interface that has this name now, in the calling thread's network namespace.
    explicit KernelLink(const std::string& ifname);
    /// Of the TAP behind an open queue, in the namespace where it is now.
    explicit KernelLink(int tap_queue);

    [[nodiscard]] LinkState state() const noexcept;
    /// Losses since this object was made; the last known ones if the kernel no longer reports them.
    [[nodiscard]] DeviceLosses losses() const noexcept;
    /// As of the last call of losses().
    [[nodiscard]] const DeviceLosses& last_losses() const noexcept { return last_; }
    /// "tbf": the interface's queueing discipline, if it is one that holds or drops frames on
    /// purpose; else empty. As of the last call of losses().
    [[nodiscard]] std::string_view shaper() const noexcept { return shaper_; }

  private:
    /// None where the kernel does not say. By `name` where that is not empty, else by the index.
    struct Answer {
        unsigned index = 0;
        DeviceLosses losses;
        std::string_view shaper;
    };
    [[nodiscard]] std::optional<Answer> ask(const char* name) const noexcept;

    unsigned index_ = 0;
    int netns_ = -1;  ///< the id of the TAP's namespace; -1: our own
    bool is_tap_ = false;
    DeviceLosses before_;
    mutable DeviceLosses last_;
    mutable std::string_view shaper_;  ///< of kShapers
};

}  // namespace podlane
