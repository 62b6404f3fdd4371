#include "control/attach/wire.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace podlane::control {
namespace {

PodTapRequest full_pod() {
    return {.netns_path = "/run/netns/web",
            .ifname = "eth0",
            .mac = *parse_mac("02:00:00:00:00:01"),
            .mtu = 1450,
            .queues = 2,
            .addresses = {*parse_interface_address("10.244.1.5/24"),
                          *parse_interface_address("fd00:1::5/64")},
            .gateways = {*parse_ip("10.244.1.1"), *parse_ip("fd00:1::1")},
            .offloads = {.checksum = true, .tso4 = true, .tso6 = false}};
}

TEST(Wire, ARequestArrivesAsItWasMeant) {
    const auto wire = to_wire(AttachWork::kKeep, full_pod(), 7);
    ASSERT_TRUE(wire.ok());
    EXPECT_EQ(wire->work, AttachWork::kKeep);
    EXPECT_EQ(wire->ifindex, 7);
    const auto got = from_wire(*wire);
    ASSERT_TRUE(got);
    const PodTapRequest meant = full_pod();
    EXPECT_EQ(got->netns_path, meant.netns_path);
    EXPECT_EQ(got->ifname, meant.ifname);
    EXPECT_EQ(got->mac, meant.mac);
    EXPECT_EQ(got->mtu, meant.mtu);
    EXPECT_EQ(got->queues, meant.queues);
    EXPECT_EQ(got->addresses, meant.addresses);
    EXPECT_EQ(got->gateways, meant.gateways);
    EXPECT_TRUE(got->offloads.checksum && got->offloads.tso4 && !got->offloads.tso6);
}

TEST(Wire, WhatHasNoRoomIsRefused) {
    PodTapRequest wrong = full_pod();
    wrong.netns_path = "/" + std::string(4095, 'x');
    EXPECT_FALSE(to_wire(AttachWork::kMake, wrong).ok());
    wrong = full_pod();
    wrong.ifname = std::string(16, 'x');
    EXPECT_FALSE(to_wire(AttachWork::kMake, wrong).ok());
    wrong = full_pod();
    wrong.addresses.resize(kMostAddresses + 1, wrong.addresses[0]);
    EXPECT_FALSE(to_wire(AttachWork::kMake, wrong).ok());
}

TEST(Wire, ARequestThatCannotBeIsNotBelieved) {
    const AttachRequest good = *to_wire(AttachWork::kMake, full_pod());
    ASSERT_TRUE(from_wire(good));
    AttachRequest bad = good;
    bad.netns.fill('x');
    EXPECT_FALSE(from_wire(bad)) << "a path without an end";
    bad = good;
    bad.ifname.fill('x');
    EXPECT_FALSE(from_wire(bad)) << "a name without an end";
    bad = good;
    bad.netns.fill('\0');
    EXPECT_FALSE(from_wire(bad)) << "this process's own namespace";
    bad = good;
    bad.addresses = kMostAddresses + 1;
    EXPECT_FALSE(from_wire(bad)) << "more than there is room for";
    bad = good;
    bad.gateways = 0xffffffff;
    EXPECT_FALSE(from_wire(bad));
    bad = good;
    bad.queues = kMaxTapQueues + 1;
    EXPECT_FALSE(from_wire(bad)) << "more descriptors than an answer has";
    bad = good;
    bad.address[0].length = 33;
    EXPECT_FALSE(from_wire(bad)) << "a prefix longer than its address";
}

}  // namespace
}  // namespace podlane::control
