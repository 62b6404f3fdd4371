#include "lib/dpdk/device.h"

#include <gtest/gtest.h>

#include "lib/dpdk/plug.h"

namespace podlane {
namespace {

TEST(Device, APciAddressGetsItsDomainAndLowerCase) {
    for (const char* text : {"0000:3b:00.0", "3b:00.0", "0000:3B:00.0"}) {
        const auto device = parse_device(text);
        ASSERT_TRUE(device.ok()) << text;
        EXPECT_EQ(device->kind, DeviceKind::kPci);
        EXPECT_EQ(device->name, "0000:3b:00.0");
        EXPECT_EQ(device->driver, "");
    }
}

TEST(Device, AVirtualDeviceHasDriverNameAndArguments) {
    const auto device = parse_device("net_af_packet12,iface=eth1,qpairs=2");
    ASSERT_TRUE(device.ok());
    EXPECT_EQ(device->kind, DeviceKind::kVirtual);
    EXPECT_EQ(device->name, "net_af_packet12");
    EXPECT_EQ(device->driver, "net_af_packet");
    EXPECT_EQ(device->arguments, "iface=eth1,qpairs=2");
    EXPECT_EQ(device->argument("iface"), "eth1");
    EXPECT_EQ(device->argument("qpairs"), "2");
    EXPECT_FALSE(device->argument("face").has_value());
    EXPECT_EQ(device->text(), "net_af_packet12,iface=eth1,qpairs=2");
}

TEST(Device, WhatIsNeitherIsRefusedWithWhatIsAllowed) {
    for (const char* text : {"", "eth1", "0000:3b:00", "0000:3b:00.8", "0000:3g:00.0", "net tap0",
                             "iface=eth1", ",iface=eth1"}) {
        const auto device = parse_device(text);
        ASSERT_FALSE(device.ok()) << text;
        EXPECT_NE(device.error().message.find("0000:3b:00.0"), std::string::npos);
        EXPECT_NE(device.error().message.find("net_af_packet0,iface=eth1"), std::string::npos);
    }
}

TEST(Device, TheKernelInterfaceBehindItIsKnown) {
    const auto interface = [](const char* text) { return kernel_interface(*parse_device(text)); };
    EXPECT_EQ(interface("net_af_packet0,iface=eth1"), "eth1");
    EXPECT_EQ(interface("net_af_xdp0,iface=eth2,start_queue=0"), "eth2");
    EXPECT_EQ(interface("net_pcap0,iface=eth3"), "eth3");
    EXPECT_EQ(interface("net_tap0,iface=tap0,remote=eth4"), "eth4");
    EXPECT_FALSE(interface("net_tap0,iface=tap0").has_value());
    EXPECT_FALSE(interface("net_pcap0,rx_pcap=a.pcap").has_value());
    EXPECT_FALSE(interface("0000:3b:00.0").has_value());
}

TEST(Device, PacketSocketsGetAQueueForEachWorkerAndALongerRing) {
    const auto complete = [](const char* text, unsigned workers, uint16_t mtu) {
        return complete_arguments(*parse_device(text), workers, mtu);
    };
    EXPECT_EQ(complete("net_af_packet0,iface=eth1", 2, 1500), "iface=eth1,qpairs=2,framecnt=2048");
    EXPECT_EQ(complete("net_af_packet0,iface=eth1,qpairs=1,framecnt=64", 2, 1500),
              "iface=eth1,qpairs=1,framecnt=64");
    EXPECT_EQ(complete("net_tap0,iface=tap0", 2, 1500), "iface=tap0");
}

TEST(Device, PacketSocketsGetSlotsThatHoldTheMtu) {
    for (const uint16_t mtu : {uint16_t{1998}, uint16_t{1999}, uint16_t{9000}, uint16_t{65000}}) {
        Device device = *parse_device("net_af_packet0,iface=eth1");
        device.arguments = complete_arguments(device, 1, mtu);
        const uint32_t slot = device.argument("framesz")
                                  ? std::stoul(*device.argument("framesz")) & 0xffffffff
                                  : 2048;
        EXPECT_GE(af_packet_frame_room(slot), mtu + 18U);
        if (device.argument("blocksz")) {
            const uint32_t block = std::stoul(*device.argument("blocksz")) & 0xffffffff;
            EXPECT_EQ(block % 4096, 0U) << "not whole pages";
            EXPECT_EQ(block % slot, 0U) << "frames would not lie one after the other";
        }
    }
}

}  // namespace
}  // namespace podlane
