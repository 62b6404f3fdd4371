// Which CPUs the workers and the control thread run on.
//
// Pure except for the two functions that query and configure the kernel. Used once, at start.
#pragma once

#include <string>
#include <vector>

#include "control/config/node_config.h"
#include "lib/base/result.h"

namespace podlane::control {

struct CpuPlan {
    std::vector<int> workers;        ///< one a worker; -1: not bound, the kernel chooses
    std::vector<unsigned> control;   ///< where the control thread may run; never empty
    std::vector<std::string> hints;  ///< what would make it faster, a line each
};

/// Places the threads on `allowed`, the CPUs that this process may use, sorted.
///
/// CPUs that the operator named are used as given. Otherwise each polling worker gets a CPU, and
/// the first CPU is left to control if there are enough; workers that sleep when idle are placed by
/// the kernel, which moves them away from other load.
[[nodiscard]] Result<CpuPlan> plan_cpus(const WorkersConfig& workers, IdleMode idle,
                                        const std::vector<unsigned>& allowed);

/// The CPUs that the calling thread may run on, sorted.
[[nodiscard]] std::vector<unsigned> allowed_cpus();

/// Lets the calling thread run on these CPUs only.
[[nodiscard]] Result<void> run_on_cpus(const std::vector<unsigned>& cpus);

}  // namespace podlane::control
