// Checks of the machine and its kernel.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <sstream>

#include "control/doctor/findings.h"

namespace podlane::control {

namespace {

/// The value after "NAME:" in /proc/meminfo and similar files; -1 if it is missing.
long value_of(const std::string& text, std::string_view name) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        if (!line.starts_with(name) || line.size() <= name.size() || line[name.size()] != ':') {
            continue;
        }
        return std::strtol(line.c_str() + name.size() + 1, nullptr, 10);
    }
    return -1;
}

void look_at_cpu(Examination& at) {
    const std::string info = at.machine.text("/proc/cpuinfo").value_or("");
    if (info.find(" sse4_2") == std::string::npos) {
        at.fail("the CPU has no SSE4.2", "podlane needs an x86-64-v2 CPU");
        return;
    }
    at.ok("x86-64 with SSE4.2");
}

void look_at_kernel(Examination& at) {
    const std::string release = at.machine.text("/proc/sys/kernel/osrelease").value_or("");
    int major = 0, minor = 0;
    if (std::sscanf(release.c_str(), "%d.%d", &major, &minor) != 2) {
        at.warn("the kernel does not tell its version", "Linux 5.11 or later is needed");
        return;
    }
    if (major < 5 || (major == 5 && minor < 11)) {
        at.fail("Linux " + release, "5.11 or later is needed (epoll_pwait2)");
        return;
    }
    at.ok("Linux " + release);
}

void look_at_permissions(Examination& at) {
    if (at.asker.is_root) {
        at.ok("root");
    } else {
        at.note("doctor runs as an ordinary user",
                "some files cannot be read; podlaned itself needs root or the capabilities of "
                "debian/podlaned.service");
    }
    if (at.machine.exists("/dev/net/tun")) {
        at.ok("/dev/net/tun is there");
    } else {
        at.fail("/dev/net/tun is missing", "modprobe tun; pods' ports are TAPs");
    }
}

void look_at_hugepages(Examination& at) {
    const std::string info = at.machine.text("/proc/meminfo").value_or("");
    const long total = value_of(info, "HugePages_Total");
    const long free = value_of(info, "HugePages_Free");
    const long size_kb = value_of(info, "Hugepagesize");
    if (total <= 0) {
        at.note("no hugepages",
                "packet buffers lie in pages of 4 kB: more TLB misses, and no NIC on vfio-pci "
                "without an IOMMU; sysctl vm.nr_hugepages=256");
        return;
    }
    at.ok(fmt::format("{} of {} hugepages of {} kB are free", free, total, size_kb));
}

/// Network devices on the PCI bus: class 02.
std::vector<std::string> network_devices(const Machine& machine) {
    std::vector<std::string> out;
    for (const std::string& device : machine.names("/sys/bus/pci/devices")) {
        const auto type = machine.text("/sys/bus/pci/devices/" + device + "/class");
        if (type && type->starts_with("0x02")) out.push_back(device);
    }
    return out;
}

void look_at_devices(Examination& at) {
    const auto devices = network_devices(at.machine);
    if (devices.empty()) at.ok("no PCI NIC; uplinks are kernel interfaces or virtual devices");
    for (const std::string& device : devices) {
        const std::string folder = "/sys/bus/pci/devices/" + device;
        const std::string driver = at.machine.link_name(folder + "/driver");
        at.ok(fmt::format("NIC {}: {}", device, driver.empty() ? "no driver" : "driver " + driver));
    }
    if (!at.machine.names("/sys/kernel/iommu_groups").empty()) {
        at.ok("the IOMMU is on");
    } else if (!devices.empty()) {
        at.note("the IOMMU is off",
                "vfio-pci needs it, or its unsafe mode: intel_iommu=on or amd_iommu=on on the "
                "kernel's command line");
    }
}

