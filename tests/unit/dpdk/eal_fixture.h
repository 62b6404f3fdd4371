// The EAL of the test process: started by the first test that needs it, in a network namespace of
// its own if possible.
#pragma once

#include <gtest/gtest.h>
#include <sched.h>

#include <string>
#include <utility>
#include <vector>

#include "lib/dpdk/eal.h"
#include "lib/dpdk/mempool.h"

namespace podlane {

using LogLines = std::vector<std::pair<LogLevel, std::string>>;

/// If the EAL does not start, all its tests fail with its message.
class EalTest : public ::testing::Test {
  protected:
    void SetUp() override;

    [[nodiscard]] static const Eal& eal();
    /// CPUs that the process could use before the EAL started.
    [[nodiscard]] static const cpu_set_t& cpus_before();
    /// A pool of 4096 default buffers.
    [[nodiscard]] static rte_mempool* pool();
    /// Whether we are root, in a network namespace where interfaces can be made. "wire0" and
    /// "wire1", both up, are the ends of a veth on which the kernel sends nothing by itself.
    [[nodiscard]] static bool has_network();
    /// What DPDK has logged since the last call.
    [[nodiscard]] static LogLines take_log();
};

}  // namespace podlane
