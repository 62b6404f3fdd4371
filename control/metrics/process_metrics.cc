#include "control/metrics/process_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <system_error>

namespace podlane::control {

namespace {

std::string contents(const char* path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

double seconds(const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

/// proc(5): the 22nd field of /proc/self/stat, in clock ticks since the machine's start.
double start_ticks() {
    const std::string stat = contents("/proc/self/stat");
    const size_t name_end = stat.rfind(')');
    if (name_end == std::string::npos) return 0;
    std::istringstream fields(stat.substr(name_end + 1));
    std::string skipped;
    for (int field = 3; field < 22; ++field) fields >> skipped;
    double ticks = 0;
    fields >> ticks;
    return ticks;
}

/// When the machine started, seconds since 1970.
double boot_seconds() {
    const std::string stat = contents("/proc/stat");
    const size_t at = stat.find("\nbtime ");
    return at == std::string::npos ? 0 : std::stod(stat.substr(at + 7));
}

}  // namespace

ProcessMetrics read_process_metrics() {
    ProcessMetrics out;
    rusage usage{};
    if (::getrusage(RUSAGE_SELF, &usage) == 0) {
        out.cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
    }
    static const double start =
        boot_seconds() + start_ticks() / static_cast<double>(::sysconf(_SC_CLK_TCK));
    out.start_seconds = start;
    std::istringstream pages(contents("/proc/self/statm"));
    uint64_t all = 0, resident = 0;
    if (pages >> all >> resident) {
        out.resident_bytes = resident * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
    }
    std::error_code failed;
    for (const auto& file : std::filesystem::directory_iterator("/proc/self/fd", failed)) {
        out.open_files += file.path().empty() ? 0 : 1;
    }
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) == 0) out.most_files = files.rlim_cur;
    return out;
}

}  // namespace podlane::control
