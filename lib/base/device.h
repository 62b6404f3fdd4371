// Device strings of the configuration: a PCI address, or DPDK vdev arguments.
//
// Text work only, without DPDK: for reading the configuration and for opening ports. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/result.h"

namespace podlane {

enum class DeviceKind : uint8_t { kPci, kVirtual };

/// A parsed device string.
struct Device {
    DeviceKind kind = DeviceKind::kVirtual;
    std::string name;       ///< "0000:3b:00.0" with its domain, or "net_tap0"
    std::string driver;     ///< of a virtual device, without its number: "net_tap"; else empty
    std::string arguments;  ///< all after the first comma

    /// The value of `key` among the arguments: "eth1" for "iface" in
    /// "net_tap0,remote=x,iface=eth1".
    [[nodiscard]] std::optional<std::string> argument(std::string_view key) const;
    /// In the form that the EAL takes: NAME or NAME,ARGUMENTS.
    [[nodiscard]] std::string text() const;
};

/// Parses "0000:3b:00.0", "3b:00.0" or "net_NAME[NUMBER][,ARGUMENTS]" ("virtio_user0,..." too). An
/// Error says what is allowed.
[[nodiscard]] Result<Device> parse_device(std::string_view text);

/// A NIC of the kernel, between which and a TAP programs pass frames; no driver of DPDK's.
inline constexpr std::string_view kTcDriver = "net_tc";

/// The kernel interface that the device uses: `iface` of net_af_packet, net_af_xdp, net_tc and
/// net_pcap, `remote` of net_tap.
[[nodiscard]] std::optional<std::string> kernel_interface(const Device& device);

}  // namespace podlane
