// Notices when the kernel wants a device back.
//
// When a NIC is unbound or pulled, vfio asks the process that has it and waits, without limit,
// until the process lets go. A port has one of these; its callback runs on DPDK's interrupt thread.
#pragma once

#include <functional>
#include <string>

namespace podlane {

class RemovalWatch {
  public:
    /// Calls `asked` each time the device with this name is to be removed.
    RemovalWatch(std::string device, std::function<void()> asked);
    RemovalWatch(const RemovalWatch&) = delete;
    RemovalWatch& operator=(const RemovalWatch&) = delete;
    /// Once it returns, no call is under way or will follow.
    ~RemovalWatch();

    void call() const { asked_(); }

  private:
    std::string device_;
    std::function<void()> asked_;
};

}  // namespace podlane
