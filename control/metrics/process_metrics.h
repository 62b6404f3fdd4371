// The kernel's data about this process, for the usual process metrics.
#pragma once

#include <cstdint>

namespace podlane::control {

/// Zeros if /proc does not have them.
struct ProcessMetrics {
    double cpu_seconds = 0;
    double start_seconds = 0;  ///< since 1970
    uint64_t resident_bytes = 0;
    uint64_t open_files = 0;
    uint64_t most_files = 0;
};

/// Some system calls. Any thread.
[[nodiscard]] ProcessMetrics read_process_metrics();

}  // namespace podlane::control
