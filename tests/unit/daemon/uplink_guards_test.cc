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
