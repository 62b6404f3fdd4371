#include "control/daemon/uplink_guards.h"

#include <filesystem>
#include <fstream>

#include "control/netdev/sysctl.h"
#include "lib/base/device.h"
#include "tests/unit/netdev/namespaces.h"

namespace podlane::control {
namespace {

/// A node's namespace with an interface "uplink0", and a folder for the guards' records.
class UplinkGuards : public NetdevTest {
  protected:
    void SetUp() override {
        NetdevTest::SetUp();
        if (IsSkipped()) return;
        std::string name = ::testing::TempDir() + "uplink_guards_XXXXXX";
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        folder_ = name;
        config_.socket = folder_ + "/podlaned.sock";
        config_.document = "node.yaml";
        make_interface();
    }
    void TearDown() override {
        if (!folder_.empty()) std::filesystem::remove_all(folder_);
    }

    void make_interface() {
        ASSERT_TRUE(
            node_.shell("ip link add uplink0 type veth peer name wire0 && "
                        "ip link set uplink0 up && ip link set wire0 up"));
    }
    UplinkConfig uplink(const char* device) {
        UplinkConfig out;
        out.name = "up";
        out.device = *parse_device(device);
        out.addresses = {address("192.168.50.1/24")};
        return out;
    }
    [[nodiscard]] std::string memory() const { return guard_memory_of(config_.socket, "uplink0"); }
    /// The setting that keeps the kernel from answering ARP on that interface.
    std::string arp_ignore() {
        std::string out;
        node_.run([&] {
            const auto read = read_sysctl(interface_sysctl("ipv4", "uplink0", "arp_ignore"));
            if (read.ok()) out = *read;
        });
        return out;
    }

