// A kernel interface behind a port: whether it is up, and what it lost.
//
// A TAP's end may be in another network namespace: the kernel is asked there by the id that ours
// has for it (RTM_NEWNSID), which takes CAP_NET_ADMIN and no entering. Drivers on packet sockets
// report a link that is always up, and none of the interface's losses. Asks the kernel by index, so
// that a rename changes nothing and a successor of the same name is not taken for it. Control
// thread; a few system calls each.
#pragma once

#include <optional>
#include <string>

#include "lib/border/port_state.h"

namespace podlane {

class KernelLink {
  public:
    /// Of the interface with this name now, in the calling thread's network namespace.
    explicit KernelLink(const std::string& ifname);
    /// Of the TAP behind an open queue, in the namespace where it is now.
    explicit KernelLink(int tap_queue);

    [[nodiscard]] LinkState state() const noexcept;
    /// Since the object was made. As of the last time where the kernel does not say any more.
    [[nodiscard]] DeviceLosses losses() const noexcept;
    /// As of the last call of losses().
    [[nodiscard]] const DeviceLosses& last_losses() const noexcept { return last_; }

  private:
    /// None where the kernel does not say. By `name` where that is not empty, else by the index.
    struct Answer {
        unsigned index = 0;
        DeviceLosses losses;
    };
    [[nodiscard]] std::optional<Answer> ask(const char* name) const noexcept;

    unsigned index_ = 0;
    int netns_ = -1;  ///< the id of the TAP's namespace; -1: our own
    bool is_tap_ = false;
    DeviceLosses before_;
    mutable DeviceLosses last_;
};

}  // namespace podlane
