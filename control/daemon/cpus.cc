#include "control/daemon/cpus.h"

#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "lib/base/join.h"

namespace podlane::control {

Result<CpuPlan> plan_cpus(const WorkersConfig& workers, IdleMode idle,
                          const std::vector<unsigned>& allowed) {
    CpuPlan plan;
    for (const unsigned cpu : workers.cpus) {
        if (!std::binary_search(allowed.begin(), allowed.end(), cpu)) {
            return Error{
                fmt::format("CPU {} is none that podlaned may use ({})", cpu, join(allowed))};
        }
        plan.workers.push_back(static_cast<int>(cpu));
    }
    const bool has_room = allowed.size() > workers.count;
    if (workers.cpus.empty()) {
        for (unsigned i = 0; i < workers.count; ++i) {
            const bool bound = idle == IdleMode::kPoll && !allowed.empty();
            const size_t at = allowed.empty() ? 0 : (i + (has_room ? 1 : 0)) % allowed.size();
            plan.workers.push_back(bound ? static_cast<int>(allowed[at]) : -1);
        }
        if (idle == IdleMode::kAdaptive && has_room) {
            plan.hints.push_back(
                "workers are not bound to CPUs; name some in `workers`, such as [1], to bind them");
        }
    }
    for (const unsigned cpu : allowed) {
        const bool is_workers = std::find(plan.workers.begin(), plan.workers.end(),
                                          static_cast<int>(cpu)) != plan.workers.end();
        if (!is_workers) plan.control.push_back(cpu);
    }
    if (plan.control.empty()) plan.control = allowed;
    if (!has_room) {
        plan.hints.push_back(fmt::format(
            "{} worker{} and control share {} CPU{}; one more CPU than workers would be faster",
            workers.count, workers.count == 1 ? "" : "s", allowed.size(),
            allowed.size() == 1 ? "" : "s"));
    }
    return plan;
}

std::vector<unsigned> allowed_cpus() {
    std::vector<unsigned> cpus;
    cpu_set_t set;
    CPU_ZERO(&set);
    if (::sched_getaffinity(0, sizeof(set), &set) != 0) return {0};
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
        if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
    }
    return cpus;
}

Result<void> run_on_cpus(const std::vector<unsigned>& cpus) {
    cpu_set_t set;
    CPU_ZERO(&set);
    for (const unsigned cpu : cpus) CPU_SET(cpu, &set);
    if (::sched_setaffinity(0, sizeof(set), &set) != 0) {
        return Error{fmt::format("cannot run on CPUs {}: {}", join(cpus), std::strerror(errno))};
    }
    return {};
}

}  // namespace podlane::control
