#include "control/config/node_config.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace podlane::control {
namespace {

namespace fs = std::filesystem;

fs::path source_root() {
    const char* root = std::getenv("PODLANE_SOURCE");
    return root == nullptr ? fs::current_path() : fs::path(root);
}

std::vector<fs::path> yaml_files(const fs::path& folder) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
        if (entry.path().extension() == ".yaml") files.push_back(entry.path());
    }
    std::ranges::sort(files);
    return files;
}

std::string contents(const fs::path& path) {
    std::ostringstream out;
    out << std::ifstream(path).rdbuf();
    return out.str();
}

/// The configuration, or a failure with its error.
NodeConfig load(std::string_view text) {
    auto config = load_node_config_from_text(text, "dir/node.yaml");
    EXPECT_TRUE(config.ok()) << (config.ok() ? "" : config.error().message);
    return config.ok() ? config.value() : NodeConfig();
}

constexpr std::string_view kSmall = "node: a\npods: {cidrs: [10.244.1.0/24]}\n";

TEST(NodeConfig, HasTheContractsDefaults) {
    const NodeConfig config = load(kSmall);
    EXPECT_EQ(config.node, "a");
    EXPECT_EQ(config.socket, "/run/podlane/podlane.sock");
    EXPECT_EQ(config.workers.count, 1U);
    EXPECT_TRUE(config.workers.cpus.empty());
    EXPECT_EQ(config.idle, IdleMode::kAdaptive);
    EXPECT_EQ(config.memory.hugepages, HugepagesMode::kAuto);
    EXPECT_EQ(config.memory.mbufs, 65536U);
    EXPECT_EQ(config.memory.mbuf_bytes, 2176U);
    EXPECT_EQ(config.flows.capacity, 1048576U);
    EXPECT_FALSE(config.flows.counters);
    EXPECT_FALSE(config.host);
    EXPECT_EQ(config.pods.mtu, 1500);
    EXPECT_EQ(config.pods.sockets, "/run/podlane/pods");
    EXPECT_EQ(config.overlay.format, OverlayFormat::kVxlan);
    EXPECT_EQ(config.overlay.vni, 1U);
    EXPECT_EQ(config.overlay.port, 8472);
    EXPECT_EQ(to_string(config.cluster.pod_cidrs.at(0)), "10.244.0.0/16");
    EXPECT_EQ(to_string(config.cluster.service_cidrs.at(0)), "10.96.0.0/12");
    EXPECT_EQ(config.cluster.node_ports.first, 30000);
    EXPECT_EQ(config.cluster.node_ports.last, 32767);
    EXPECT_EQ(config.cluster.domain, "cluster.local");
}

