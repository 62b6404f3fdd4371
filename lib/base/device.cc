#include "lib/base/device.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace podlane {

namespace {

bool is_hex(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789abcdefABCDEF") == text.npos;
}

/// "0000:3b:00.0" from "3b:00.0" or "0000:3b:00.0"; empty for anything else.
std::string pci_address(std::string_view text) {
    const std::string whole = text.size() == 7 ? "0000:" + std::string(text) : std::string(text);
    const std::string_view w = whole;
    if (w.size() != 12 || w[4] != ':' || w[7] != ':' || w[10] != '.') return {};
    if (!is_hex(w.substr(0, 4)) || !is_hex(w.substr(5, 2)) || !is_hex(w.substr(8, 2))) return {};
    if (w[11] < '0' || w[11] > '7') return {};
    std::string lower = whole;
    for (char& c : lower) {
        if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
    }
    return lower;
}

/// The name of each virtual network device of the EAL begins with one of these.
constexpr std::array<std::string_view, 3> kVirtualPrefixes = {"net_", "eth_", "virtio_user"};

/// Whether it is a name such as "net_null0", as the EAL writes them.
bool is_virtual_name(std::string_view name) {
    const bool is_plain = std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    });
    return is_plain && name.size() < 64 &&
           std::any_of(kVirtualPrefixes.begin(), kVirtualPrefixes.end(),
                       [name](std::string_view prefix) {
                           return name.starts_with(prefix) &&
                                  (name.size() > prefix.size() || !prefix.ends_with('_'));
                       });
}

}  // namespace

std::optional<std::string> Device::argument(std::string_view key) const {
    std::string_view rest = arguments;
    while (!rest.empty()) {
        const std::string_view one = rest.substr(0, rest.find(','));
        rest.remove_prefix(std::min(rest.size(), one.size() + 1));
        const size_t equals = one.find('=');
        if (one.substr(0, equals) != key) continue;
        return std::string(equals == one.npos ? std::string_view{} : one.substr(equals + 1));
    }
    return std::nullopt;
}

std::string Device::text() const {
    return arguments.empty() ? name : name + "," + arguments;
}

Result<Device> parse_device(std::string_view text) {
    Device device;
    const size_t comma = text.find(',');
    const std::string_view name = text.substr(0, comma);
    if (comma != text.npos) device.arguments = text.substr(comma + 1);

    device.name = pci_address(text);
    if (!device.name.empty()) {
        device.kind = DeviceKind::kPci;
        return device;
    }
    if (!is_virtual_name(name)) {
        return Error{
            fmt::format("\"{}\" is not a device: a PCI address such as 0000:3b:00.0, or DPDK vdev "
                        "arguments such as "
                        "net_af_packet0,iface=eth1",
                        text)};
    }
    device.kind = DeviceKind::kVirtual;
    device.name = name;
    const size_t number = name.find_last_not_of("0123456789") + 1;
    device.driver = name.substr(0, number);
    return device;
}

std::optional<std::string> kernel_interface(const Device& device) {
    if (device.driver == "net_tap") return device.argument("remote");
    if (device.driver == "net_af_packet" || device.driver == "eth_af_packet" ||
        device.driver == "net_af_xdp" || device.driver == "net_pcap" ||
        device.driver == kTcDriver) {
        return device.argument("iface");
    }
    return std::nullopt;
}

}  // namespace podlane
