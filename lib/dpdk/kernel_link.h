// A kernel interface behind a port: whether it is up, and what it lost.
//
// Drivers on packet sockets always report an up link, and none of the interface's losses. The
// kernel is asked by index: a rename changes nothing, and a new interface with the old name is not
// mistaken for it. Control thread; a few system calls each.
#pragma once

#include <string>

#include "lib/border/port_state.h"

namespace podlane {

class KernelLink {
  public:
    /// The interface that has this name now, in the calling thread's network namespace.
    explicit KernelLink(const std::string& ifname);

    [[nodiscard]] LinkState state() const noexcept;
    /// Losses since this object was made; none if the kernel does not report them.
    [[nodiscard]] DeviceLosses losses() const noexcept { return read().since(before_); }

  private:
    [[nodiscard]] DeviceLosses read() const noexcept;

    unsigned index_;
    DeviceLosses before_;
};

}  // namespace podlane
