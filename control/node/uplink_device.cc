#include "control/node/uplink_device.h"

#include <string_view>

namespace podlane::control {

namespace {

/// The value of `key=` among "a=1,b=2"; "" without.
std::string_view argument_of(std::string_view arguments, std::string_view key) {
    while (!arguments.empty()) {
        const size_t comma = arguments.find(',');
        const std::string_view argument = arguments.substr(0, comma);
        if (argument.starts_with(key)) return argument.substr(key.size());
        arguments =
            comma == std::string_view::npos ? std::string_view{} : arguments.substr(comma + 1);
    }
    return {};
}

}  // namespace

std::optional<SharedInterface> shared_kernel_interface(const DeviceConfig& device) {
    if (device.kind != DeviceKind::kVdev) return std::nullopt;
    const std::string_view name = device.name;
    KernelInterfaceUse use = KernelInterfaceUse::kPacketSocket;
    if (name.starts_with("net_af_xdp")) {
        use = KernelInterfaceUse::kXdpSocket;
    } else if (!name.starts_with("net_af_packet") && !name.starts_with("net_pcap")) {
        return std::nullopt;
    }
    const std::string_view ifname = argument_of(device.arguments, "iface=");
    if (ifname.empty()) return std::nullopt;
    return SharedInterface{std::string(ifname), use};
}

}  // namespace podlane::control
