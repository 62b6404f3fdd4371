#include "control/node/uplink_device.h"

#include <filesystem>
#include <system_error>

namespace podlane::control {

std::optional<SharedInterface> shared_kernel_interface(const Device& device) {
    const auto ifname = kernel_interface(device);
    // net_tap takes frames from an interface before the kernel sees them.
    if (!ifname || ifname->empty() || device.driver == "net_tap") return std::nullopt;
    return SharedInterface{*ifname, device.driver == "net_af_xdp"
                                        ? KernelInterfaceUse::kXdpSocket
                                        : KernelInterfaceUse::kPacketSocket};
}

std::string kernel_driver(const Device& device) {
    if (device.kind != DeviceKind::kPci) return {};
    std::error_code failed;
    const auto driver =
        std::filesystem::read_symlink("/sys/bus/pci/devices/" + device.name + "/driver", failed);
    return failed ? std::string() : driver.filename().string();
}

}  // namespace podlane::control
