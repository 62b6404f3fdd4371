#include "lib/base/device.h"

#include <gtest/gtest.h>

namespace podlane {
namespace {

TEST(Device, APciAddressGetsItsDomainAndLowerCase) {
    EXPECT_EQ(parse_device("0001:3B:00.7")->text(), "0001:3b:00.7");
    EXPECT_EQ(parse_device("virtio_user0,path=/dev/vhost-net")->driver, "virtio_user");
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
    for (const char* text : {"3b:00", "3b-00.0", "003b:00.0", "0000:3b:00.0,x", "net_", "Net_null0",
                             "net_null 0", "crypto_null0", "", "eth1", "0000:3b:00", "0000:3b:00.8",
                             "0000:3g:00.0", "net tap0", "iface=eth1", ",iface=eth1"}) {
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
    EXPECT_EQ(interface("eth_af_packet0,iface=eth1"), "eth1");
    EXPECT_EQ(interface("net_tc0,iface=eth5"), "eth5");
    EXPECT_EQ(interface("net_pcap0,iface=eth3"), "eth3");
    EXPECT_EQ(interface("net_tap0,iface=tap0,remote=eth4"), "eth4");
    EXPECT_FALSE(interface("net_tap0,iface=tap0").has_value());
    EXPECT_FALSE(interface("net_pcap0,rx_pcap=a.pcap").has_value());
    EXPECT_FALSE(interface("0000:3b:00.0").has_value());
}

}  // namespace
}  // namespace podlane
