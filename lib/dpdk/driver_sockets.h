// The packet sockets that a driver (net_af_packet, net_pcap) opens on a kernel interface: counts
// the frames that their rings had no room for, which the driver does not, and makes sure that
// sending never blocks.
//
// The driver does not reveal its descriptors: they are the packet sockets that the process has
// after the device was plugged in and did not have before. Control thread; a system call each.
#pragma once

#include <cstdint>
#include <vector>

namespace podlane {

class DriverSockets {
  public:
    DriverSockets() = default;
    /// Takes the sockets that are not in `before`, an earlier result of packet_sockets().
    explicit DriverSockets(const std::vector<int>& before);

    /// Frames that found a receive ring full since this object was made.
    [[nodiscard]] uint64_t lost() noexcept;
    /// Call before the driver closes the sockets.
    void forget() noexcept { fds_.clear(); }

    [[nodiscard]] bool empty() const noexcept { return fds_.empty(); }

  private:
    std::vector<int> fds_;
    uint64_t lost_ = 0;
};

/// Descriptors of the process's packet sockets, in ascending order.
[[nodiscard]] std::vector<int> packet_sockets();

}  // namespace podlane
