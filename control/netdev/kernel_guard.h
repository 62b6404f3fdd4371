// Keeps the kernel from answering on an interface that podlane uses as an uplink.
//
// A packet socket (net_af_packet) gets copies: the kernel still processes each frame, and would
// answer beside podlane. The composition root guards such an interface before its device is
// opened and keeps the guard as long as the port. Control thread; root is needed.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "lib/base/result.h"

namespace podlane::control {

/// Holds an interface's old settings and puts them back when it goes.
class KernelInterfaceGuard {
  public:
    KernelInterfaceGuard(KernelInterfaceGuard&&) noexcept = default;
    KernelInterfaceGuard& operator=(KernelInterfaceGuard&& other) noexcept;
    ~KernelInterfaceGuard();

    /// Lines for the log, such as the addresses that the kernel still has on the interface.
    [[nodiscard]] const std::vector<std::string>& warnings() const noexcept { return warnings_; }
    [[nodiscard]] const std::string& ifname() const noexcept { return ifname_; }
    /// Puts the old settings back now; what was changed by others meanwhile is overwritten.
    void restore() noexcept;

  private:
    friend Result<KernelInterfaceGuard> guard_kernel_interface(const std::string& ifname);
    KernelInterfaceGuard() = default;

    std::string ifname_;
    std::vector<std::string> warnings_;
    std::vector<std::pair<std::string, std::string>> old_sysctls_;  ///< path, value
    bool was_down_ = false;
};

/// Makes the kernel deaf on `ifname`, an interface of our own namespace, and sets it up: IPv4 by
/// rp_filter=1 and arp_ignore=8 (sources are routed elsewhere, no ARP is answered), IPv6 by
/// disable_ipv6=1. A family of which the interface has addresses (other than link-local IPv6) is
/// left alone, with a warning that lists them.
[[nodiscard]] Result<KernelInterfaceGuard> guard_kernel_interface(const std::string& ifname);

}  // namespace podlane::control
