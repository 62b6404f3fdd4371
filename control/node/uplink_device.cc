#include "control/node/uplink_device.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>
#include <utility>

#include "control/netdev/rtnl.h"

namespace podlane::control {

std::optional<SharedInterface> shared_kernel_interface(const Device& device) {
    const auto ifname = kernel_interface(device);
    // net_tap takes frames from an interface before the kernel sees them.
    if (!ifname || ifname->empty() || device.driver == "net_tap") return std::nullopt;
    if (device.driver == kTcDriver) return SharedInterface{*ifname, KernelInterfaceUse::kPrograms};
    return SharedInterface{*ifname, device.driver == "net_af_xdp"
                                        ? KernelInterfaceUse::kXdpSocket
                                        : KernelInterfaceUse::kPacketSocket};
}

std::optional<std::string> nic_beside_tap(const Device& device) {
    return device.driver == kTcDriver ? kernel_interface(device) : std::nullopt;
}

Result<TapPortSpec> tap_port_of(const UplinkConfig& uplink, std::vector<int> queues, bool is_pair) {
    const std::string nic = nic_beside_tap(uplink.device).value_or("");
    auto rtnl = Rtnl::open();
    const auto link =
        rtnl.ok() ? rtnl->find_link(nic) : Result<std::optional<LinkInfo>>(rtnl.error());
    if (!link.ok() || !link->has_value()) {
        for (const int queue : queues) ::close(queue);
        return link.ok() ? Error{fmt::format("interface {}: it is gone", nic)} : link.error();
    }
    return TapPortSpec{.name = uplink.name,
                       .kind = PortKind::kUplink,
                       .ifname = uplink.device.text(),
                       .mac = (*link)->mac,
                       .mtu = uplink.mtu,
                       .queue_fds = std::move(queues),
                       .is_pair = is_pair,
                       .nic = nic};
}

std::string kernel_driver(const Device& device) {
    if (device.kind != DeviceKind::kPci) return {};
    std::error_code failed;
    const auto driver =
        std::filesystem::read_symlink("/sys/bus/pci/devices/" + device.name + "/driver", failed);
    return failed ? std::string() : driver.filename().string();
}

}  // namespace podlane::control