TEST(NodeConfig, ReadsTheWholeContract) {
    const NodeConfig config = load(R"(
node: node-a
socket: /run/x.sock
workers: [0]
idle: poll
memory: {hugepages: off, mbufs: 8192, mbufBytes: 9216}
flows: {capacity: 4096, counters: on}
uplinks:
  - name: uplink0
    device: "0000:3b:00.0"
    addresses: [192.168.50.1/24, "fd00:50::1/64"]
    gateway: [192.168.50.254, "fe80::1"]
    mtu: 9000
    mac: "02:00:00:00:00:01"
    neighbors: [{address: 192.168.50.2, mac: "02:00:00:00:00:02"}]
    routes: [{to: 10.77.0.0/16, via: 192.168.50.253}, {to: "2001:db8::/32", via: "fe80::2"}]
host: {interface: podlane0}
pods:
  cidrs: [10.244.1.0/24, "fd00:10:244:1::/64"]
  gatewayMac: "02:00:00:00:00:03"
  mtu: 1400
  sockets: /srv/pods/
  ports:
    - {name: default/gen, device: "net_pcap0,rx_pcap=a.pcap", addresses: [10.244.1.10], mac: "02:00:00:00:00:04", allowedAddresses: [10.244.1.200, "fd00:9::/64"]}
overlay: {type: vxlan, vni: 7, port: 4789, mac: "02:00:00:00:00:05"}
cluster:
  podCidrs: [10.244.0.0/16, "fd00:10:244::/48"]
  serviceCidrs: [10.96.0.0/12, "fd00:10:96::/112"]
  nodePorts: 31000-31999
  domain: lab.local
objects: [objects, /etc/podlane/objects.yaml]
)");
    EXPECT_TRUE(config.flows.counters);
    EXPECT_EQ(config.workers.cpus, std::vector<unsigned>{0});
    EXPECT_EQ(config.idle, IdleMode::kPoll);
    EXPECT_EQ(config.memory.hugepages, HugepagesMode::kOff);
    ASSERT_EQ(config.uplinks.size(), 1U);
    const UplinkConfig& uplink = config.uplinks[0];
    EXPECT_EQ(uplink.device.kind, DeviceKind::kPci);
    EXPECT_EQ(uplink.addresses.size(), 2U);
    EXPECT_EQ(to_string(uplink.gateways.at(1)), "fe80::1");
    EXPECT_EQ(uplink.mtu, 9000);
    EXPECT_EQ(to_string(uplink.mac.value()), "02:00:00:00:00:01");
    EXPECT_EQ(to_string(uplink.neighbors.at(0).mac), "02:00:00:00:00:02");
    ASSERT_EQ(uplink.routes.size(), 2U);
    EXPECT_EQ(to_string(uplink.routes[0].destination), "10.77.0.0/16");
    EXPECT_EQ(to_string(uplink.routes[1].via), "fe80::2");
    EXPECT_NE(describe(config).find("route 10.77.0.0/16 over 192.168.50.253"), std::string::npos);
    EXPECT_EQ(config.host->interface, "podlane0");
    EXPECT_EQ(to_string(config.pods.gateways().at(0)), "10.244.1.1");
    EXPECT_EQ(to_string(config.pods.gateways().at(1)), "fd00:10:244:1::1");
    EXPECT_TRUE(config.pods.contains(*parse_ip("10.244.1.77")));
    EXPECT_FALSE(config.pods.contains(*parse_ip("10.244.2.77")));
    EXPECT_EQ(config.pods.mtu, 1400);
    EXPECT_EQ(config.pods.sockets, "/srv/pods");
    EXPECT_FALSE(config.pods.mtu_is_auto);
    EXPECT_EQ(config.pods.ports.at(0).key(), "default/gen");
    EXPECT_EQ(to_string(config.pods.ports.at(0).allowed_addresses.at(0)), "10.244.1.200/32");
    EXPECT_EQ(to_string(config.pods.ports.at(0).allowed_addresses.at(1)), "fd00:9::/64");
    EXPECT_EQ(config.overlay.vni, 7U);
    EXPECT_FALSE(config.overlay.over_v6);
    EXPECT_TRUE(config.cluster.node_ports.contains(31500));
    EXPECT_EQ(config.objects,
              (std::vector<std::string>{"dir/objects", "/etc/podlane/objects.yaml"}));
}

TEST(NodeConfig, GeneveHasItsOwnPortAndCostsWhatVxlanDoes) {
    const auto with = [](std::string_view address, std::string_view overlay) {
        return load(std::string(kSmall) +
                    "uplinks: [{name: u, device: \"net_null0\", addresses: [" +
                    std::string(address) + "]}]\noverlay: " + std::string(overlay) + "\n");
    };
    const NodeConfig v4 = with("192.168.50.1/24", "{type: geneve}");
    EXPECT_EQ(v4.overlay.format, OverlayFormat::kGeneve);
    EXPECT_EQ(v4.overlay.port, 6081);
    EXPECT_EQ(v4.pods.mtu, 1450);
    EXPECT_NE(describe(v4).find("Geneve, VNI 1, UDP port 6081, over IPv4, 50 bytes a packet"),
              std::string::npos)
        << describe(v4);
    EXPECT_EQ(with("\"fd50::1/64\"", "{type: geneve}").pods.mtu, 1430);
    EXPECT_EQ(with("192.168.50.1/24", "{type: geneve, port: 7000}").overlay.port, 7000);
    const NodeConfig direct = with("192.168.50.1/24", "{type: direct}");
    EXPECT_FALSE(direct.overlay.format);
    EXPECT_EQ(direct.pods.mtu, 1500);
}

