// What an uplink's device means for the kernel. Used by the composition root at start, and by the
// code that takes an uplink back.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "control/config/node_config.h"
#include "control/netdev/kernel_guard.h"
#include "lib/base/device.h"
#include "lib/base/result.h"
#include "lib/border/dataplane.h"

namespace podlane::control {

/// An interface of the kernel that we use, too.
struct SharedInterface {
    std::string ifname;
    KernelInterfaceUse use = KernelInterfaceUse::kPacketSocket;
};

/// The kernel interface behind a device, on which the kernel must be kept from answering: `iface=`
/// of net_af_packet, net_af_xdp, net_tc and net_pcap. None for other devices.
[[nodiscard]] std::optional<SharedInterface> shared_kernel_interface(const Device& device);

/// The NIC of a device that is a TAP beside it; none for other devices.
[[nodiscard]] std::optional<std::string> nic_beside_tap(const Device& device);

/// The uplink's port on such a TAP, with the NIC's MAC address. The queues become the port's, or
/// are closed.
[[nodiscard]] Result<TapPortSpec> tap_port_of(const UplinkConfig& uplink, std::vector<int> queues,
                                              bool is_pair);

/// The kernel driver of a NIC, such as "vfio-pci"; empty if there is none, or for devices that are
/// not PCI NICs.
[[nodiscard]] std::string kernel_driver(const Device& device);

}  // namespace podlane::control
