#include "control/config/subnet_file.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "control/config/node_config.h"

namespace podlane::control {
namespace {

namespace fs = std::filesystem;

// As flannel's WriteSubnetFile() makes it (pkg/subnet/subnet.go).
constexpr const char* kBoth =
    "FLANNEL_NETWORK=10.42.0.0/16\n"
    "FLANNEL_SUBNET=10.42.3.1/24\n"
    "FLANNEL_IPV6_NETWORK=fd00:42::/48\n"
    "FLANNEL_IPV6_SUBNET=fd00:42:0:3::1/64\n"
    "FLANNEL_MTU=1430\n"
    "FLANNEL_IPMASQ=true\n";

std::string error_of(std::string_view text) {
    const auto file = parse_subnet_file(text, "subnet.env");
    return file.ok() ? "" : file.error().message;
}

TEST(SubnetFile, IsReadAndMadeAsFlannelHasIt) {
    const auto file = parse_subnet_file(kBoth, "subnet.env");
    ASSERT_TRUE(file.ok()) << file.error().message;
    ASSERT_EQ(file->networks.size(), 2U);
    EXPECT_EQ(to_string(file->networks[0]), "10.42.0.0/16");
    ASSERT_EQ(file->subnets.size(), 2U);
    EXPECT_EQ(to_string(file->subnets[0]), "10.42.3.0/24") << "not the gateway's address";
    EXPECT_EQ(to_string(file->subnets[1]), "fd00:42:0:3::/64");
    EXPECT_EQ(file->mtu, 1430);
    EXPECT_EQ(subnet_file_text(*file), kBoth);
}

TEST(SubnetFile, MayHaveSeveralNetworksQuotesAndWhatWeDoNotKnow) {
    const auto file = parse_subnet_file(
        "# made by hand\n\nFLANNEL_NETWORK=10.42.0.0/16,10.43.0.0/16\r\n"
        "FLANNEL_SUBNET='10.42.3.1/24'\nFLANNEL_COLOUR=blue\nFLANNEL_IPV6_SUBNET=\n",
        "subnet.env");
    ASSERT_TRUE(file.ok()) << file.error().message;
    EXPECT_EQ(file->networks.size(), 2U);
    EXPECT_EQ(file->subnets.size(), 1U);
    EXPECT_FALSE(file->mtu);
}

TEST(SubnetFile, WhatIsWrongIsNamedByLineKeyAndValue) {
    EXPECT_EQ(error_of("FLANNEL_MTU=1450\n"),
              "subnet.env: has neither FLANNEL_SUBNET nor FLANNEL_IPV6_SUBNET");
    EXPECT_EQ(error_of("\nnonsense\n"), "subnet.env:2: \"nonsense\" is no line of KEY=VALUE");
    EXPECT_EQ(
        error_of("FLANNEL_SUBNET=10.42.3.1\n"),
        "subnet.env:1: FLANNEL_SUBNET: \"10.42.3.1\" is no IPv4 address with a prefix length");
    EXPECT_EQ(error_of("FLANNEL_SUBNET=fd00::1/64\n"),
              "subnet.env:1: FLANNEL_SUBNET: \"fd00::1/64\" is no IPv4 address with a prefix "
              "length");
    EXPECT_EQ(error_of("FLANNEL_NETWORK=10.42.0.0/33\n"),
              "subnet.env:1: FLANNEL_NETWORK: \"10.42.0.0/33\" is no IPv4 prefix");
    EXPECT_EQ(error_of("FLANNEL_MTU=67\n"),
              "subnet.env:1: FLANNEL_MTU: \"67\" is no MTU (68-65535)");
    EXPECT_EQ(error_of("FLANNEL_SUBNET=10.42.3.1/24\nFLANNEL_SUBNET=10.42.4.1/24\n"),
              "subnet.env:2: FLANNEL_SUBNET: \"10.42.4.1/24\" is a second subnet of its family");
}

class ConfigBesideSubnetFile : public testing::Test {
  protected:
    ConfigBesideSubnetFile() {
        std::string name = (fs::temp_directory_path() / "subnet-XXXXXX").string();
        folder_ = ::mkdtemp(name.data());
        std::ofstream(folder_ + "/subnet.env") << kBoth;
    }
    ~ConfigBesideSubnetFile() override { fs::remove_all(folder_); }

    Result<NodeConfig> load(const std::string& pods, const std::string& rest = {}) const {
        return load_node_config_from_text("node: a\npods: {" + pods + "}\n" + rest,
                                          folder_ + "/node.yaml");
    }

    std::string folder_;
};

TEST_F(ConfigBesideSubnetFile, TheNodeHasTheSubnetThatFlannelHadForIt) {
    const auto config = load("subnetFile: subnet.env");
    ASSERT_TRUE(config.ok()) << config.error().message;
    ASSERT_EQ(config->pods.cidrs.size(), 2U);
    EXPECT_EQ(to_string(config->pods.cidrs[0]), "10.42.3.0/24");
    EXPECT_EQ(to_string(config->pods.gateways().at(0)), "10.42.3.1");
    ASSERT_EQ(config->cluster.pod_cidrs.size(), 2U);
    EXPECT_EQ(to_string(config->cluster.pod_cidrs[1]), "fd00:42::/48");
    EXPECT_EQ(config->pods.mtu, 1430);
    EXPECT_EQ(load("subnetFile: " + folder_ + "/subnet.env")->pods.cidrs, config->pods.cidrs);
}

TEST_F(ConfigBesideSubnetFile, WhatTheConfigurationSaysItselfCounts) {
    const auto config = load("subnetFile: subnet.env, mtu: 1400",
                             "cluster: {podCidrs: [10.0.0.0/9, \"fd00::/16\"], serviceCidrs: "
                             "[10.200.0.0/16]}\n");
    ASSERT_TRUE(config.ok()) << config.error().message;
    EXPECT_EQ(to_string(config->cluster.pod_cidrs.at(0)), "10.0.0.0/9");
    EXPECT_EQ(config->pods.mtu, 1400);
    const auto outside = load("subnetFile: subnet.env", "cluster: {podCidrs: [10.244.0.0/16]}\n");
    ASSERT_FALSE(outside.ok());
    EXPECT_NE(outside.error().message.find("10.42.3.0/24 is not within cluster.podCidrs"),
              std::string::npos)
        << outside.error().message;
}

TEST_F(ConfigBesideSubnetFile, AFileThatCannotBeUsedIsNamedAtItsKey) {
    const auto missing = load("subnetFile: none.env");
    ASSERT_FALSE(missing.ok());
    EXPECT_EQ(missing.error().path, "pods.subnetFile");
    EXPECT_NE(missing.error().message.find("none.env: there is no such file"), std::string::npos);
    std::ofstream(folder_ + "/odd.env") << "FLANNEL_SUBNET=here\n";
    EXPECT_NE(load("subnetFile: odd.env").error().message.find("odd.env:1: FLANNEL_SUBNET"),
              std::string::npos);
    const auto both = load("subnetFile: subnet.env, cidrs: [10.244.1.0/24]");
    ASSERT_FALSE(both.ok());
    EXPECT_NE(both.error().message.find("cidrs"), std::string::npos);
}

}  // namespace
}  // namespace podlane::control
