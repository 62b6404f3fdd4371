// The parts that stand alone: command line, names, CPUs, devices, service manager.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "control/daemon/config_place.h"
#include "control/daemon/cpus.h"
#include "control/daemon/join.h"
#include "control/daemon/object_files.h"
#include "control/daemon/options.h"
#include "control/daemon/pod_names.h"
#include "control/daemon/service_manager.h"
#include "control/daemon/uplink_device.h"

namespace podlane::control {
namespace {

Result<DaemonOptions> parse(std::vector<const char*> words) {
    words.insert(words.begin(), "podlaned");
    return parse_daemon_options(static_cast<int>(words.size()), words.data());
}

TEST(Options, AFileIsEnough) {
    const auto options = parse({"--config", "a.yaml"});
    ASSERT_TRUE(options.ok());
    EXPECT_EQ(options->config, "a.yaml");
    EXPECT_EQ(options->log_level, "info");
    EXPECT_FALSE(options->check);
    EXPECT_TRUE(options->eal_arguments.empty());
}

TEST(Options, WhatStandsBehindTheDashesIsForDpdk) {
    const auto options = parse({"--config", "a.yaml", "--check", "--", "--log-level", "8", "--"});
    ASSERT_TRUE(options.ok());
    EXPECT_TRUE(options->check);
    EXPECT_EQ(options->log_level, "info");
    EXPECT_EQ(options->eal_arguments, (std::vector<std::string>{"--log-level", "8", "--"}));
}

TEST(Options, MistakesAreNamed) {
    EXPECT_NE(parse({}).error().message.find("--config"), std::string::npos);
    EXPECT_NE(parse({"--config", "a", "--log-level", "loud"}).error().message.find("loud"),
              std::string::npos);
    EXPECT_FALSE(parse({"--config", "a", "--spoon"}).ok());
    EXPECT_FALSE(parse({"--config", "a", "stray"}).ok());
    EXPECT_FALSE(parse({"--conf", "a"}).ok());
    EXPECT_FALSE(parse({"--config"}).ok());
}

TEST(Options, VersionAndHelpNeedNoConfiguration) {
    EXPECT_TRUE(parse({"--version"})->version);
    EXPECT_TRUE(parse({"--help"})->help);
    EXPECT_NE(daemon_usage().find("--check"), std::string::npos);
}

TEST(PodNames, FollowKubernetesSpelling) {
    EXPECT_TRUE(is_pod_name("default/web-0"));
    EXPECT_TRUE(is_pod_name("kube-system/a.b.c"));
    for (const char* wrong : {"web", "/web", "default/", "a/b/c", "Default/web", "a.b/web",
                              "default/-web", "default/web-", "default/we b", "default/a..b"}) {
        EXPECT_FALSE(is_pod_name(wrong)) << wrong;
    }
    EXPECT_FALSE(is_pod_name("default/" + std::string(254, 'a')));
    EXPECT_FALSE(is_pod_name(std::string(64, 'a') + "/web"));
}

TEST(PodNames, InterfaceNamesAreTheKernels) {
    EXPECT_TRUE(is_interface_name("eth0"));
    EXPECT_TRUE(is_interface_name("fifteen-letters"));
    for (const char* wrong : {"", ".", "..", "a/b", "a b", "a:b", "sixteen-letters-"}) {
        EXPECT_FALSE(is_interface_name(wrong)) << wrong;
    }
}

TEST(PodNames, MacsAreLocalUnicastStableAndDifferent) {
    std::set<MacAddress> seen;
    for (int i = 0; i < 1000; ++i) {
        const std::string pod = "default/web-" + std::to_string(i);
        const MacAddress mac = derive_pod_mac("node-a", pod, 0);
        EXPECT_EQ(mac.bytes[0] & 3, 2);
        EXPECT_EQ(mac, derive_pod_mac("node-a", pod, 0));
        EXPECT_NE(mac, derive_pod_mac("node-b", pod, 0));
        EXPECT_NE(mac, derive_pod_mac("node-a", pod, 1));
        seen.insert(mac);
    }
    EXPECT_EQ(seen.size(), 1000u);
}

TEST(Cpus, NamedOnesAreTakenAndLeftFreeOfControl) {
    const auto plan = plan_cpus({2, {2, 3}}, IdleMode::kPoll, {0, 1, 2, 3});
    ASSERT_TRUE(plan.ok());
    EXPECT_EQ(plan->workers, (std::vector<int>{2, 3}));
    EXPECT_EQ(plan->control, (std::vector<unsigned>{0, 1}));
    EXPECT_TRUE(plan->hints.empty());
}

TEST(Cpus, OneThatWeMayNotUseIsRefused) {
    const auto plan = plan_cpus({1, {7}}, IdleMode::kPoll, {0, 1});
    ASSERT_FALSE(plan.ok());
    EXPECT_NE(plan.error().message.find("CPU 7"), std::string::npos);
}

TEST(Cpus, PollingWorkersGetOneEachAndLeaveTheFirst) {
    const auto plan = plan_cpus({2, {}}, IdleMode::kPoll, {0, 1, 2, 3});
    EXPECT_EQ(plan->workers, (std::vector<int>{1, 2}));
    EXPECT_EQ(plan->control, (std::vector<unsigned>{0, 3}));
}

TEST(Cpus, SleepingWorkersAreLeftToTheKernel) {
    const auto plan = plan_cpus({2, {}}, IdleMode::kAdaptive, {0, 1, 2, 3});
    EXPECT_EQ(plan->workers, (std::vector<int>{-1, -1}));
    EXPECT_EQ(plan->control, (std::vector<unsigned>{0, 1, 2, 3}));
}

TEST(Cpus, OneCpuIsEnoughAndAHintSaysSo) {
    const auto plan = plan_cpus({2, {}}, IdleMode::kPoll, {0});
    EXPECT_EQ(plan->workers, (std::vector<int>{0, 0}));
    EXPECT_EQ(plan->control, (std::vector<unsigned>{0}));
    EXPECT_EQ(plan->hints.size(), 1u);
}

TEST(Cpus, TheKernelAgrees) {
    const std::vector<unsigned> before = allowed_cpus();
    ASSERT_FALSE(before.empty());
    ASSERT_TRUE(run_on_cpus({before.back()}).ok());
    EXPECT_EQ(allowed_cpus(), std::vector<unsigned>{before.back()});
    ASSERT_TRUE(run_on_cpus(before).ok());
    EXPECT_EQ(allowed_cpus(), before);
    EXPECT_FALSE(run_on_cpus({}).ok());
}

TEST(UplinkDevice, SharedInterfacesAreFound) {
    const auto shared = [](const char* name, const char* arguments) {
        return shared_kernel_interface({DeviceKind::kVdev, name, arguments});
    };
    const auto packet = shared("net_af_packet0", "qpairs=2,iface=eth1");
    ASSERT_TRUE(packet);
    EXPECT_EQ(packet->ifname, "eth1");
    EXPECT_EQ(packet->use, KernelInterfaceUse::kPacketSocket);
    EXPECT_EQ(shared("net_af_xdp0", "iface=eth1")->use, KernelInterfaceUse::kXdpSocket);
    EXPECT_FALSE(shared("net_tap0", "iface=tap0"));
    EXPECT_FALSE(shared("net_af_packet0", "qpairs=2"));
    EXPECT_FALSE(shared_kernel_interface({DeviceKind::kPci, "0000:3b:00.0", "iface=eth1"}));
}

TEST(ServiceManager, GetsItsDatagram) {
    const std::string path = "/tmp/podlane-notify-" + std::to_string(getpid());
    const int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    sockaddr_un where{};
    where.sun_family = AF_UNIX;
    std::memcpy(where.sun_path, path.c_str(), path.size() + 1);
    ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&where), sizeof(where)), 0);
    setenv("NOTIFY_SOCKET", path.c_str(), 1);
    EXPECT_TRUE(notify_service_manager("READY=1"));
    char text[32] = {};
    EXPECT_EQ(recv(fd, text, sizeof(text), MSG_DONTWAIT), 7);
    EXPECT_STREQ(text, "READY=1");
    close(fd);
    unlink(path.c_str());
    EXPECT_FALSE(notify_service_manager("READY=1"));
    unsetenv("NOTIFY_SOCKET");
    EXPECT_FALSE(notify_service_manager("READY=1"));
}

