#include "control/doctor/doctor.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "control/doctor/findings.h"
#include "control/doctor/link_facts.h"
#include "control/doctor/machine.h"

namespace podlane::control {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using ::testing::HasSubstr;

/// A machine of files in a folder, on which all is well.
class DoctorTest : public testing::Test {
  protected:
    DoctorTest() {
        write("/proc/cpuinfo", "flags\t\t: fpu sse4_1 sse4_2 avx\n");
        write("/proc/sys/kernel/osrelease", "6.1.0-30-amd64\n");
        write("/proc/meminfo",
              "MemTotal: 100 kB\nHugePages_Total:     256\nHugePages_Free:      200\n"
              "Hugepagesize:       2048 kB\n");
        write("/proc/1/comm", "systemd\n");
        write("/proc/sys/kernel/seccomp/actions_avail", "kill_process trap errno log allow\n");
        write("/dev/net/tun", "");
        write("/sys/devices/system/cpu/isolated", "2-3\n");
        write("/sys/devices/system/node/node0/cpulist", "0-3\n");
        write("/sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n");
        node_.version = {{"version", "1.0"}, {"dpdk", "DPDK 22.11"}};
        node_.health = {{"seccomp", "on"}, {"shortcut", "on"}, {"problems", Json::array()}};
        node_.stats = {{"ports", Json::array()},
                       {"flows", {{"active", 1U}, {"capacity", 100U}, {"refused", 0U}}}};
        node_.ports = Json::array({Json{{"name", "uplink0"},
                                        {"kind", "uplink"},
                                        {"device", "net_af_packet0,iface=eth1"},
                                        {"mtu", 1500U}},
                                   Json{{"name", "default/web"}, {"kind", "pod"}, {"mtu", 1450U}}});
        write("/sys/class/net/eth1/mtu", "1500\n");
    }
    ~DoctorTest() override { fs::remove_all(root_); }

    void write(const std::string& path, const std::string& text) {
        fs::create_directories((root_ + path).substr(0, (root_ + path).rfind('/')));
        std::ofstream(root_ + path) << text;
    }
    std::vector<Finding> look() {
        const Machine machine(root_, [this](const std::string& ifname) {
            EXPECT_EQ(ifname, "eth1");
            return link_;
        });
        return examine(machine, node_, {.is_root = true, .version = "1.0"});
    }
    /// The findings that are not well, a line each: "warn clock: ...".
    std::string bad() {
        std::string out;
        for (const Finding& each : look()) {
            if (each.severity == Severity::kOk) continue;
            out += std::string(to_string(each.severity)) + " " + std::string(each.check) + ": " +
                   each.what + "\n";
            EXPECT_FALSE(each.mend.empty()) << each.what;
        }
        return out;
    }