TEST(NodeConfig, SaysWhichAddressesServeNodePorts) {
    const auto cluster = [](std::string_view value) {
        return load(std::string(kSmall) + "cluster: {nodePortAddresses: " + std::string(value) +
                    "}\n")
            .cluster;
    };
    EXPECT_FALSE(load(kSmall).cluster.node_ports_on_primary);
    EXPECT_TRUE(load(kSmall).cluster.node_port_addresses.empty());
    EXPECT_TRUE(cluster("primary").node_ports_on_primary);
    EXPECT_TRUE(cluster("[primary]").node_ports_on_primary);
    const ClusterConfig some = cluster("[192.168.50.0/24, \"fd00:50::/64\"]");
    EXPECT_FALSE(some.node_ports_on_primary);
    EXPECT_EQ(some.node_port_addresses.size(), 2U);
    const auto text = [](const NodeConfig& config) { return describe(config); };
    NodeConfig config = load(kSmall);
    EXPECT_EQ(text(config).find("node ports on"), std::string::npos);
    config.cluster = some;
    EXPECT_NE(text(config).find("node ports on addresses in 192.168.50.0/24"), std::string::npos);
    config.cluster = cluster("primary");
    EXPECT_NE(text(config).find("node ports on the first address"), std::string::npos);
}

TEST(NodeConfig, AnAddressWithoutASubnetHasAGatewayOnTheLink) {
    const NodeConfig config =
        load(std::string(kSmall) +
             "uplinks:\n"
             "  - {name: u, device: net_null0, addresses: [198.51.100.7/32, \"2001:db8::7/128\"],\n"
             "     gateway: [192.0.2.1, \"2001:db8:ffff::1\"],\n"
             "     neighbors: [{address: 192.0.2.1, mac: \"02:00:00:00:00:01\"}]}\n");
    ASSERT_EQ(config.uplinks.at(0).gateways.size(), 2U);
    EXPECT_EQ(to_string(config.uplinks[0].gateways[0]), "192.0.2.1");
    EXPECT_EQ(to_string(config.uplinks[0].gateways[1]), "2001:db8:ffff::1");
    EXPECT_EQ(config.uplinks[0].neighbors.size(), 1U);
}

TEST(NodeConfig, HasTheTimeoutsOfANodeWithKubeProxyUnlessOthersAreGiven) {
    EXPECT_EQ(load(kSmall).flows.timeouts, FlowTimeouts{});
    uint32_t seconds = 100;
    for (const FlowTimeoutKey& key : flow_timeout_keys()) {
        ++seconds;
        const NodeConfig config =
            load(std::string(kSmall) + "flows: {timeouts: {" + std::string(key.name) + ": " +
                 std::to_string(seconds) + "}}\n");
        EXPECT_EQ(config.flows.timeouts.*key.member, seconds) << key.name;
        EXPECT_NE(
            describe(config).find(std::string(key.name) + " " + std::to_string(seconds) + " s"),
            std::string::npos);
    }
    static_assert(sizeof(FlowTimeouts) == 16 * sizeof(uint32_t));
    EXPECT_EQ(flow_timeout_keys().size(), 16U) << "each has its key";
    EXPECT_EQ(load(std::string(kSmall) + "flows: {timeouts: {tcpCloseWait: 1h30m}}\n")
                  .flows.timeouts.tcp_close_wait,
              5400U);
}

TEST(NodeConfig, SaysWhoIsAskedForOtherNames) {
    const auto dns = [](std::string_view upstream) {
        const std::string text = describe(
            load(std::string(kSmall) + "cluster: {upstreamDns: " + std::string(upstream) + "}\n"));
        const size_t at = text.find("dns ");
        return text.substr(at, text.find('\n', at) - at);
    };
    EXPECT_EQ(dns("[]"), "dns        answers at 10.96.0.10, refuses other names");
    EXPECT_EQ(
        dns("host"),
        "dns        answers at 10.96.0.10, asks the servers of /etc/resolv.conf for other names");
    EXPECT_EQ(
        dns("[192.0.2.1, \"[2001:db8::1]:5353\"]"),
        "dns        answers at 10.96.0.10, asks 192.0.2.1:53, [2001:db8::1]:5353 for other names");
}