TEST(ConfigPlace, FindsLineAndColumnOfAKey) {
    const std::string file = "/tmp/podlane-place-" + std::to_string(getpid()) + ".yaml";
    std::ofstream(file) << "node: a\nuplinks:\n  - name: u0\n  - name: u1\n"
                           "    device: net_null0\nhost: {interface: p0}\n";
    EXPECT_EQ(config_place(file, "uplinks[1].device"), file + ":5:13: uplinks[1].device");
    EXPECT_EQ(config_place(file, "host.interface"), file + ":6:19: host.interface");
    EXPECT_EQ(config_place(file, "node"), file + ":1:7: node");
    for (const char* absent : {"socket", "uplinks[2].device", "host.colour", "node[0]", "node.x"}) {
        EXPECT_EQ(config_place(file, absent), file + ": " + absent);
    }
    unlink(file.c_str());
    EXPECT_EQ(config_place(file, "node"), file + ": node");
}

TEST(ConfigPlace, FindsAnUplinkByItsName) {
    NodeConfig config;
    config.uplinks.resize(2);
    config.uplinks[1].name = "uplink1";
    EXPECT_EQ(uplink_device_path(config, "uplink1"), "uplinks[1].device");
    EXPECT_EQ(uplink_device_path(config, "uplink7"), "uplinks");
}

TEST(Join, PutsCommasBetween) {
    EXPECT_EQ(join(std::vector<int>{}), "");
    EXPECT_EQ(join(std::vector<int>{1, 22}), "1, 22");
}

TEST(ObjectFiles, AMissingFileIsNamed) {
    const auto parsed = parse_object_files({"/no/such.yml"});
    ASSERT_FALSE(parsed.ok());
    EXPECT_NE(parsed.error().message.find("/no/such.yml"), std::string::npos);
    EXPECT_TRUE(parse_object_files({}).ok());
}

}  // namespace
}  // namespace podlane::control
