#include <filesystem>
#include <fstream>

#include "tests/unit/node/node_fixture.h"

namespace podlane::control {
namespace {

class Start : public NodeFixture {};

TEST_F(Start, TheHostInterfaceIsTheUplinksTwin) {
    start();
    ASSERT_EQ(taps_.hosts.size(), 1u);
    const HostTapRequest& host = taps_.hosts[0];
    EXPECT_EQ(host.ifname, "podlane0");
    EXPECT_EQ(host.mac, kUplinkMac);
    EXPECT_EQ(host.mtu, 1500);
    ASSERT_EQ(host.addresses.size(), 2u);
    EXPECT_EQ(to_string(host.addresses[0]), "192.168.50.1/24");
    EXPECT_EQ(host.gateways, std::vector<IpAddress>{address("192.168.50.254")});
    EXPECT_EQ(host.cluster_cidrs.size(), 4u);
    ASSERT_EQ(host.routers.size(), 2u);
    EXPECT_EQ(host.routers[0].address, address("10.244.1.1"));
    EXPECT_EQ(host.routers[0].mac, live().gateway_mac);
    EXPECT_EQ(live().host_port, port_of("podlane0"));
}

TEST_F(Start, WithoutHostThereIsNone) {
    config_.host.reset();
    start();
    EXPECT_TRUE(taps_.hosts.empty());
    EXPECT_EQ(live().host_port, kNoPort);
}

TEST_F(Start, TheFirstGenerationIsPublishedWhole) {
    start();
    EXPECT_EQ(dataplane_.published.size(), 1u);
    EXPECT_EQ(generation(), 1u);
    EXPECT_EQ(live().v4.node_addresses.size(), 1u);
    EXPECT_EQ(live().v6.node_addresses.size(), 1u);
}

TEST_F(Start, OurAddressesAreAnnounced) {
    start();
    const auto announced = dataplane_.commands_of(CommandKind::kAnnounce);
    ASSERT_EQ(announced.size(), 2u);
    EXPECT_EQ(announced[0].port, uplink_);
    EXPECT_EQ(announced[0].address.to_ip(), address("192.168.50.1"));
    EXPECT_EQ(announced[0].our_mac, kUplinkMac);
    EXPECT_EQ(announced[1].address.to_ip(), address("fd50::1"));
}

TEST_F(Start, TheAnnouncementIsRepeatedOnceTwoSecondsLater) {
    start();
    pass(1900);
    EXPECT_EQ(dataplane_.commands_of(CommandKind::kAnnounce).size(), 2u);
    pass(10'000);
    EXPECT_EQ(dataplane_.commands_of(CommandKind::kAnnounce).size(), 4u);
}

TEST_F(Start, TheGatewayIsAskedFor) {
    start();
    const auto asked = dataplane_.commands_of(CommandKind::kSolicit);
    ASSERT_EQ(asked.size(), 1u);
    EXPECT_EQ(asked[0].address.to_ip(), address("192.168.50.254"));
}

TEST_F(Start, StaticPodPortsAreOpened) {
    PodPortConfig port;
    port.name_space = "default";
    port.name = "gen";
    port.device = *parse_device("net_pcap0,rx_pcap=a.pcap");
    port.addresses = {address("10.244.1.9")};
    port.mac = {{2, 0, 0, 0, 0, 9}};
    config_.pods.ports.push_back(port);
    start();
    EXPECT_EQ(live().fdb->find(port.mac), index_of(port_of("default/gen")));
    const Json item = ok(node_->get("ports", "default/gen", std::nullopt)).at("items")[0];
    EXPECT_EQ(item.at("kind"), "static");
    EXPECT_EQ(item.at("device"), "net_pcap0,rx_pcap=a.pcap");
    EXPECT_EQ(item.at("pod"), "default/gen");
    EXPECT_FALSE(item.contains("netns"));
    EXPECT_EQ(failure(node_->remove_pod({.pod = "default/gen"})).code, rpc_code::kConflict);
}

TEST_F(Start, AHostInterfaceThatCannotBeMadeIsNamed) {
    taps_.refuse_with = "podlane0: Operation not permitted";
    make();
    const auto started = node_->start();
    ASSERT_FALSE(started.ok());
    EXPECT_EQ(started.error().message,
              "node-a.yaml: host.interface: podlane0: Operation not permitted");
}

TEST_F(Start, WhatStartMadeGoesWhenItFails) {
    config_.objects = {"/no/such/file.yml"};
    make();
    const auto started = node_->start();
    ASSERT_FALSE(started.ok());
    EXPECT_NE(started.error().message.find("/no/such/file.yml"), std::string::npos);
    EXPECT_EQ(taps_.removed, std::vector<std::string>{"podlane0"});
    EXPECT_TRUE(dataplane_.published.empty());
}

TEST_F(Start, TapsGoWithTheController) {
    start();
    add_pod("default/web", {"10.244.1.10"});
    node_.reset();
    EXPECT_EQ(taps_.removed.size(), 2u);
}

TEST_F(Start, ConfiguredObjectsAreThereFromTheFirstGenerationOn) {
    const auto folder =
        std::filesystem::temp_directory_path() / ("podlane-daemon-" + std::to_string(getpid()));
    std::filesystem::create_directory(folder);
    std::ofstream(folder / "10-web.yml") << kWebService;
    std::ofstream(folder / "20-node.yaml") << kNodeB;
    std::ofstream(folder / "notes.txt") << "no manifest";
    config_.objects = {folder.string()};
    start();
    std::filesystem::remove_all(folder);
    EXPECT_EQ(dataplane_.published.size(), 1u);
    EXPECT_EQ(ok(node_->get("services", std::nullopt, std::nullopt)).at("items").size(), 1u);
    EXPECT_EQ(ok(node_->get("nodes", std::nullopt, std::nullopt)).at("items").size(), 1u);
}

TEST_F(Start, HealthIsOkAndNamesTheWorkers) {
    start();
    now_ms_ += 61'500;
    const Json health = ok(node_->health());
    EXPECT_EQ(health.at("status"), "ok") << health.dump();
    EXPECT_EQ(health.at("node"), "node-a");
    EXPECT_EQ(health.at("uptimeSeconds"), 61);
    EXPECT_EQ(health.at("generation"), 1);
    EXPECT_EQ(health.at("workers")[0],
              (Json{{"id", 0}, {"alive", true}, {"generation", 1}, {"stillSeconds", 0}}));
}

TEST_F(Start, HealthChecksAreToldOnceWithTheAddressesOfNodePorts) {
    config_.cluster.node_port_addresses = {prefix("192.168.50.0/24")};
    start();
    apply(kWebService);
    EXPECT_TRUE(health_checks_.empty()) << "there is none";
    apply(R"(
apiVersion: v1
kind: Service
metadata: {name: checked}
spec: {type: LoadBalancer, externalTrafficPolicy: Local, healthCheckNodePort: 32000,
       clusterIP: 10.96.0.77, ports: [{port: 80}]}
)");
    ASSERT_EQ(health_checks_.size(), 1u);
    EXPECT_EQ(health_checks_[0].at({"default", "checked"}).port, 32000);
    EXPECT_EQ(health_addresses_, (std::vector<IpAddress>{address("192.168.50.1")}));
    ok(node_->remove("service", "default/web"));
    EXPECT_EQ(health_checks_.size(), 1u);
    ok(node_->remove("service", "default/checked"));
    ASSERT_EQ(health_checks_.size(), 2u);
    EXPECT_TRUE(health_checks_[1].empty());
    EXPECT_TRUE(node_->is_serving());
}

}  // namespace
}  // namespace podlane::control