    const std::string root_ = "/tmp/podlane-doctor-" + std::to_string(getpid());
    NodeAnswers node_;
    std::optional<LinkFacts> link_;
};

TEST_F(DoctorTest, MachineOnWhichAllIsWellHasNoFindings) {
    EXPECT_EQ(bad(), "");
    EXPECT_GE(look().size(), machine_checks().size());
}

TEST_F(DoctorTest, WhatPodlaneCannotDoWithoutFails) {
    write("/proc/cpuinfo", "flags\t\t: fpu sse4_1 avx\n");
    write("/proc/sys/kernel/osrelease", "5.10.0\n");
    fs::remove(root_ + "/dev/net/tun");
    EXPECT_EQ(bad(),
              "FAIL cpu: the CPU has no SSE4.2\n"
              "FAIL kernel: Linux 5.10.0\n"
              "FAIL access: /dev/net/tun is missing\n");
}

TEST_F(DoctorTest, WhatCostsSpeedIsNoted) {
    write("/proc/meminfo", "HugePages_Total: 0\n");
    write("/sys/devices/system/cpu/isolated", "\n");
    write("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n");
    write("/sys/devices/system/node/node1/cpulist", "4-7\n");
    write("/sys/bus/pci/devices/0000:3b:00.0/class", "0x020000\n");
    write("/sys/bus/pci/devices/0000:3b:00.0/numa_node", "1\n");
    EXPECT_EQ(bad(),
              "note memory: no hugepages\n"
              "note devices: the IOMMU is off\n"
              "note cpus: no isolated CPUs\n"
              "note cpus: the CPUs' frequency governor is powersave\n"
              "note cpus: NIC 0000:3b:00.0 is at NUMA node 1 of 2\n");
}

TEST_F(DoctorTest, WithoutTheShortcutItIsSaidWhy) {
    node_.health["shortcut"] = "off";
    EXPECT_EQ(bad(), "") << "as it was asked for";
    node_.health["shortcut"] = "shortcut: the kernel refuses the program: Operation not permitted";
    EXPECT_EQ(bad(), "note shortcut: the kernel refuses the program: Operation not permitted\n");
}

TEST_F(DoctorTest, AnUplinkThatStaysWithTheKernelNeedsItsInterfaceAndItsProgram) {
    node_.ports[0]["device"] = "net_tc0,iface=eth1";
    EXPECT_EQ(bad(), "warn uplinks: uplink0: there is no interface eth1\n");
    link_ = {.has_gro = true, .has_tso = true, .ingress = {"from_nic:[12]"}};
    EXPECT_EQ(bad(), "");
    link_ = {.has_gro = true, .has_tso = true, .ingress = {"guard:[3]", "from_nic:[12]"}};
    EXPECT_EQ(bad(),
              "warn uplinks: uplink0: other programs are at the ingress of eth1: guard:[3], "
              "from_nic:[12]\n");
    link_ = LinkFacts{};
    EXPECT_EQ(bad(),
              "warn uplinks: uplink0: podlane's program is not at the ingress of eth1\n"
              "note uplinks: uplink0: eth1 does not join frames\n"
              "note uplinks: uplink0: eth1 does not segment frames\n");
}

TEST(LinkFacts, SayWhatTheKernelKnows) {
    const auto loopback = link_facts("lo");
    ASSERT_TRUE(loopback);
    EXPECT_TRUE(loopback->has_gro && loopback->has_tso);
    EXPECT_TRUE(loopback->ingress.empty());
    EXPECT_FALSE(link_facts("nowhere0"));
}

TEST_F(DoctorTest, WhatStandsInTheWayInTheKernelIsWarnedOf) {
    write("/proc/sys/net/ipv4/conf/all/rp_filter", "1\n");
    write("/proc/sys/net/ipv4/conf/podlane0/rp_filter", "0\n");
    write("/proc/77/comm", "kube-proxy\n");
    write("/sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet\n");
    EXPECT_EQ(bad(),
              "warn clock: the clock source is hpet\n"
              "warn rp_filter: rp_filter is strict on podlane0\n"
              "warn others: kube-proxy runs on this node\n");
    // Loose filtering of either wins over strict.
    write("/proc/sys/net/ipv4/conf/podlane0/rp_filter", "2\n");
    EXPECT_THAT(bad(), testing::Not(HasSubstr("rp_filter")));
}

TEST_F(DoctorTest, NodeThatDoesNotAnswerIsNoFailure) {
    node_ = {.error = "/run/podlane/podlane.sock: nobody listens"};
    EXPECT_EQ(bad(),
              "note podlaned: podlaned does not answer: /run/podlane/podlane.sock: nobody "
              "listens\n");
}

TEST_F(DoctorTest, WhatTheNodeSaysIsWarnedOf) {
    node_.version["version"] = "0.9";
    node_.health["problems"].push_back("uplink0: next hop 192.168.50.2 does not answer");
    node_.health["elsewhere"].push_back("DNS server 192.0.2.1:53 does not answer");
    node_.stats["ports"].push_back(
        {{"name", "uplink0"},
         {"deviceLosses", {{"rxMissed", 7U}, {"rxNoBuffer", 2U}, {"rxErrors", 1U}}}});
    node_.stats["ports"].push_back(
        {{"name", "default/web"}, {"kind", "pod"}, {"deviceLosses", {{"rxMissed", 8U}}}});
    node_.stats["flows"]["refused"] = 3U;
    write("/sys/class/net/eth1/mtu", "1400\n");
    node_.ports[1]["mtu"] = 1501U;
    EXPECT_EQ(bad(),
              "warn podlaned: podlaned is 0.9, podlanectl 1.0\n"
              "warn health: uplink0: next hop 192.168.50.2 does not answer\n"
              "note health: DNS server 192.0.2.1:53 does not answer\n"
              "warn losses: uplink0: 7 frames lost by the device without a free descriptor\n"
              "warn losses: uplink0: 2 frames lost for want of a packet buffer\n"
              "warn losses: uplink0: 1 frames came damaged\n"
              "note losses: default/web: the pod sent 8 frames faster than they were taken\n"
              "warn flows: 3 new connections found no room\n"
              "warn mtu: uplink0: MTU 1500, and its interface eth1 has 1400\n"
              "warn mtu: pods' MTU 1501 is above the uplink's 1500\n");
}

}  // namespace
}  // namespace podlane::control
