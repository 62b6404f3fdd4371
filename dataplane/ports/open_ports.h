// Opening and closing what is behind a Port: DPDK devices and TAP descriptors.
//
// Control only; the workers see the Port in the PortTable.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dataplane/ports/port.h"
#include "dataplane/worker.h"
#include "lib/base/result.h"
#include "lib/border/dataplane.h"
#include "lib/dpdk/ethdev_port.h"
#include "lib/dpdk/kernel_link.h"

namespace podlane::dataplane {

/// A port and what it owns; closes it when destroyed. No worker may use it then.
struct OpenPort {
    OpenPort() = default;
    OpenPort(const OpenPort&) = delete;
    OpenPort& operator=(const OpenPort&) = delete;
    ~OpenPort();

    Port port;
    std::optional<EthdevPort> ethdev;        ///< none for a TAP
    std::optional<KernelLink> tap_link;      ///< of a TAP
    std::atomic<bool> device_leaves{false};  ///< set by DPDK's interrupt thread
};

struct DevicePortRequest {
    std::string name;
    PortKind kind = PortKind::kUplink;
    std::string device;  ///< PCI address or vdev arguments
    uint16_t mtu = 1500;
    std::optional<MacAddress> mac;
    unsigned workers = 1;
    rte_mempool* pool = nullptr;
    std::vector<int> bells{};          ///< by worker, see EthdevRequest
    std::function<void()> on_leave{};  ///< called when OpenPort::device_leaves has been set
};

/// Opens a DPDK device. Where it has fewer queues than there are workers, the queues go to the
/// first workers and the others hand over what they want to send.
[[nodiscard]] Result<std::unique_ptr<OpenPort>> open_device_port(const DevicePortRequest& request);

/// Takes the TAP's descriptors, one for each worker.
[[nodiscard]] Result<std::unique_ptr<OpenPort>> open_tap_port(TapPortSpec spec, unsigned workers);

/// Each port's link and its device's losses now, a TAP's as of the last losses_of(). Control only;
/// one system call for all TAPs, some for each device.
[[nodiscard]] std::vector<PortState> states_of(std::span<const OpenPort* const> ports);
/// What the port's device, or the TAP's end in the kernel, lost since it was opened. Control only;
/// some system calls.
[[nodiscard]] DeviceLosses losses_of(const OpenPort& port) noexcept;

/// Puts the port's descriptors into the workers' epoll sets; false when one cannot be.
bool watch_port(const OpenPort& port, std::span<const std::unique_ptr<Worker>> workers);
void unwatch_port(const OpenPort& port, std::span<const std::unique_ptr<Worker>> workers);

}  // namespace podlane::dataplane
