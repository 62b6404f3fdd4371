// A kernel interface behind a port: whether it is up, and what it lost.
//
// Drivers on packet sockets report a link that is always up, and none of the interface's losses.
// Asks the kernel by index, so that a rename changes nothing and a successor of the same name is
// not taken for it. Control thread; a few system calls each.
#pragma once

#include <string>

#include "lib/border/port_state.h"

namespace podlane {

class KernelLink {
  public:
    /// Of the interface with this name now, in the calling thread's network namespace.
    explicit KernelLink(const std::string& ifname);

    [[nodiscard]] LinkState state() const noexcept;
    /// Since the object was made. Nothing where the kernel does not say.
    [[nodiscard]] DeviceLosses losses() const noexcept { return read().since(before_); }

  private:
    [[nodiscard]] DeviceLosses read() const noexcept;

    unsigned index_;
    DeviceLosses before_;
};

}  // namespace podlane