void look_at_cpus(Examination& at) {
    const std::string isolated = at.machine.text("/sys/devices/system/cpu/isolated").value_or("");
    if (isolated.empty()) {
        at.note("no isolated CPUs",
                "other programs can delay workers by a time slice; isolcpus= or cpuset partitions, "
                "then workers: [CPU, ...]");
    } else {
        at.ok("isolated CPUs: " + isolated);
    }
    const std::string governor =
        at.machine.text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").value_or("");
    if (governor == "powersave") {
        at.note("the CPUs' frequency governor is powersave",
                "a slower clock under load; cpupower frequency-set -g performance");
    }
    const auto nodes = at.machine.names("/sys/devices/system/node");
    const auto count = std::ranges::count_if(nodes, [](const std::string& name) {
        return name.starts_with("node") && name.size() > 4 && name[4] >= '0' && name[4] <= '9';
    });
    if (count <= 1) return;
    for (const std::string& device : network_devices(at.machine)) {
        const auto node = at.machine.number("/sys/bus/pci/devices/" + device + "/numa_node");
        if (!node || *node < 0) continue;
        at.note(fmt::format("NIC {} is at NUMA node {} of {}", device, *node, count),
                fmt::format("give workers CPUs of /sys/devices/system/node/node{}/cpulist", *node));
    }
}

void look_at_clock(Examination& at) {
    const std::string source =
        at.machine.text("/sys/devices/system/clocksource/clocksource0/current_clocksource")
            .value_or("");
    if (source == "tsc" || source == "kvm-clock") {
        at.ok("clock source " + source);
    } else if (!source.empty()) {
        at.warn("the clock source is " + source,
                "the kernel does not trust the TSC, which workers measure time by: latencies and "
                "timeouts may be wrong");
    }
}

void look_at_rp_filter(Examination& at) {
    constexpr const char* kFolder = "/proc/sys/net/ipv4/conf/";
    const long all = at.machine.number(std::string(kFolder) + "all/rp_filter").value_or(0);
    bool is_strict = false;
    for (const std::string& name : at.machine.names(kFolder)) {
        if (name != "podlane0") continue;
        const long own = at.machine.number(kFolder + name + "/rp_filter").value_or(0);
        is_strict = std::max(all, own) == 1;
    }
    if (is_strict) {
        at.warn("rp_filter is strict on podlane0",
                "the kernel drops replies for which it has no reverse route; sysctl "
                "net.ipv4.conf.podlane0.rp_filter=2, and all.rp_filter below 2");
    } else {
        at.ok("rp_filter lets answers to podlane0");
    }
}

void look_at_others(Examination& at) {
    constexpr std::pair<const char*, const char*> kOthers[] = {
        {"kube-proxy", "it writes rules for the same Services; podlane takes its place"},
        {"flanneld", "it gives this node a VTEP of its own; podlane speaks its protocol itself"},
        {"cilium-agent", "two dataplanes for one node's pods"},
        {"calico-node", "two dataplanes for one node's pods"},
    };
    const auto programs = at.machine.programs();
    bool is_alone = true;
    for (const auto& [name, why] : kOthers) {
        if (std::ranges::find(programs, name) == programs.end()) continue;
        is_alone = false;
        at.warn(fmt::format("{} runs on this node", name), why);
    }
    if (is_alone) at.ok("no other dataplane runs here");
}

constexpr std::array kMachineChecks{
    DoctorCheck{"cpu", look_at_cpu},
    DoctorCheck{"kernel", look_at_kernel},
    DoctorCheck{"access", look_at_permissions},
    DoctorCheck{"memory", look_at_hugepages},
    DoctorCheck{"devices", look_at_devices},
    DoctorCheck{"cpus", look_at_cpus},
    DoctorCheck{"clock", look_at_clock},
    DoctorCheck{"rp_filter", look_at_rp_filter},
    DoctorCheck{"others", look_at_others},
};

}  // namespace

std::span<const DoctorCheck> machine_checks() noexcept {
    return kMachineChecks;
}

}  // namespace podlane::control
