// Plays a kernel that wants a device back.
#pragma once

#include <string>

namespace podlane {

/// What DPDK's interrupt thread does when vfio asks for the device.
void test_device_leaves(const std::string& device);

}  // namespace podlane
