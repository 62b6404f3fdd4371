// The kernel's wish to have a device back.
//
// Somebody unbinds the NIC or pulls it: vfio tells the process that has it and waits, without end,
// until it lets go. A port has one of these; what it calls runs on DPDK's interrupt thread.
#pragma once

#include <functional>
#include <string>

namespace podlane {

class RemovalWatch {
  public:
    /// Calls `asked` each time the device with this name is to go.
    RemovalWatch(std::string device, std::function<void()> asked);
    RemovalWatch(const RemovalWatch&) = delete;
    RemovalWatch& operator=(const RemovalWatch&) = delete;
    /// When it returns, no call is under way or follows.
    ~RemovalWatch();

    void call() const { asked_(); }

  private:
    std::string device_;
    std::function<void()> asked_;
};

}  // namespace podlane
