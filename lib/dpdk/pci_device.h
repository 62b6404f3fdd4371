// What the kernel says about a PCI device: whether it exists, and which driver it is bound to.
//
// DPDK's own errors do not tell a missing device from one bound to the wrong driver. The start
// checks this before it starts DPDK, and explains errors with it afterwards. Plain files, no DPDK.
#pragma once

#include <cstdint>
#include <string>

namespace podlane {

enum class PciBinding : uint8_t {
    kAbsent,
    kNone,    ///< not bound
    kVfio,    ///< behind an IOMMU
    kUio,     ///< a UIO driver: the device sees physical addresses
    kKernel,  ///< a driver of the kernel's own
};

struct PciState {
    PciBinding binding = PciBinding::kAbsent;
    std::string driver;      ///< "vfio-pci"; empty: none
    bool has_iommu = false;  ///< it is in an IOMMU group
};

/// The state of the device at `address` ("0000:3b:00.0"), from the files below `sysfs`.
[[nodiscard]] PciState pci_state(const std::string& address, const std::string& sysfs = "/sys");

/// Why the device cannot be opened, if that is certain before DPDK starts: it does not exist, or it
/// needs hugepages and there are none. Else empty.
[[nodiscard]] std::string pci_obstacle(const std::string& address, bool hugepages,
                                       const std::string& sysfs = "/sys");

/// Advice for a device that DPDK could not open.
[[nodiscard]] std::string pci_advice(const std::string& address, const std::string& sysfs = "/sys");

}  // namespace podlane
