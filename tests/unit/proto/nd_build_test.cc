#include "lib/proto/nd_build.h"

#include <gtest/gtest.h>

#include "tests/support/frames.h"

namespace podlane {
namespace {

using test::Bytes;
using test::v6;

const Ipv6Address kOurIpv6 = v6("fd00::aa:1");
const Ipv6Address kTheirIpv6 = v6("fd00::bb:cc02");
constexpr size_t kL4 = 14 + 40;

Bytes framed(const NdMessage& message, const MacAddress& to = test::kMacB) {
    Bytes out(200);
    out.resize(build_nd_frame(out, test::kMacA, to, message));
    return out;
}

struct Read {
    Drop drop;
    NdMessage message;
};

Read read(const Bytes& bytes) {
    Headers headers;
    Read out{};
    EXPECT_EQ(parse_frame(bytes, static_cast<uint32_t>(bytes.size()), headers), Drop::kNone);
    out.drop = parse_nd(bytes, headers, out.message);
    return out;
}

// Sets a byte of the frame and corrects the checksum.
Bytes with_byte(Bytes bytes, size_t at, uint8_t value) {
    bytes[at] = value;
    store(bytes.data() + kL4 + 2, be16(0));
    const auto ip = header_at<Ipv6Header>(bytes, 14);
    store(bytes.data() + kL4 + 2,
          l4_checksum<V6>(ip.src, ip.dst, kProtocolIcmpv6, std::span(bytes).subspan(kL4)));
    return bytes;
}

TEST(Nd, TheSolicitedNodeGroupAndItsMac) {
    // The example of RFC 4291 section 2.7.1.
    const auto group = solicited_node(v6("4037::01:800:200e:8c6c"));
    EXPECT_EQ(group, v6("ff02::1:ff0e:8c6c"));
    EXPECT_EQ(multicast_mac(group), test::mac("33:33:ff:0e:8c:6c"));
    EXPECT_EQ(kAllNodes, v6("ff02::1"));
}

TEST(Nd, ASolicitationIsReadBack) {
    const auto ask = nd_solicitation(test::kMacA, kOurIpv6, kTheirIpv6);
    const auto bytes = framed(ask);
    EXPECT_EQ(bytes.size(), kNdFrameBytes);
    EXPECT_EQ(header_at<EthernetHeader>(bytes, 0).dst, test::mac("33:33:ff:bb:cc:02"));
    EXPECT_EQ(header_at<Ipv6Header>(bytes, 14).hop_limit, 255);
    const auto [drop, message] = read(bytes);
    EXPECT_EQ(drop, Drop::kNone);
    EXPECT_EQ(message, ask);
    EXPECT_TRUE(message.has_mac);
    EXPECT_EQ(message.mac, test::kMacA);
}

TEST(Nd, AnAdvertisementAnswersTheAsker) {
    const auto ask = nd_solicitation(test::kMacA, kOurIpv6, kTheirIpv6);
    const auto bytes = framed(nd_advertisement(ask, test::kMacB, kNdOverride), ask.mac);
    EXPECT_EQ(header_at<EthernetHeader>(bytes, 0).dst, test::kMacA);
    const auto [drop, message] = read(bytes);
    EXPECT_EQ(drop, Drop::kNone);
    EXPECT_EQ(message.type, kNdNeighbourAdvertisement);
    EXPECT_EQ(message.flags, kNdSolicited | kNdOverride);
    EXPECT_EQ(message.src, kTheirIpv6);
    EXPECT_EQ(message.dst, kOurIpv6);
    EXPECT_EQ(message.target, kTheirIpv6);
    EXPECT_EQ(message.mac, test::kMacB);
}

TEST(Nd, AProbeForDuplicatesIsAnsweredToAll) {
    const auto probe = nd_solicitation(test::kMacA, Ipv6Address{}, kTheirIpv6);
    EXPECT_FALSE(probe.has_mac);
    const auto asked = read(framed(probe));
    EXPECT_EQ(asked.drop, Drop::kNone);
    const auto answer = nd_advertisement(asked.message, test::kMacB, kNdOverride);
    EXPECT_EQ(answer.dst, kAllNodes);
    EXPECT_EQ(answer.flags, kNdOverride);
    EXPECT_EQ(read(framed(answer)).drop, Drop::kNone);
}

TEST(Nd, AnAnnouncementGoesToAllNodes) {
    const auto bytes = framed(nd_announcement(test::kMacA, kOurIpv6, kNdOverride));
    EXPECT_EQ(header_at<EthernetHeader>(bytes, 0).dst, test::mac("33:33:00:00:00:01"));
    EXPECT_EQ(read(bytes).drop, Drop::kNone);
}

TEST(Nd, AForwardedMessageIsBad) {
    auto bytes = framed(nd_solicitation(test::kMacA, kOurIpv6, kTheirIpv6));
    bytes[14 + offsetof(Ipv6Header, hop_limit)] = 254;
    EXPECT_EQ(read(bytes).drop, Drop::kNdBad);
}

TEST(Nd, AWrongChecksumIsBad) {
    auto bytes = framed(nd_solicitation(test::kMacA, kOurIpv6, kTheirIpv6));
    bytes.back() = static_cast<uint8_t>(bytes.back() ^ 1);
    EXPECT_EQ(read(bytes).drop, Drop::kNdBad);
}

TEST(Nd, ACodeOtherThanZeroIsBad) {
    const auto bytes = framed(nd_solicitation(test::kMacA, kOurIpv6, kTheirIpv6));
    EXPECT_EQ(read(with_byte(bytes, kL4 + 1, 1)).drop, Drop::kNdBad);
}

TEST(Nd, AnOptionWithoutLengthOrBeyondTheMessageIsBad) {
    const auto bytes = framed(nd_solicitation(test::kMacA, kOurIpv6, kTheirIpv6));
    EXPECT_EQ(read(with_byte(bytes, kL4 + 25, 1)).drop, Drop::kNone);
    EXPECT_EQ(read(with_byte(bytes, kL4 + 25, 0)).drop, Drop::kNdBad);
    EXPECT_EQ(read(with_byte(bytes, kL4 + 25, 2)).drop, Drop::kNdBad);
}

TEST(Nd, AnUnknownOptionIsPassedOver) {
    const auto bytes = framed(nd_solicitation(test::kMacA, kOurIpv6, kTheirIpv6));
    const auto [drop, message] = read(with_byte(bytes, kL4 + 24, 14));
    EXPECT_EQ(drop, Drop::kNone);
    EXPECT_FALSE(message.has_mac);
}

TEST(Nd, AGroupAsTargetOrAsMacIsBad) {
    const auto bytes = framed(nd_solicitation(test::kMacA, kOurIpv6, kTheirIpv6));
    EXPECT_EQ(read(with_byte(bytes, kL4 + 8, 0xff)).drop, Drop::kNdBad);
    EXPECT_EQ(read(with_byte(bytes, kL4 + 26, 0x03)).drop, Drop::kNdBad);
}

TEST(Nd, AProbeWithAMacOrToOneHostIsBad) {
    auto probe = nd_solicitation(test::kMacA, Ipv6Address{}, kTheirIpv6);
    probe.has_mac = true;
    probe.mac = test::kMacA;
    EXPECT_EQ(read(framed(probe)).drop, Drop::kNdBad);
    auto elsewhere = nd_solicitation(test::kMacA, Ipv6Address{}, kTheirIpv6);
    elsewhere.dst = kAllNodes;
    EXPECT_EQ(read(framed(elsewhere)).drop, Drop::kNdBad);
}

TEST(Nd, ASolicitedAdvertisementToAGroupIsBad) {
    EXPECT_EQ(read(framed(nd_announcement(test::kMacA, kOurIpv6, kNdSolicited))).drop,
              Drop::kNdBad);
}

TEST(Nd, AMessageThatIsTooShortOrOfAnotherTypeIsBad) {
    const auto icmp = [](uint8_t type, size_t payload) {
        return test::frame()
            .eth()
            .ip(IpAddress(kOurIpv6), IpAddress(kTheirIpv6))
            .ttl(255)
            .icmp(type, 0, 0, Bytes(payload))
            .build();
    };
    EXPECT_EQ(read(icmp(kNdNeighbourSolicitation, 16)).drop, Drop::kNone);
    EXPECT_EQ(read(icmp(kNdNeighbourSolicitation, 15)).drop, Drop::kNdBad);
    EXPECT_EQ(read(icmp(kNdRouterSolicitation, 16)).drop, Drop::kNdBad);
    EXPECT_EQ(read(test::frame().eth().ip("10.0.0.1", "10.0.0.2").udp(1, 2).build()).drop,
              Drop::kNdBad);
}

TEST(Nd, AMessageBeyondTheFirstBufferIsBad) {
    const auto bytes = framed(nd_solicitation(test::kMacA, kOurIpv6, kTheirIpv6));
    Headers headers;
    ASSERT_EQ(parse_frame(bytes, static_cast<uint32_t>(bytes.size()), headers), Drop::kNone);
    NdMessage out;
    EXPECT_EQ(parse_nd(std::span(bytes).first(kL4 + 24), headers, out), Drop::kNdBad);
}

TEST(Nd, NothingIsWrittenWhereThereIsNoRoom) {
    Bytes out(kNdFrameBytes - 1);
    const auto ask = nd_solicitation(test::kMacA, kOurIpv6, kTheirIpv6);
    EXPECT_EQ(build_nd_frame(out, test::kMacA, test::kMacB, ask), 0u);
}

}  // namespace
}  // namespace podlane
