#include "tests/unit/dpdk/eal_fixture.h"

#include <sched.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace podlane {

namespace {

struct Process {
    std::string error;
    bool network = false;
    cpu_set_t cpus{};
    std::optional<Eal> eal;
    std::optional<PacketPool> pool;  // destroyed before the EAL
};

std::mutex log_mutex;
LogLines lines;

void note(LogLevel level, std::string_view line) {
    const std::lock_guard lock(log_mutex);
    lines.emplace_back(level, line);
}

std::unique_ptr<Process> start() {
    auto process = std::make_unique<Process>();
    ::sched_getaffinity(0, sizeof(process->cpus), &process->cpus);
    // Before the EAL starts: its threads must be in the same namespace.
    process->network = ::geteuid() == 0 && ::unshare(CLONE_NEWNET) == 0 &&
                       std::system(
                           "echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6; "
                           "ip link add wire0 type veth peer name wire1 && "
                           "ip link set wire0 up && ip link set wire1 up && "
                           "for i in $(seq 100); do ip link show wire0 | grep -q 'state UP' && "
                           "exit 0; sleep 0.02; done; exit 1") == 0;
    auto eal = start_eal({.hugepages = HugepageUse::kOff,
                          .memory_bytes = uint64_t{96} << 20,
                          .pci_devices = {},
                          .log_level = LogLevel::kError,
                          .log = note,
                          .extra_arguments = {}});
    if (!eal.ok()) {
        process->error = eal.error().message;
        return process;
    }
    process->eal.emplace(std::move(*eal));
    auto pool = create_packet_pool({.name = "test", .mbufs = 4096});
    if (!pool.ok()) {
        process->error = pool.error().message;
        return process;
    }
    process->pool.emplace(std::move(*pool));
    return process;
}

const Process& process() {
    static const std::unique_ptr<Process> only = start();
    return *only;
}

}  // namespace

LogLines EalTest::take_log() {
    const std::lock_guard lock(log_mutex);
    return std::exchange(lines, {});
}

void EalTest::SetUp() {
    ASSERT_EQ(process().error, "");
}

const Eal& EalTest::eal() {
    return *process().eal;
}

const cpu_set_t& EalTest::cpus_before() {
    return process().cpus;
}

rte_mempool* EalTest::pool() {
    return process().pool->get();
}

bool EalTest::has_network() {
    return process().network;
}

}  // namespace podlane
