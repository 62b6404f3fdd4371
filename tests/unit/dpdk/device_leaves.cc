#define ALLOW_EXPERIMENTAL_API 1

#include "tests/unit/dpdk/device_leaves.h"

#include <rte_dev.h>

#include "lib/dpdk/removal_watch.h"

namespace podlane {

void test_device_leaves(const std::string& device) {
    rte_dev_event_callback_process(device.c_str(), RTE_DEV_EVENT_REMOVE);
}

}  // namespace podlane