TEST(NodeConfig, LeavesRoomForTheOverlayInThePodsMtu) {
    const auto mtu = [](std::string_view rest) {
        const NodeConfig config = load(std::string(kSmall) + std::string(rest));
        return config.pods.mtu;
    };
    EXPECT_EQ(mtu("uplinks: [{name: u, device: net_null0, addresses: [10.0.0.1/24]}]\n"), 1450);
    EXPECT_EQ(mtu("uplinks: [{name: u, device: net_null0, addresses: [\"fd00::1/64\"]}]\n"), 1430);
    EXPECT_EQ(mtu("uplinks: [{name: u, device: net_null0, addresses: [10.0.0.1/24]}]\n"
                  "overlay: {type: direct}\n"),
              1500);
    EXPECT_EQ(mtu("uplinks: [{name: u, device: net_null0, addresses: [10.0.0.1/24], mtu: 9000},\n"
                  "          {name: v, device: net_null1, addresses: [10.0.1.1/24], mtu: 2000}]\n"),
              1950);
}

TEST(NodeConfig, AddsTheNodesPodsToTheClustersWhereTheFileDoesNotSay) {
    const NodeConfig config = load("node: a\npods: {cidrs: [10.1.0.0/24, \"fd00::/64\"]}\n");
    ASSERT_EQ(config.cluster.pod_cidrs.size(), 2U);
    EXPECT_EQ(to_string(config.cluster.pod_cidrs[0]), "10.1.0.0/24");
    EXPECT_EQ(to_string(config.cluster.pod_cidrs[1]), "fd00::/64");
}

std::vector<std::string> dns_of(std::string_view cluster) {
    std::vector<std::string> out;
    const std::string text =
        "node: a\npods: {cidrs: [10.244.1.0/24, \"fd00:1::/64\"]}\n" + std::string(cluster);
    for (const IpAddress& address : load(text).cluster.dns) out.push_back(to_string(address));
    return out;
}

TEST(NodeConfig, TheClustersDnsIsTheTenthServiceAddressOfEachFamilyUnlessItSaysOtherwise) {
    using Texts = std::vector<std::string>;
    EXPECT_EQ(dns_of(""), Texts{"10.96.0.10"});
    EXPECT_EQ(dns_of("cluster: {dns: auto}"), Texts{"10.96.0.10"});
    EXPECT_EQ(dns_of("cluster: {serviceCidrs: [\"fd96::/112\", 10.3.0.0/24, 10.4.0.0/24]}"),
              (Texts{"fd96::a", "10.3.0.10"}));
    EXPECT_EQ(dns_of("cluster: {serviceCidrs: [10.3.0.0/30]}"), Texts{}) << "it has no tenth";
    EXPECT_EQ(dns_of("cluster: {dns: off}"), Texts{});
    EXPECT_EQ(dns_of("cluster: {dns: \"off\"}"), Texts{});
    EXPECT_EQ(dns_of("cluster: {dns: 169.254.20.10}"), Texts{"169.254.20.10"});
    EXPECT_EQ(dns_of("cluster: {dns: [10.96.0.53, \"fd96::53\"]}"),
              (Texts{"10.96.0.53", "fd96::53"}));
    EXPECT_EQ(load("node: a\npods: {cidrs: [10.244.1.0/24]}\n"
                   "cluster: {serviceCidrs: [10.3.0.0/24, \"fd96::/112\"]}\n")
                  .cluster.dns.size(),
              1u)
        << "of the families that pods have";
}

TEST(NodeConfig, UpstreamServersAreTheHostsOrThoseOfTheList) {
    const auto upstream = [](std::string_view cluster) {
        return load(std::string(kSmall) + std::string(cluster)).cluster.upstream_dns;
    };
    EXPECT_EQ(upstream(""), std::nullopt);
    EXPECT_EQ(upstream("cluster: {upstreamDns: host}"), std::nullopt);
    EXPECT_EQ(upstream("cluster: {upstreamDns: []}"), std::vector<UpstreamDns>{});
    EXPECT_EQ(
        upstream("cluster: {upstreamDns: [192.0.2.1, \"[2001:db8::1]:5353\"]}"),
        (std::vector<UpstreamDns>{{*parse_ip("192.0.2.1"), 53}, {*parse_ip("2001:db8::1"), 5353}}));
}

TEST(NodeConfig, ReadsJsonToo) {
    EXPECT_EQ(load(R"({"node": "a", "pods": {"cidrs": ["10.244.1.0/24"]}})").node, "a");
}

