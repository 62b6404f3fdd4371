#include "lib/dpdk/pci_device.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

namespace podlane {
namespace {

namespace fs = std::filesystem;

constexpr const char* kAddress = "0000:3b:00.0";

/// With a /sys of the test's own.
class PciDevice : public ::testing::Test {
  protected:
    PciDevice() : sysfs_(fmt::format("/tmp/podlane-unit-pci-{}", ::getpid())) {
        fs::remove_all(sysfs_);
        fs::create_directories(device());
    }
    ~PciDevice() override { fs::remove_all(sysfs_); }

    [[nodiscard]] fs::path device() const {
        return fs::path(sysfs_) / "bus/pci/devices" / kAddress;
    }
    void bind(const std::string& driver, bool iommu = false) const {
        fs::create_symlink("../../../../bus/pci/drivers/" + driver, device() / "driver");
        if (iommu) fs::create_directory(device() / "iommu_group");
    }
    [[nodiscard]] std::string advice() const { return pci_advice(kAddress, sysfs_); }
    [[nodiscard]] std::string obstacle(bool hugepages) const {
        return pci_obstacle(kAddress, hugepages, sysfs_);
    }

    std::string sysfs_;
};

TEST_F(PciDevice, OneThatIsNotThereIsSaidBeforeDpdkStarts) {
    const std::string said = pci_obstacle("0000:00:1d.0", true, sysfs_);
    EXPECT_NE(said.find("there is no such PCI device"), said.npos) << said;
    EXPECT_EQ(pci_advice("0000:00:1d.0", sysfs_).find("vfio"), std::string::npos);
}

TEST_F(PciDevice, UioWithoutHugepagesIsSaidBeforeDpdkStarts) {
    bind("uio_pci_generic");
    EXPECT_EQ(obstacle(true), "");
    EXPECT_NE(obstacle(false).find("uio_pci_generic has no IOMMU and works with hugepages alone"),
              std::string::npos);
}

TEST_F(PciDevice, VfioDoesWithoutHugepages) {
    bind("vfio-pci", true);
    EXPECT_EQ(pci_state(kAddress, sysfs_).binding, PciBinding::kVfio);
    EXPECT_EQ(obstacle(false), "");
    EXPECT_NE(advice().find("another process may have it"), std::string::npos);
}

TEST_F(PciDevice, VfioWithoutAnIommuIsNamed) {
    bind("vfio-pci");
    EXPECT_NE(advice().find("intel_iommu=on"), std::string::npos);
}

TEST_F(PciDevice, TheKernelsDriverIsNamedAndHowToChangeIt) {
    bind("e1000e");
    EXPECT_EQ(obstacle(false), "");
    EXPECT_EQ(advice(),
              "it is bound to e1000e, a driver of the kernel: `dpdk-devbind.py --bind=vfio-pci "
              "0000:3b:00.0` binds it");
}

TEST_F(PciDevice, MellanoxStaysWithTheKernelsDriver) {
    bind("mlx5_core");
    EXPECT_EQ(advice().find("--bind"), std::string::npos);
}

TEST_F(PciDevice, OneThatNoDriverHasIsSaidSo) {
    EXPECT_EQ(pci_state(kAddress, sysfs_).binding, PciBinding::kNone);
    EXPECT_NE(advice().find("no driver has it"), std::string::npos);
}

}  // namespace
}  // namespace podlane
