// A port on a DPDK device: an uplink, or a pod port on memif, vhost, pcap and the like.
//
// The control thread opens, queries and closes it. The worker that owns a queue receives, sends,
// and arms its wake-up. start_eal() comes first, and the pool must outlive the port.
#pragma once

#include <rte_ethdev.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/base/device.h"
#include "lib/base/mac.h"
#include "lib/base/result.h"
#include "lib/border/port_caps.h"
#include "lib/border/port_state.h"
#include "lib/dpdk/driver_sockets.h"
#include "lib/dpdk/kernel_link.h"
#include "lib/dpdk/queue_wake.h"
#include "lib/dpdk/removal_watch.h"

namespace podlane {

struct EthdevRequest {
    std::string name;      ///< the port's name, for messages
    std::string device;    ///< PCI address or vdev arguments; plugged in if it is not yet
    unsigned workers = 1;  ///< one receive and one send queue each, where the device has them
    uint16_t mtu = 1500;   ///< bytes of the IP packet
    std::optional<MacAddress> mac;  ///< none: the device's own
    rte_mempool* pool = nullptr;    ///< received frames go into its buffers
    uint16_t rx_descriptors = 1024;
    uint16_t tx_descriptors = 1024;
    /// By queue: event descriptors that ring when frames come, for a device without its own. The
    /// port takes ownership.
    std::vector<int> bells{};
    /// Called when the device is being removed: close() it soon. On DPDK's interrupt thread, while
    /// the port is open.
    std::function<void()> on_removal{};
};

/// An open, started port. Its destructor closes and unplugs the device; no worker may use it then.
class EthdevPort {
  public:
    EthdevPort(EthdevPort&& other) noexcept;
    EthdevPort& operator=(EthdevPort&&) = delete;
    ~EthdevPort();

    [[nodiscard]] uint16_t ethdev_id() const noexcept { return id_; }
    [[nodiscard]] const PortCaps& caps() const noexcept { return caps_; }
    [[nodiscard]] const MacAddress& mac() const noexcept { return mac_; }
    /// Lines for the log: what was asked for and the device cannot do.
    [[nodiscard]] const std::vector<std::string>& notes() const noexcept { return notes_; }

    /// A descriptor that becomes readable when a frame waits in `queue`, for the epoll of its
    /// worker; -1 without caps().rx_wake. Before sleeping: arm_wake(), receive once more, and sleep
    /// only if nothing came. After waking and receiving again: disarm_wake(). Spurious wake-ups
    /// happen.
    [[nodiscard]] int wake_fd(uint16_t queue) const noexcept;
    /// Whether the queue's worker can rely on being woken; false once a wake-up was missed.
    [[nodiscard]] bool wakes(uint16_t queue) const noexcept;
    /// False, once, if the device refuses; wakes() is false from then on.
    [[nodiscard]] bool arm_wake(uint16_t queue) noexcept;
    /// `found`: the receive call after the sleep found frames in this queue. If nothing rang for
    /// them, or if the descriptor cannot be read, it returns false, once, and wakes() is false from
    /// then on: the worker must forget the descriptor.
    [[nodiscard]] bool disarm_wake(uint16_t queue, bool found) noexcept;

    /// The link of the device, or of the kernel interface that it uses.
    [[nodiscard]] Link link() const noexcept;
    /// What the device and the kernel interface that it uses have lost since it was opened.
    [[nodiscard]] DeviceLosses losses() const noexcept;
    /// The queueing discipline that shapes the kernel interface and that the driver's frames go
    /// past ("tbf"); else empty. As of the last call of losses().
    [[nodiscard]] std::string_view bypassed_shaper() const noexcept;

    /// Frees frames that have arrived and nobody has taken. No worker may be receiving.
    void drop_waiting() noexcept;

    /// Stops, closes and unplugs now. A second call does nothing.
    void close() noexcept;

  private:
    friend Result<EthdevPort> open_ethdev(const EthdevRequest& request);
    EthdevPort() = default;
    [[nodiscard]] Result<void> configure(const EthdevRequest& request);
    [[nodiscard]] Result<void> set_mtu(uint16_t mtu);
    [[nodiscard]] Result<void> set_mac(const std::optional<MacAddress>& wanted);
    void set_up_wake(std::vector<int> bells);
    [[nodiscard]] DeviceLosses device_losses() const noexcept;

    uint16_t id_ = RTE_MAX_ETHPORTS;
    uint16_t mtu_ = 0;
    MacAddress mac_{};
    PortCaps caps_{};
    Device device_;
    std::string driver_;
    std::vector<std::string> notes_;
    std::vector<QueueWake> wakes_;  ///< by queue
    std::unique_ptr<RemovalWatch> removal_;
    std::optional<KernelLink> kernel_link_;
    bool bypasses_qdisc_ = false;    ///< of that interface
    mutable DriverSockets sockets_;  ///< for control alone, as losses() is
    DeviceLosses losses_before_;     ///< the device's counts when it was opened
};

/// Plugs in (if needed), configures and starts a device. On failure nothing is left behind, and the
/// message names the port, the device and the cause.
[[nodiscard]] Result<EthdevPort> open_ethdev(const EthdevRequest& request);

}  // namespace podlane