    ScratchNamespace node_;
    NodeConfig config_;
    std::string folder_;
};

TEST_F(UplinkGuards, DevicesOfNobodyElseNeedNone) {
    config_.uplinks = {uplink("net_null0,no-rx=1"), uplink("0000:3b:00.0")};
    const auto guards = guard_interfaces(config_, nullptr);
    ASSERT_TRUE(guards.ok());
    EXPECT_TRUE(guards->empty());
}

TEST_F(UplinkGuards, AnErrorNamesTheUplinksPlace) {
    config_.uplinks = {uplink("net_null0"), uplink("net_af_packet0,iface=none7")};
    config_.uplinks[1].name = "second";
    node_.run([&] {
        const auto guards = guard_interfaces(config_, nullptr);
        ASSERT_FALSE(guards.ok());
        EXPECT_NE(guards.error().message.find("node.yaml: uplinks[1].device: "), std::string::npos)
            << guards.error().message;
        EXPECT_NE(guards.error().message.find("none7"), std::string::npos)
            << guards.error().message;
    });
}

TEST_F(UplinkGuards, WhatWasChangedIsKeptBesideTheSocketAndPutBack) {
    config_.uplinks = {uplink("net_af_packet0,iface=uplink0")};
    node_.run([&] {
        auto guards = guard_interfaces(config_, nullptr);
        ASSERT_TRUE(guards.ok()) << guards.error().message;
        ASSERT_EQ(guards->size(), 1U);
        EXPECT_EQ(guards->front().ifname(), "uplink0");
        EXPECT_TRUE(std::filesystem::exists(memory()));
        const auto programs = programs_of(*guards);
        ASSERT_EQ(programs.size(), guards->front().program() >= 0 ? 1U : 0U);
        for (const HandedProgram& each : programs) EXPECT_EQ(each.ifname, "uplink0");
    });
    EXPECT_FALSE(std::filesystem::exists(memory()));
}

TEST_F(UplinkGuards, AFailedStartLeavesWhatAnEarlierProcessHadPrepared) {
    config_.uplinks = {uplink("net_af_packet0,iface=uplink0")};
    const auto start = [&](bool stays) {
        node_.run([&] {
            auto guards = guard_interfaces(config_, nullptr);
            ASSERT_TRUE(guards.ok()) << guards.error().message;
            LeftAsTheyWere left(*guards);
            if (stays) {
                for (KernelInterfaceGuard& guard : *guards) guard.leave();
                left.release();
            }
        });
    };
    start(true);  // an earlier process, killed
    ASSERT_TRUE(std::filesystem::exists(memory()));
    start(false);
    EXPECT_TRUE(std::filesystem::exists(memory()));
}

TEST_F(UplinkGuards, WorkersGetTheRoutesThatTheKernelHadUnlessTheClusterDecides) {
    config_.uplinks = {uplink("net_af_packet0,iface=uplink0"), uplink("net_null0")};
    config_.uplinks[0].addresses.push_back(address("fd50::1/64"));
    config_.cluster.pod_cidrs = {prefix("10.244.0.0/16")};
    node_.run([&] {
        ASSERT_EQ(std::system("ip addr add 192.168.50.1/24 dev uplink0 && "
                              "ip addr add fd50::1/64 dev uplink0 nodad && "
                              "ip route add default via 192.168.50.8 metric 200 && "
                              "ip route add default via 192.168.50.9 metric 100 && "
                              "ip route add 10.1.0.0/16 via 192.168.50.7 && "
                              "ip route add 10.244.2.0/24 via 192.168.50.2 && "
                              "ip route add 10.0.0.0/8 via 192.168.50.5 && "
                              "ip route add 10.2.0.0/16 dev uplink0 && "
                              "ip route add 10.3.0.0/16 via 192.168.50.6 table 100 && "
                              "ip -6 route add 2001:db8::/32 from fd50::/64 via fd50::9 && "
                              "ip neigh add 192.168.50.7 lladdr 02:00:00:00:00:07 dev uplink0"),
                  0);
        auto guards = guard_interfaces(config_, nullptr);
        ASSERT_TRUE(guards.ok()) << guards.error().message;
        const auto taken = taken_links(*guards);
        const NodeConfig with = with_taken_routes(config_, taken);
        const UplinkConfig& up = with.uplinks[0];
        EXPECT_EQ(up.gateways, std::vector<IpAddress>{ip("192.168.50.9")}) << "the preferred one";
        ASSERT_EQ(up.routes.size(), 2U) << "without 10.244.2.0/24";
        EXPECT_EQ(up.routes[0].destination, prefix("10.0.0.0/8"));
        EXPECT_EQ(up.routes[1].destination, prefix("10.1.0.0/16"));
        EXPECT_EQ(up.routes[1].via, ip("192.168.50.7"));
        ASSERT_EQ(up.neighbors.size(), 1U);
        EXPECT_EQ(up.neighbors[0].address, ip("192.168.50.7"));
        EXPECT_TRUE(with.uplinks[1].routes.empty());
        const auto limits = limits_of_taken_routes(with, taken);
        ASSERT_EQ(limits.size(), 2U);
        EXPECT_EQ(limits[0],
                  "interface uplink0: route 10.3.0.0/16 via 192.168.50.6 table 100: the node's "
                  "kernel follows it, but packets then leave by the routes of uplink up");
        restore_and_log(guards->front());
    });
}

TEST_F(UplinkGuards, TheConfigurationsGatewayGoesBeforeTheKernels) {
    config_.uplinks = {uplink("net_af_packet0,iface=uplink0")};
    config_.uplinks[0].gateways = {ip("192.168.50.254")};
    node_.run([&] {
        ASSERT_EQ(std::system("ip addr add 192.168.50.1/24 dev uplink0 && "
                              "ip route add default via 192.168.50.9"),
                  0);
        auto guards = guard_interfaces(config_, nullptr);
        ASSERT_TRUE(guards.ok()) << guards.error().message;
        EXPECT_EQ(with_taken_routes(config_, taken_links(*guards)).uplinks[0].gateways,
                  config_.uplinks[0].gateways);
    });
}

TEST_F(UplinkGuards, WhatWouldMoveIsSaidAndWhatHasMovedAsWell) {
    config_.uplinks = {uplink("net_af_packet0,iface=uplink0"), uplink("net_null0")};
    config_.uplinks[1].name = "other";
    config_.host.emplace();
    node_.run([&] {
        ASSERT_TRUE(write_sysctl(interface_sysctl("ipv6", "uplink0", "accept_ra"), "0").ok());
        ASSERT_EQ(std::system("ip addr add 192.168.50.1/24 dev uplink0"), 0);
        EXPECT_EQ(*preview(config_),
                  "interface uplink0: would move to podlane0\n    address 192.168.50.1/24\n"
                  "uplink other: its device is not the kernel's\n");
        {
            auto guards = guard_interfaces(config_, nullptr);
            ASSERT_TRUE(guards.ok()) << guards.error().message;
            for (KernelInterfaceGuard& guard : *guards) guard.leave();
        }
        EXPECT_TRUE(preview(config_)->starts_with("interface uplink0: has moved to podlane0\n"));
        GivenBack given = give_back(config_.socket);
        EXPECT_EQ(given.failures, std::vector<std::string>{});
        EXPECT_EQ(given.done,
                  std::vector<std::string>{"interface uplink0: address 192.168.50.1/24"});
        given = give_back(config_.socket);
        EXPECT_TRUE(given.done.empty() && given.failures.empty()) << "nothing twice";
        config_.uplinks[0].device = *parse_device("net_af_packet0,iface=nothing0");
        EXPECT_NE(preview(config_).error().message.find("nothing0"), std::string::npos);
    });
}

TEST_F(UplinkGuards, WhatCannotBeGivenBackIsNamed) {
    config_.uplinks = {uplink("net_af_packet0,iface=uplink0")};
    std::ofstream(memory()) << "hello";
    const GivenBack damaged = give_back(config_.socket);
    ASSERT_EQ(damaged.failures.size(), 1U);
    EXPECT_NE(damaged.failures[0].find(memory()), std::string::npos);
    EXPECT_TRUE(std::filesystem::exists(memory())) << "it is left for people to look at";
    std::filesystem::remove(memory());
    node_.run([&] {
        ASSERT_EQ(std::system("ip addr add 192.168.50.1/24 dev uplink0"), 0);
        auto guards = guard_interfaces(config_, nullptr);
        ASSERT_TRUE(guards.ok()) << guards.error().message;
        for (KernelInterfaceGuard& guard : *guards) guard.leave();
        ASSERT_EQ(std::system("ip link del uplink0"), 0);
        const GivenBack gone = give_back(config_.socket);
        ASSERT_EQ(gone.failures.size(), 1U);
        EXPECT_TRUE(gone.failures[0].starts_with("interface uplink0: it is gone"))
            << gone.failures[0];
    });
}

TEST_F(UplinkGuards, AnInterfaceMadeAgainIsGuardedAgain) {
    config_.uplinks = {uplink("net_af_packet0,iface=uplink0")};
    Guards guards;
    node_.run([&] {
        auto made = guard_interfaces(config_, nullptr);
        ASSERT_TRUE(made.ok()) << made.error().message;
        guards = std::move(made).value();
    });
    const std::string guarded = arp_ignore();
    ASSERT_TRUE(node_.shell("ip link del uplink0"));
    make_interface();
    ASSERT_NE(arp_ignore(), guarded);
    node_.run([&] {
        const auto again = guard_again(config_.uplinks[0], config_.socket, guards);
        ASSERT_TRUE(again.ok()) << again.error().message;
        EXPECT_EQ(guards.size(), 1U);
        look_at_guards(guards);
        EXPECT_TRUE(guard_again(uplink("net_null0"), config_.socket, guards).ok());
        EXPECT_EQ(guards.size(), 1U);
    });
    EXPECT_EQ(arp_ignore(), guarded);
    node_.run([&] { guards.clear(); });
}

}  // namespace
}  // namespace podlane::control
