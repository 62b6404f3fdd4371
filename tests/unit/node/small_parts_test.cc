// The parts that stand alone: names of pods, devices of uplinks, files of objects.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "control/kube/manifests.h"
#include "control/node/object_files.h"
#include "control/node/pod_names.h"
#include "control/node/uplink_device.h"

namespace podlane::control {
namespace {

TEST(PodNames, FollowKubernetesSpelling) {
    EXPECT_TRUE(is_pod_name("default/web-0"));
    EXPECT_TRUE(is_pod_name("kube-system/a.b.c"));
    for (const char* wrong : {"web", "/web", "default/", "a/b/c", "Default/web", "a.b/web",
                              "default/-web", "default/web-", "default/we b", "default/a..b"}) {
        EXPECT_FALSE(is_pod_name(wrong)) << wrong;
    }
    // A Job's pod: no part of a pod's name has a limit of its own, but for the whole.
    EXPECT_TRUE(is_pod_name("default/" + std::string(253, 'a')));
    EXPECT_TRUE(is_pod_name("default/" + std::string(64, 'a') + ".b"));
    EXPECT_FALSE(is_pod_name("default/" + std::string(254, 'a')));
    EXPECT_FALSE(is_pod_name(std::string(64, 'a') + "/web"));
}

TEST(PodNames, ContainerIdsAreCnis) {
    EXPECT_TRUE(
        is_container_id("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"));
    EXPECT_TRUE(is_container_id("A_b.c-1"));
    for (const char* wrong : {"", "-a", ".a", "_a", "a/b", "a b", "a:b"}) {
        EXPECT_FALSE(is_container_id(wrong)) << wrong;
    }
    EXPECT_FALSE(is_container_id(std::string(254, 'a')));
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

TEST(UplinkDevice, SharedInterfacesAreFound) {
    const auto shared = [](const char* name, const char* arguments) {
        return shared_kernel_interface(*parse_device(std::string(name) + "," + arguments));
    };
    const auto packet = shared("net_af_packet0", "qpairs=2,iface=eth1");
    ASSERT_TRUE(packet);
    EXPECT_EQ(packet->ifname, "eth1");
    EXPECT_EQ(packet->use, KernelInterfaceUse::kPacketSocket);
    EXPECT_EQ(shared("net_af_xdp0", "iface=eth1")->use, KernelInterfaceUse::kXdpSocket);
    EXPECT_EQ(shared("net_tc0", "iface=eth1")->use, KernelInterfaceUse::kPrograms);
    EXPECT_EQ(nic_beside_tap(*parse_device("net_tc0,iface=eth1")), "eth1");
    EXPECT_FALSE(nic_beside_tap(*parse_device("net_af_xdp0,iface=eth1")));
    EXPECT_FALSE(shared("net_tap0", "iface=tap0"));
    EXPECT_FALSE(shared("net_tap0", "iface=tap0,remote=eth1"));
    EXPECT_EQ(shared("eth_af_packet0", "iface=eth1")->ifname, "eth1");
    EXPECT_FALSE(shared("net_af_packet0", "qpairs=2"));
    EXPECT_FALSE(shared_kernel_interface(*parse_device("0000:3b:00.0")));
}

TEST(ObjectFiles, AMissingFileIsNamed) {
    const auto parsed = parse_object_files({"/no/such.yml"});
    ASSERT_FALSE(parsed.ok());
    EXPECT_NE(parsed.error().message.find("/no/such.yml"), std::string::npos);
    EXPECT_TRUE(parse_object_files({}).ok());
}

class ObjectFolder : public ::testing::Test {
  protected:
    ObjectFolder() {
        std::string pattern = std::filesystem::temp_directory_path() / "podlane-objects-XXXXXX";
        folder_ = ::mkdtemp(pattern.data());
    }
    ~ObjectFolder() override { std::filesystem::remove_all(folder_); }
    std::string write(const char* name, const char* text) const {
        std::ofstream(folder_ / name) << text;
        return folder_ / name;
    }

    std::filesystem::path folder_;
};

TEST_F(ObjectFolder, AFileOfItThatHoldsNoObjectIsPassedOver) {
    EXPECT_TRUE(parse_object_files({folder_}).ok()) << "an empty folder";
    const std::string config = write("a.yaml", "node: node-a\nuplinks: []\n");
    write("b.yaml", "kind: Namespace\napiVersion: v1\nmetadata: {name: shop}\n");
    const auto parsed = parse_object_files({folder_});
    ASSERT_TRUE(parsed.ok()) << parsed.error().message;
    EXPECT_EQ(parsed->objects.size(), 1u);
    EXPECT_EQ(parsed->notices, std::vector<std::string>{no_objects_notice(config)});
    EXPECT_FALSE(parse_object_files({config}).ok()) << "a file that is named must hold objects";
}

TEST_F(ObjectFolder, CheckSaysWhatAStartWould) {
    NodeConfig config;
    config.node = "node-a";
    config.cluster.service_cidrs = {*parse_prefix("10.96.0.0/12")};
    config.objects = {folder_};
    config.uplinks.resize(1);
    config.uplinks[0].name = "uplink0";
    write("a.yaml", "kind: Servce\napiVersion: v1\nmetadata: {name: web}\n");
    const auto misspelt = check_object_files(config);
    ASSERT_FALSE(misspelt.ok());
    EXPECT_NE(misspelt.error().message.find("Servce"), std::string::npos);
    write("a.yaml",
          "kind: Service\napiVersion: v1\nmetadata: {name: web, namespace: shop}\n"
          "spec: {clusterIP: 192.168.77.1, ports: [{port: 80}]}\n");
    const auto outside = check_object_files(config);
    ASSERT_TRUE(outside.ok()) << outside.error().message;
    EXPECT_EQ(outside->count, 1u);
    ASSERT_EQ(outside->notices.size(), 1u) << "that no port is open is no news here";
    EXPECT_NE(outside->notices[0].find("outside cluster.serviceCidrs"), std::string::npos);
    write("b.yaml",
          "kind: Service\napiVersion: v1\nmetadata: {name: twin, namespace: shop}\n"
          "spec: {clusterIP: 192.168.77.1, ports: [{port: 80}]}\n");
    EXPECT_FALSE(check_object_files(config).ok()) << "two Services want one clusterIP";
}

}  // namespace
}  // namespace podlane::control
