#include "lib/dpdk/pci_device.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>

namespace podlane {

namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 2> kUioDrivers = {"uio_pci_generic", "igb_uio"};
/// DPDK uses these devices through the kernel's own driver.
constexpr std::array<std::string_view, 3> kShared = {"mlx5_core", "mlx4_core", "mana"};

bool is_one_of(std::string_view driver, const auto& drivers) {
    return std::find(drivers.begin(), drivers.end(), driver) != drivers.end();
}

std::string bind_advice(const std::string& address) {
    return fmt::format("`dpdk-devbind.py --bind=vfio-pci {}` binds it", address);
}

}  // namespace

PciState pci_state(const std::string& address, const std::string& sysfs) {
    const fs::path device = fs::path(sysfs) / "bus/pci/devices" / address;
    std::error_code error;
    PciState state;
    if (!fs::exists(device, error)) return state;
    state.has_iommu = fs::exists(device / "iommu_group", error);
    const fs::path driver = fs::read_symlink(device / "driver", error);
    if (error) {
        state.binding = PciBinding::kNone;
        return state;
    }
    state.driver = driver.filename().string();
    if (state.driver == "vfio-pci") {
        state.binding = PciBinding::kVfio;
    } else if (is_one_of(state.driver, kUioDrivers)) {
        state.binding = PciBinding::kUio;
    } else {
        state.binding = PciBinding::kKernel;
    }
    return state;
}

std::string pci_obstacle(const std::string& address, bool hugepages, const std::string& sysfs) {
    const PciState state = pci_state(address, sysfs);
    if (state.binding == PciBinding::kAbsent) {
        return "there is no such PCI device; `dpdk-devbind.py --status-dev net` lists those that "
               "there are";
    }
    if (state.binding == PciBinding::kUio && !hugepages) {
        return fmt::format(
            "{} has no IOMMU and works with hugepages alone, and there are too few: `sysctl "
            "vm.nr_hugepages=N`, `podlaned --check` says how many; or use vfio-pci",
            state.driver);
    }
    return {};
}

std::string pci_advice(const std::string& address, const std::string& sysfs) {
    const PciState state = pci_state(address, sysfs);
    switch (state.binding) {
        case PciBinding::kAbsent:
            return "there is no such PCI device";
        case PciBinding::kNone:
            return "no driver has it: `modprobe vfio-pci`, and " + bind_advice(address);
        case PciBinding::kKernel:
            if (is_one_of(state.driver, kShared)) {
                return fmt::format(
                    "it is bound to {}, as it should be; is DPDK's driver for it "
                    "installed, with its libraries?",
                    state.driver);
            }
            return fmt::format("it is bound to {}, a driver of the kernel: {}", state.driver,
                               bind_advice(address));
        case PciBinding::kVfio:
            if (!state.has_iommu) {
                return "it is bound to vfio-pci without an IOMMU: switch the IOMMU on "
                       "(intel_iommu=on or amd_iommu=on, and in the firmware)";
            }
            return "it is bound to vfio-pci; another process may have it or another device of its "
                   "IOMMU group, or no DPDK driver knows it";
        case PciBinding::kUio:
            return fmt::format(
                "it is bound to {}; another process may have it, or no DPDK driver "
                "knows it",
                state.driver);
    }
    return {};
}

}  // namespace podlane
