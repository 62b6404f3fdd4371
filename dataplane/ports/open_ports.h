// Opens and closes what is behind a Port: DPDK devices and TAP descriptors.
//
// Control only; workers see the Port in the PortTable.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dataplane/ports/port.h"
#include "dataplane/rate_meter.h"
#include "dataplane/worker.h"
#include "lib/base/result.h"
#include "lib/border/dataplane.h"
#include "lib/dpdk/ethdev_port.h"
#include "lib/dpdk/kernel_link.h"

namespace podlane::dataplane {

/// A port and what it owns. Destroying it closes it; no worker may use it then.
struct OpenPort {
    OpenPort() = default;
    OpenPort(const OpenPort&) = delete;
    OpenPort& operator=(const OpenPort&) = delete;
    ~OpenPort();

    Port port;
    std::optional<EthdevPort> ethdev;        ///< none for a TAP
    std::optional<KernelLink> tap_link;      ///< of a TAP
    std::optional<KernelLink> nic_link;      ///< of the NIC beside a TAP
    std::unique_ptr<PortMeters> meters;      ///< null: without limits
    std::atomic<bool> device_leaves{false};  ///< set by DPDK's interrupt thread

    /// Before the port is in the table.
    void limit(const Bandwidth& bandwidth);
};

struct DevicePortRequest {
    std::string name;
    PortKind kind = PortKind::kUplink;
    std::string device;  ///< PCI address or vdev arguments
    uint16_t mtu = 1500;
    std::optional<MacAddress> mac{};
    unsigned workers = 1;
    rte_mempool* pool = nullptr;
    std::vector<int> bells{};          ///< by worker, see EthdevRequest
    std::function<void()> on_leave{};  ///< called when OpenPort::device_leaves has been set
    Bandwidth bandwidth{};
};

/// Opens a DPDK device. If it has fewer queues than there are workers, the first workers get the
/// queues, and the others hand over what they want to send.
[[nodiscard]] Result<std::unique_ptr<OpenPort>> open_device_port(const DevicePortRequest& request);

/// Takes the TAP's descriptors, one for each worker.
[[nodiscard]] Result<std::unique_ptr<OpenPort>> open_tap_port(TapPortSpec spec, unsigned workers);

/// The present link state of each port and its device's losses, a TAP's as of the last losses_of().
/// Control only; one system call for all TAPs, a few for each device or NIC.
[[nodiscard]] std::vector<PortState> states_of(std::span<const OpenPort* const> ports);
/// What the port's device, or the TAP's end in the kernel, has lost since it was opened. Control
/// only; a few system calls.
[[nodiscard]] DeviceLosses losses_of(const OpenPort& port) noexcept;

/// Adds the port's descriptors to the workers' epoll sets; false if one cannot be added.
bool watch_port(const OpenPort& port, std::span<const std::unique_ptr<Worker>> workers);
void unwatch_port(const OpenPort& port, std::span<const std::unique_ptr<Worker>> workers);

}  // namespace podlane::dataplane
