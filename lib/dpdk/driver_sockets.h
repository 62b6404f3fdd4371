// The packet sockets by which a driver (net_af_packet, net_pcap) uses a kernel interface: frames
// that their rings had no room for, which the driver does not count; and that sending by them never
// waits.
//
// The driver owns the descriptors and does not tell them: they are what packet sockets the process
// has after the device was plugged in and had not before. Control thread; a system call each.
#pragma once

#include <cstdint>
#include <vector>

namespace podlane {

class DriverSockets {
  public:
    DriverSockets() = default;
    /// Those that came since `before`, which packet_sockets() gave.
    explicit DriverSockets(const std::vector<int>& before);

    /// Frames that found a receive ring full since the object was made.
    [[nodiscard]] uint64_t lost() noexcept;
    /// Before the driver closes them.
    void forget() noexcept { fds_.clear(); }

    [[nodiscard]] bool empty() const noexcept { return fds_.empty(); }

  private:
    std::vector<int> fds_;
    uint64_t lost_ = 0;
};

/// Descriptors of the process's packet sockets, in rising order.
[[nodiscard]] std::vector<int> packet_sockets();

}  // namespace podlane
