#include "control/node/uplink_device.h"

namespace podlane::control {

std::optional<SharedInterface> shared_kernel_interface(const Device& device) {
    const auto ifname = kernel_interface(device);
    // What net_tap takes from an interface, it takes before the kernel sees it.
    if (!ifname || ifname->empty() || device.driver == "net_tap") return std::nullopt;
    return SharedInterface{*ifname, device.driver == "net_af_xdp"
                                        ? KernelInterfaceUse::kXdpSocket
                                        : KernelInterfaceUse::kPacketSocket};
}

}  // namespace podlane::control