TEST(NodeConfig, CannotBeReadFromNothing) {
    EXPECT_EQ(load_node_config("/nonexistent.yaml").error().message,
              "/nonexistent.yaml: cannot be read: No such file or directory");
    EXPECT_EQ(load_node_config("/").error().message, "/: cannot be read: it is a folder");
}

TEST(NodeConfig, ReadsPoolsAndWhereTheirAddressesAreKept) {
    const NodeConfig config = load(
        "node: a\npods: {cidrs: [10.244.1.0/24]}\nsocket: /run/x/a.sock\n"
        "uplinks: [{name: u, device: net_null0, addresses: [192.168.50.1/24]}]\n"
        "loadBalancer: {pools: [192.168.50.200/29, '2001:db8::1-2001:db8::9']}\n");
    ASSERT_EQ(config.load_balancer.pools.size(), 2U);
    EXPECT_EQ(to_string(config.load_balancer.pools[0]), "192.168.50.200-192.168.50.207");
    EXPECT_EQ(to_string(config.load_balancer.pools[1]), "2001:db8::1-2001:db8::9");
    EXPECT_EQ(config.load_balancer.state, "/run/x/a.addresses.json");
    EXPECT_NE(describe(config).find("192.168.50.200-192.168.50.207, 2001:db8::1-2001:db8::9"),
              std::string::npos);
    EXPECT_EQ(load("node: a\npods: {cidrs: [10.244.1.0/24]}\n"
                   "loadBalancer: {state: /var/lib/podlane/addresses.json}\n")
                  .load_balancer.state,
              "/var/lib/podlane/addresses.json");
}

class BadConfig : public testing::TestWithParam<fs::path> {};

TEST_P(BadConfig, IsRefusedWithOneLine) {
    const std::string text = contents(GetParam());
    constexpr std::string_view kMark = "# error: ";
    ASSERT_TRUE(text.starts_with(kMark));
    const std::string expected = text.substr(kMark.size(), text.find('\n') - kMark.size());
    const auto config = load_node_config_from_text(text, "node.yaml");
    ASSERT_FALSE(config.ok());
    const std::string& message = config.error().message;
    // The number of CPUs and yaml-cpp's own words stand at the end of some.
    EXPECT_EQ(message.substr(0, 10 + expected.size()), "node.yaml:" + expected);
    EXPECT_EQ(message.find('\n'), std::string::npos);
    EXPECT_GT(config.error().line, 0);
}

INSTANTIATE_TEST_SUITE_P(Corpus, BadConfig,
                         testing::ValuesIn(yaml_files(source_root() / "tests/unit/config/bad")),
                         [](const auto& param) { return param.param.stem().string(); });

class ExampleConfig : public testing::TestWithParam<fs::path> {};

TEST_P(ExampleConfig, LoadsAndIsDescribed) {
    const auto config = load_node_config(GetParam());
    ASSERT_TRUE(config.ok()) << config.error().message;
    const std::string text = describe(config.value());
    EXPECT_NE(text.find(config->node), std::string::npos);
    EXPECT_NE(text.find(to_string(config->pods.cidrs.at(0))), std::string::npos);
    for (const UplinkConfig& uplink : config->uplinks) {
        EXPECT_NE(text.find(uplink.device.text()), std::string::npos);
    }
    EXPECT_TRUE(text.ends_with('\n'));
}

std::vector<fs::path> examples() {
    auto files = yaml_files(source_root() / "configs");
    std::erase_if(files,
                  [](const fs::path& path) { return path.parent_path().filename() != "configs"; });
    return files;
}

INSTANTIATE_TEST_SUITE_P(Configs, ExampleConfig, testing::ValuesIn(examples()),
                         [](const auto& param) {
                             std::string name = param.param.stem().string();
                             std::ranges::replace(name, '-', '_');
                             return name;
                         });

TEST(NodeConfig, SurvivesTruncationAtEveryByte) {
    for (const fs::path& path : examples()) {
        const std::string text = contents(path);
        for (size_t size = 0; size < text.size(); ++size) {
            const auto config = load_node_config_from_text(text.substr(0, size), "node.yaml");
            EXPECT_TRUE(config.ok() || config.error().message.starts_with("node.yaml:"));
        }
    }
}

}  // namespace
}  // namespace podlane::control
