#include "lib/proto/arp_build.h"

#include <gtest/gtest.h>

#include "lib/proto/wire.h"
#include "tests/support/frames.h"

namespace podlane {
namespace {

using test::Bytes;

const Ipv4Address kOurs{be32(0x0a000001)};
const Ipv4Address kTheirs{be32(0x0a000002)};
constexpr size_t kL3 = sizeof(EthernetHeader);

Bytes framed(const ArpMessage& message) {
    Bytes out(100);
    out.resize(build_arp_frame(out, message));
    return out;
}

Drop drop_after(size_t offset, uint8_t value) {
    auto bytes = framed(arp_request(test::kMacA, kOurs, kTheirs));
    bytes[kL3 + offset] = value;
    ArpMessage out;
    return parse_arp(bytes, kL3, out);
}

TEST(Arp, ARequestGoesToAllAndIsReadBack) {
    const auto request = arp_request(test::kMacA, kOurs, kTheirs);
    const auto bytes = framed(request);
    EXPECT_EQ(bytes.size(), kArpFrameBytes);
    const auto eth = header_at<EthernetHeader>(bytes, 0);
    EXPECT_EQ(eth.dst, kBroadcastMac);
    EXPECT_EQ(eth.src, test::kMacA);
    EXPECT_EQ(eth.ether_type.host(), kEtherTypeArp);
    ArpMessage out;
    ASSERT_EQ(parse_arp(bytes, kL3, out), Drop::kNone);
    EXPECT_EQ(out, request);
    EXPECT_FALSE(out.is_gratuitous());
}

TEST(Arp, AReplyTellsTheAskerWhereTheTargetIs) {
    const auto request = arp_request(test::kMacA, kOurs, kTheirs);
    const auto bytes = framed(arp_reply(request, test::kMacB));
    EXPECT_EQ(header_at<EthernetHeader>(bytes, 0).dst, test::kMacA);
    ArpMessage out;
    ASSERT_EQ(parse_arp(bytes, kL3, out), Drop::kNone);
    EXPECT_EQ(out.operation, kArpReply);
    EXPECT_EQ(out.sender, kTheirs);
    EXPECT_EQ(out.sender_mac, test::kMacB);
    EXPECT_EQ(out.target, kOurs);
}

TEST(Arp, AnAnnouncementSpeaksOfItself) {
    const auto bytes = framed(arp_announcement(test::kMacA, kOurs));
    EXPECT_EQ(header_at<EthernetHeader>(bytes, 0).dst, kBroadcastMac);
    ArpMessage out;
    ASSERT_EQ(parse_arp(bytes, kL3, out), Drop::kNone);
    EXPECT_TRUE(out.is_gratuitous());
}

TEST(Arp, ARequestCanGoToOneNeighbour) {
    Bytes out(kArpFrameBytes);
    ASSERT_EQ(build_arp_frame(out, arp_request(test::kMacA, kOurs, kTheirs), test::kMacB),
              kArpFrameBytes);
    EXPECT_EQ(header_at<EthernetHeader>(out, 0).dst, test::kMacB);
}

TEST(Arp, WhatIsNotIpv4OverEthernetIsBad) {
    EXPECT_EQ(drop_after(1, 6), Drop::kArpBad);     // hardware type
    EXPECT_EQ(drop_after(2, 0x86), Drop::kArpBad);  // protocol type
    EXPECT_EQ(drop_after(4, 8), Drop::kArpBad);     // hardware length
    EXPECT_EQ(drop_after(5, 16), Drop::kArpBad);    // protocol length
    EXPECT_EQ(drop_after(7, 3), Drop::kArpBad);     // operation
    EXPECT_EQ(drop_after(7, 2), Drop::kNone);
}

TEST(Arp, ASenderThatIsAGroupIsBad) {
    EXPECT_EQ(drop_after(8, 0x03), Drop::kArpBad);
    EXPECT_EQ(drop_after(14, 224), Drop::kArpBad);
    const auto nobody = arp_request(MacAddress{}, kOurs, kTheirs);
    ArpMessage out;
    EXPECT_EQ(parse_arp(framed(nobody), kL3, out), Drop::kArpBad);
}

TEST(Arp, AProbeHasNoSenderAddress) {
    const auto probe = arp_request(test::kMacA, Ipv4Address{}, kTheirs);
    ArpMessage out;
    EXPECT_EQ(parse_arp(framed(probe), kL3, out), Drop::kNone);
    EXPECT_TRUE(out.sender.is_zero());
}

TEST(Arp, EveryTruncationIsBad) {
    const auto whole = framed(arp_request(test::kMacA, kOurs, kTheirs));
    for (size_t length = 0; length < whole.size(); ++length) {
        const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
        ArpMessage out;
        EXPECT_EQ(parse_arp(cut, kL3, out), Drop::kArpBad) << length;
    }
}

TEST(Arp, NothingIsWrittenWhereThereIsNoRoom) {
    Bytes out(kArpFrameBytes - 1, 0xaa);
    EXPECT_EQ(build_arp_frame(out, arp_request(test::kMacA, kOurs, kTheirs)), 0u);
    EXPECT_EQ(out, Bytes(kArpFrameBytes - 1, 0xaa));
}

}  // namespace
}  // namespace podlane
