#include "lib/dpdk/ethdev_port.h"

#include <fmt/format.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <rte_mbuf.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "lib/dpdk/device_limits.h"
#include "lib/dpdk/kernel_link.h"
#include "lib/dpdk/plug.h"
#include "lib/dpdk/wake_socket.h"
#include "tests/unit/dpdk/device_leaves.h"
#include "tests/unit/dpdk/eal_fixture.h"

namespace podlane {
namespace {

class EthdevPortTest : public EalTest {
  protected:
    static Result<EthdevPort> open(const std::string& device, unsigned workers = 1,
                                   uint16_t mtu = 1500) {
        return open_ethdev({.name = "uplink0",
                            .device = device,
                            .workers = workers,
                            .mtu = mtu,
                            .mac = std::nullopt,
                            .pool = pool()});
    }
    static std::string error_of(const std::string& device) {
        const auto port = open(device);
        return port.ok() ? "" : port.error().message;
    }
    static rte_mbuf* frame(uint8_t fill, uint16_t bytes) {
        rte_mbuf* out = rte_pktmbuf_alloc(pool());
        std::memset(rte_pktmbuf_append(out, bytes), fill, bytes);
        return out;
    }
};

TEST_F(EthdevPortTest, AFrameSentToARingIsReceivedFromIt) {
    auto port = open("net_ring0");
    ASSERT_TRUE(port.ok()) << port.error().message;
    EXPECT_EQ(port->caps().rx_l4_checksum, RxChecksum::kComplete);
    EXPECT_EQ(port->caps().max_frame_bytes, 1514U);
    EXPECT_FALSE(port->caps().rx_wake);
    EXPECT_EQ(port->wake_fd(0), -1);
    EXPECT_EQ(port->link().state, LinkState::kUp);

    rte_mbuf* sent = frame(0x5a, 60);
    ASSERT_EQ(rte_eth_tx_burst(port->ethdev_id(), 0, &sent, 1), 1);
    rte_mbuf* received = nullptr;
    ASSERT_EQ(rte_eth_rx_burst(port->ethdev_id(), 0, &received, 1), 1);
    EXPECT_EQ(received->pkt_len, 60U);
    rte_pktmbuf_free(received);
    EXPECT_EQ(port->losses(), DeviceLosses{});
}

TEST_F(EthdevPortTest, WorkersGetQueuesAsFarAsTheDeviceHasThem) {
    const auto many = open("net_null0", 3);
    ASSERT_TRUE(many.ok()) << many.error().message;
    EXPECT_EQ(many->caps().rx_queues, 3);
    EXPECT_EQ(many->caps().tx_queues, 3);
    EXPECT_FALSE(many->caps().rss);
    const auto file = fmt::format("/tmp/podlane-unit-dpdk-{}.pcap", ::getpid());
    const auto one = open("net_pcap0,tx_pcap=" + file, 3);
    ASSERT_TRUE(one.ok()) << one.error().message;
    EXPECT_EQ(one->caps().tx_queues, 1);
    EXPECT_EQ(one->caps().rx_l4_checksum, RxChecksum::kComplete);
    ::unlink(file.c_str());
}

TEST_F(EthdevPortTest, AClosedDeviceCanBeOpenedAgain) {
    for (int i = 0; i < 3; ++i) {
        auto port = open("net_ring7");
        ASSERT_TRUE(port.ok()) << port.error().message;
        port->close();
        port->close();
    }
}

TEST_F(EthdevPortTest, MovingAPortMovesTheDevice) {
    auto first = open("net_null5");
    ASSERT_TRUE(first.ok()) << first.error().message;
    EthdevPort second = std::move(*first);
    EXPECT_NE(first->ethdev_id(), second.ethdev_id());
    first->close();
    rte_mbuf* received = nullptr;
    EXPECT_EQ(rte_eth_rx_burst(second.ethdev_id(), 0, &received, 1), 1);  // net_null always has one
    rte_pktmbuf_free(received);
}

TEST_F(EthdevPortTest, ErrorsNamePortDeviceAndCause) {
    EXPECT_NE(error_of("eth1").find("port uplink0: \"eth1\" is not a device"), std::string::npos);
    EXPECT_EQ(error_of("net_af_packet0,iface=nothing0"),
              "port uplink0: device net_af_packet0,iface=nothing0: packet socket on nothing0: "
              "No such device");
    EXPECT_EQ(error_of("net_af_xdp0,iface=nothing0"),
              "port uplink0: device net_af_xdp0,iface=nothing0: there is no network interface "
              "nothing0");
    EXPECT_NE(error_of("net_nonsense0").find("net_nonsense0: DPDK cannot use it"),
              std::string::npos);
    EXPECT_NE(error_of("0000:ff:1f.7").find("there is no such PCI device"), std::string::npos);
    EXPECT_NE(error_of("net_pcap1,rx_pcap=/does/not/exist.pcap"), "");
}

TEST_F(EthdevPortTest, ADeviceBelongsToOnePort) {
    const auto first = open("net_null1");
    ASSERT_TRUE(first.ok()) << first.error().message;
    EXPECT_NE(error_of("net_null1").find("another port uses net_null1 already"), std::string::npos);
}

TEST_F(EthdevPortTest, AnMtuBeyondTheBuffersIsAnErrorThatNamesTheKey) {
    const auto port = open("net_ring1", 1, 9000);
    if (port.ok()) {
        EXPECT_TRUE(port->caps().rx_multi_segment);
    } else {
        EXPECT_NE(port.error().message.find("memory.mbufBytes must be at least 9146"),
                  std::string::npos)
            << port.error().message;
    }
}

TEST_F(EthdevPortTest, ATapHasEqualQueuesAndCanWakeAWorker) {
    if (!has_network()) GTEST_SKIP() << "needs root";
    auto port = open("net_tap0,iface=dtap0", 2);
    ASSERT_TRUE(port.ok()) << port.error().message;
    EXPECT_EQ(port->caps().rx_queues, 2);
    EXPECT_EQ(port->caps().tx_queues, 2);
    EXPECT_EQ(port->caps().rx_l4_checksum, RxChecksum::kComplete);
    EXPECT_TRUE(port->caps().rx_wake);
    EXPECT_GE(port->wake_fd(1), 0);
    EXPECT_NE(::if_nametoindex("dtap0"), 0U);
    port->close();
    EXPECT_EQ(::if_nametoindex("dtap0"), 0U);
}

/// Sends a frame of `bytes` into wire0.
void send_on_wire(size_t bytes) {
    const int fd = ::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_ifindex = static_cast<int>(::if_nametoindex("wire0"));
    std::array<uint8_t, 9014> data{};
    data.fill(0xff);
    data[12] = 0x88;  // IEEE 802 local experimental
    data[13] = 0xb5;
    EXPECT_EQ(
        ::sendto(fd, data.data(), bytes, 0, reinterpret_cast<sockaddr*>(&address), sizeof(address)),
        static_cast<ssize_t>(bytes));
    ::close(fd);
}

bool is_readable(int fd, int milliseconds) {
    pollfd entry{.fd = fd, .events = POLLIN, .revents = 0};
    return ::poll(&entry, 1, milliseconds) == 1;
}

/// Takes and counts all frames that wait.
unsigned drain(EthdevPort& port) {
    unsigned count = 0;
    for (uint16_t queue = 0; queue < port.caps().rx_queues; ++queue) {
        rte_mbuf* received = nullptr;
        while (rte_eth_rx_burst(port.ethdev_id(), queue, &received, 1) == 1) {
            rte_pktmbuf_free(received);
            ++count;
        }
    }
    return count;
}

TEST_F(EthdevPortTest, APacketSocketWakesItsWorkerWhenAFrameArrives) {
    if (!has_network()) GTEST_SKIP() << "needs root";
    auto port = open("net_af_packet0,iface=wire1", 2);
    ASSERT_TRUE(port.ok()) << port.error().message;
    EXPECT_EQ(port->caps().rx_l4_checksum, RxChecksum::kMaybePartial);
    EXPECT_FALSE(port->caps().tx_l4_checksum);
    EXPECT_EQ(port->caps().rx_queues, 2);
    EXPECT_TRUE(port->caps().rss);
    ASSERT_TRUE(port->caps().rx_wake);
    EXPECT_FALSE(port->mac().is_zero());

    for (int round = 0; round < 3; ++round) {
        for (uint16_t queue = 0; queue < 2; ++queue) EXPECT_TRUE(port->arm_wake(queue));
        drain(*port);
        EXPECT_FALSE(is_readable(port->wake_fd(0), 0));
        send_on_wire(60);
        for (uint16_t queue = 0; queue < 2; ++queue) {
            EXPECT_TRUE(is_readable(port->wake_fd(queue), 2000));
            EXPECT_TRUE(port->disarm_wake(queue, true));
        }
        EXPECT_GE(drain(*port), 1U);  // the ring had it before the bell rang
    }
}

TEST_F(EthdevPortTest, ADoorbellRingsUntilItIsCleared) {
    if (!has_network()) GTEST_SKIP() << "needs root";
    const auto bell = open_doorbell("wire1");
    ASSERT_TRUE(bell.ok()) << bell.error().message;
    for (int i = 0; i < 100; ++i) send_on_wire(60);
    EXPECT_TRUE(is_readable(*bell, 2000));
    EXPECT_TRUE(is_readable(*bell, 0));
    clear_doorbell(*bell);
    EXPECT_FALSE(is_readable(*bell, 0));
    ::close(*bell);
    EXPECT_FALSE(open_doorbell("nothing0").ok());
}

TEST_F(EthdevPortTest, WhatAPacketSocketSendsDoesNotWakeIt) {
    if (!has_network()) GTEST_SKIP() << "needs root";
    auto port = open("net_af_packet1,iface=wire1");
    ASSERT_TRUE(port.ok()) << port.error().message;
    EXPECT_TRUE(port->arm_wake(0));
    rte_mbuf* sent = frame(0xff, 60);
    ASSERT_EQ(rte_eth_tx_burst(port->ethdev_id(), 0, &sent, 1), 1);
    EXPECT_FALSE(is_readable(port->wake_fd(0), 20));
}

TEST_F(EthdevPortTest, APacketSocketHoldsAWholeFrame) {
    if (!has_network()) GTEST_SKIP() << "needs root";
    auto port = open("net_af_packet2,iface=wire1");
    ASSERT_TRUE(port.ok()) << port.error().message;
    drain(*port);
    send_on_wire(1514);
    ASSERT_TRUE(is_readable(port->wake_fd(0), 2000));
    rte_mbuf* received = nullptr;
    uint32_t largest = 0;
    while (rte_eth_rx_burst(port->ethdev_id(), 0, &received, 1) == 1) {
        largest = std::max(largest, received->pkt_len);
        rte_pktmbuf_free(received);
    }
    EXPECT_EQ(largest, 1514U);
}

TEST_F(EthdevPortTest, APacketSocketStartsWithTheBuffersThatItsMessageAsksFor) {
    if (!has_network()) GTEST_SKIP() << "needs root";
    for (const uint16_t mtu : std::initializer_list<uint16_t>{2000, 4000, 9000}) {
        const auto refused = open("net_af_packet3,iface=wire1", 1, mtu);
        if (refused.ok()) {
            EXPECT_EQ(mtu, 2000) << "in buffers of 2176 bytes";
            continue;
        }
        const std::string& message = refused.error().message;
        constexpr std::string_view kAsks = "memory.mbufBytes must be at least ";
        const size_t at = message.find(kAsks);
        ASSERT_NE(at, message.npos) << message;
        const int bytes = std::stoi(message.substr(at + kAsks.size()));
        const auto enough = create_packet_pool(
            {.name = "j", .mbufs = 256, .mbuf_bytes = static_cast<uint32_t>(bytes)});
        ASSERT_TRUE(enough.ok()) << enough.error().message;
        const auto port = open_ethdev({.name = "uplink0",
                                       .device = "net_af_packet3,iface=wire1",
                                       .mtu = mtu,
                                       .mac = std::nullopt,
                                       .pool = enough->get()});
        EXPECT_TRUE(port.ok()) << port.error().message;
    }
}

TEST_F(EthdevPortTest, AJumboFrameComesWholeThroughAPacketSocket) {
    if (!has_network()) GTEST_SKIP() << "needs root";
    ASSERT_EQ(std::system("ip link set wire0 mtu 9000 && ip link set wire1 mtu 9000"), 0);
    const Device device = *parse_device("net_af_packet4,iface=wire1");
    const auto jumbo = create_packet_pool(
        {.name = "j", .mbufs = 256, .mbuf_bytes = whole_frame_buffer(device, 9000)});
    ASSERT_TRUE(jumbo.ok()) << jumbo.error().message;
    auto port = open_ethdev({.name = "uplink0",
                             .device = device.text(),
                             .mtu = 9000,
                             .mac = std::nullopt,
                             .pool = jumbo->get()});
    ASSERT_TRUE(port.ok()) << port.error().message;
    for (const std::string& note : port->notes()) EXPECT_EQ(note.find("MTU"), note.npos) << note;
    drain(*port);
    send_on_wire(9014);
    ASSERT_TRUE(is_readable(port->wake_fd(0), 2000));
    rte_mbuf* received = nullptr;
    ASSERT_EQ(rte_eth_rx_burst(port->ethdev_id(), 0, &received, 1), 1);
    EXPECT_EQ(received->pkt_len, 9014U);
    rte_pktmbuf_free(received);
    EXPECT_EQ(std::system("ip link set wire0 mtu 1500 && ip link set wire1 mtu 1500"), 0);
}

TEST_F(EthdevPortTest, AnInterfaceWithASmallerMtuIsNamedWithTheCommandForIt) {
    if (!has_network()) GTEST_SKIP() << "needs root";
    const Device device = *parse_device("net_af_packet5,iface=wire1");
    const auto jumbo = create_packet_pool(
        {.name = "j", .mbufs = 256, .mbuf_bytes = whole_frame_buffer(device, 4000)});
    ASSERT_TRUE(jumbo.ok()) << jumbo.error().message;
    const auto port = open_ethdev({.name = "uplink0",
                                   .device = device.text(),
                                   .mtu = 4000,
                                   .mac = std::nullopt,
                                   .pool = jumbo->get()});
    ASSERT_TRUE(port.ok()) << port.error().message;
    EXPECT_EQ(port->notes().at(0), "wire1 has MTU 1500: `ip link set wire1 mtu 4000`");
}

TEST_F(EthdevPortTest, ADeviceThatIsToGoIsAskedToGoWhileItsPortIsOpen) {
    int asked = 0;
    auto port = open_ethdev({.name = "uplink0",
                             .device = "net_null8",
                             .mac = std::nullopt,
                             .pool = pool(),
                             .on_removal = [&asked] { ++asked; }});
    ASSERT_TRUE(port.ok()) << port.error().message;
    test_device_leaves("net_null7");
    EXPECT_EQ(asked, 0);
    test_device_leaves("net_null8");
    EXPECT_EQ(asked, 1);
    EthdevPort moved = std::move(*port);
    test_device_leaves("net_null8");
    EXPECT_EQ(asked, 2);
    moved.close();
    test_device_leaves("net_null8");
    EXPECT_EQ(asked, 2);
}

TEST_F(EthdevPortTest, WhatWaitsIsFreedAndWhatComesLaterIsReceived) {
    auto port = open("net_ring0");
    ASSERT_TRUE(port.ok()) << port.error().message;
    const unsigned before = rte_mempool_avail_count(pool());
    for (uint8_t fill = 0; fill < 40; ++fill) {
        rte_mbuf* sent = frame(fill, 60);
        ASSERT_EQ(rte_eth_tx_burst(port->ethdev_id(), 0, &sent, 1), 1);
    }
    port->drop_waiting();
    EXPECT_EQ(rte_mempool_avail_count(pool()), before);
    rte_mbuf* received = nullptr;
    EXPECT_EQ(rte_eth_rx_burst(port->ethdev_id(), 0, &received, 1), 0);
    rte_mbuf* later = frame(0x77, 60);
    ASSERT_EQ(rte_eth_tx_burst(port->ethdev_id(), 0, &later, 1), 1);
    ASSERT_EQ(rte_eth_rx_burst(port->ethdev_id(), 0, &received, 1), 1);
    EXPECT_EQ(*rte_pktmbuf_mtod(received, uint8_t*), 0x77);
    rte_pktmbuf_free(received);
}

TEST(DeviceLimits, TheMtuThatAMessageNamesIsTheDevices) {
    rte_eth_dev_info info{};
    info.min_mtu = 68;
    info.max_mtu = UINT16_MAX;  // as e1000 leaves it, with only the frame length
    info.max_rx_pktlen = 0x3f00;
    EXPECT_EQ(mtu_limits(info).min, 68u);
    EXPECT_EQ(mtu_limits(info).max, 16110u);
    info.max_mtu = 9000;
    info.max_rx_pktlen = 9018;
    EXPECT_EQ(mtu_limits(info).max, 9000u);
    info.max_mtu = 1500;  // less than the length would allow
    info.max_rx_pktlen = 1518;
    EXPECT_EQ(mtu_limits(info).max, 1500u);
}

TEST(DeviceLimits, Vmxnet3IsNotTrustedToChainBuffers) {
    rte_eth_dev_info info{};
    EXPECT_FALSE(chains_buffers(info, "net_e1000_em"));
    info.rx_offload_capa = RTE_ETH_RX_OFFLOAD_SCATTER;
    EXPECT_TRUE(chains_buffers(info, "net_e1000_em"));
    EXPECT_FALSE(chains_buffers(info, "net_vmxnet3"));
}

void command(const std::string& line) {
    ASSERT_EQ(std::system(line.c_str()), 0) << line;
}

TEST_F(EthdevPortTest, APacketSocketsLinkIsItsInterfaces) {
    if (!has_network()) GTEST_SKIP() << "needs root";
    command("ip link add link0 type veth peer name link1 && ip link set link0 up");
    command("ip link set link1 up");
    const auto port = open("net_af_packet3,iface=link1");
    ASSERT_TRUE(port.ok()) << port.error().message;
    EXPECT_EQ(port->link().state, LinkState::kUp);
    command("ip link set link1 down");
    EXPECT_EQ(port->link().state, LinkState::kDown);
    command("ip link set link1 up && ip link set link0 down");
    EXPECT_EQ(port->link().state, LinkState::kDown) << "without a carrier";
    command("ip link set link0 up");
    EXPECT_EQ(port->link().state, LinkState::kUp);
    command("ip link del link0 && ip link add link1 type veth peer name link2");
    command("ip link set link1 up && ip link set link2 up");
    EXPECT_EQ(port->link().state, LinkState::kGone) << "another one of that name";
    command("ip link del link1");
}

TEST_F(EthdevPortTest, WhatTheInterfaceLosesIsTheDevicesLoss) {
    if (!has_network()) GTEST_SKIP() << "needs root";
    // veth drops frames that are longer than its peer accepts.
    command("ip link add loss0 type veth peer name loss1 && ip link set loss0 mtu 1000 up");
    command("ip link set loss1 up");
    auto port = open("net_af_packet4,iface=loss1");
    ASSERT_TRUE(port.ok()) << port.error().message;
    EXPECT_EQ(port->losses(), DeviceLosses{});
    rte_mbuf* sent = frame(0xff, 1400);
    ASSERT_EQ(rte_eth_tx_burst(port->ethdev_id(), 0, &sent, 1), 1);
    for (int tries = 0; tries < 200 && port->losses().tx_errors == 0; ++tries) ::usleep(10'000);
    EXPECT_EQ(port->losses(), (DeviceLosses{0, 0, 0, 1}));
    const auto again = KernelLink("loss1");
    EXPECT_EQ(again.losses(), DeviceLosses{}) << "what was before does not count";
    command("ip link del loss0");
    EXPECT_EQ(again.state(), LinkState::kGone);
}

TEST_F(EthdevPortTest, AnotherMacIsTaken) {
    constexpr MacAddress kMac{{2, 0, 0, 0, 0, 0x77}};
    const auto port =
        open_ethdev({.name = "uplink0", .device = "net_null6", .mac = kMac, .pool = pool()});
    ASSERT_TRUE(port.ok()) << port.error().message;
    EXPECT_EQ(port->mac(), kMac);
}

}  // namespace
}  // namespace podlane
