#include "lib/proto/parse.h"

#include <gtest/gtest.h>

#include "tests/support/frames.h"

namespace podlane {
namespace {

using test::Bytes;
using test::frame;
using test::Frame;
using test::pod_address;

struct Parsed {
    Drop drop;
    Headers headers;
};

Parsed parse(const Bytes& bytes) {
    Parsed out;
    out.drop = parse_frame(bytes, static_cast<uint32_t>(bytes.size()), out.headers);
    return out;
}

Drop drop_of(const Frame& frame) {
    return parse(frame.build()).drop;
}

Frame v4_udp() {
    return frame().eth().ip("10.0.0.1", "10.0.0.2").udp(1000, 53).payload(20);
}

template <class F>
class ParseTest : public ::testing::Test {
  protected:
    static Frame ip() { return frame().eth().ip<F>(pod_address<F>(1), pod_address<F>(2)); }
    static constexpr uint16_t kL4 = 14 + F::kMinHeaderBytes;
};
using Families = ::testing::Types<V4, V6>;
TYPED_TEST_SUITE(ParseTest, Families);

TYPED_TEST(ParseTest, ATcpSegmentIsFoundWithItsFlags) {
    const auto [drop, headers] =
        parse(this->ip().tcp(40000, 80, kTcpSyn | kTcpEce).payload(5).build());
    EXPECT_EQ(drop, Drop::kNone);
    EXPECT_EQ(headers.ether_type, TypeParam::kEtherType);
    EXPECT_EQ(headers.ip_version, TypeParam::kVersion);
    EXPECT_EQ(headers.protocol, kProtocolTcp);
    EXPECT_EQ(headers.tcp_flags, kTcpSyn | kTcpEce);
    EXPECT_EQ(headers.l3_offset, 14);
    EXPECT_EQ(headers.l4_offset, this->kL4);
    EXPECT_EQ(headers.payload_offset, this->kL4 + 20);
    EXPECT_EQ(headers.l4_bytes(), 25u);
    EXPECT_TRUE(headers.has(Headers::kPorts));
    EXPECT_FALSE(headers.has(Headers::kMulticastMac));
    EXPECT_FALSE(headers.has(Headers::kIpOptions));
}

TYPED_TEST(ParseTest, TcpOptionsBelongToTheHeader) {
    const auto [drop, headers] = parse(this->ip().tcp(1, 2, kTcpAck).data_offset(8).build());
    EXPECT_EQ(drop, Drop::kNone);
    EXPECT_EQ(headers.payload_offset, this->kL4 + 32);
    EXPECT_EQ(headers.payload_offset, headers.l3_end());
}

TYPED_TEST(ParseTest, ADataOffsetThatDoesNotFitIsDropped) {
    EXPECT_EQ(drop_of(this->ip().tcp(1, 2, 0).data_offset(4)), Drop::kL4BadLength);
    auto bytes = this->ip().tcp(1, 2, 0).payload(8).build();
    bytes[this->kL4 + 12] = 0x80;  // 32 bytes, of which 28 are there
    EXPECT_EQ(parse(bytes).drop, Drop::kL4BadLength);
    bytes[this->kL4 + 12] = 0x70;
    EXPECT_EQ(parse(bytes).drop, Drop::kNone);
}

TYPED_TEST(ParseTest, PaddingBehindThePacketIsAllowedAndNotCounted) {
    const auto [drop, headers] = parse(this->ip().udp(1, 2).pad_to(100).build());
    EXPECT_EQ(drop, Drop::kNone);
    EXPECT_EQ(headers.l3_bytes, TypeParam::kMinHeaderBytes + 8u);
    EXPECT_EQ(headers.payload_offset, headers.l3_end());
}

TYPED_TEST(ParseTest, ALengthBeyondTheFrameIsDropped) {
    auto frame = this->ip().udp(1, 2).payload(20);
    EXPECT_EQ(drop_of(frame.ip_length(60000)), Drop::kIpBadTotalLength);
}

TYPED_TEST(ParseTest, ThePayloadMayStandInLaterBuffers) {
    const auto bytes = this->ip().udp(1, 2).payload(200).build();
    Headers headers;
    const auto head = std::span(bytes).first(this->kL4 + 8);
    EXPECT_EQ(parse_frame(head, static_cast<uint32_t>(bytes.size()), headers), Drop::kNone);
    EXPECT_EQ(headers.l4_bytes(), 208u);
    // But the L4 header must not.
    EXPECT_EQ(
        parse_frame(head.first(head.size() - 1), static_cast<uint32_t>(bytes.size()), headers),
        Drop::kL4Truncated);
}

TYPED_TEST(ParseTest, AnotherVersionThanTheEtherTypesIsDropped) {
    EXPECT_EQ(drop_of(this->ip().udp(1, 2).payload(40).ip_version(5)), Drop::kIpBadVersion);
}

TYPED_TEST(ParseTest, TheUdpLengthMustFit) {
    EXPECT_EQ(drop_of(this->ip().udp(1, 2).payload(4).udp_length(7)), Drop::kL4BadLength);
    EXPECT_EQ(drop_of(this->ip().udp(1, 2).payload(4).udp_length(13)), Drop::kL4BadLength);
    EXPECT_EQ(drop_of(this->ip().udp(1, 2).payload(4).udp_length(12)), Drop::kNone);
    EXPECT_EQ(drop_of(this->ip().udp(1, 2).payload(4).udp_length(8)), Drop::kNone);
}

TYPED_TEST(ParseTest, SctpHasPorts) {
    const auto bytes = this->ip().sctp(100, 200).payload(16).build();
    const auto [drop, headers] = parse(bytes);
    EXPECT_EQ(drop, Drop::kNone);
    EXPECT_EQ(headers.payload_offset, this->kL4 + 12);
    const auto key = flow_key<TypeParam>(bytes.data(), headers);
    EXPECT_EQ(key.src_port.host(), 100);
    EXPECT_EQ(key.dst_port.host(), 200);
}

TYPED_TEST(ParseTest, APacketThatEndsInItsL4HeaderIsDropped) {
    EXPECT_EQ(drop_of(this->ip().payload(7).protocol(kProtocolUdp)), Drop::kL4Truncated);
    EXPECT_EQ(drop_of(this->ip().payload(19).protocol(kProtocolTcp)), Drop::kL4Truncated);
    EXPECT_EQ(drop_of(this->ip().payload(11).protocol(kProtocolSctp)), Drop::kL4Truncated);
    EXPECT_EQ(drop_of(this->ip().payload(7).protocol(TypeParam::kIcmpProtocol)),
              Drop::kL4Truncated);
}

TYPED_TEST(ParseTest, AnUnknownProtocolIsAllPayload) {
    const auto bytes = this->ip().payload(3).protocol(47).build();
    const auto [drop, headers] = parse(bytes);
    EXPECT_EQ(drop, Drop::kNone);
    EXPECT_EQ(headers.protocol, 47);
    EXPECT_EQ(headers.payload_offset, headers.l4_offset);
    EXPECT_FALSE(headers.has(Headers::kPorts));
    EXPECT_EQ(flow_key<TypeParam>(bytes.data(), headers).src_port.host(), 0);
}

TYPED_TEST(ParseTest, TheKeyHoldsAddressesAndPorts) {
    const auto bytes = this->ip().tcp(40000, 443, kTcpAck).build();
    const auto key = flow_key<TypeParam>(bytes.data(), parse(bytes).headers);
    EXPECT_EQ(key.src, pod_address<TypeParam>(1));
    EXPECT_EQ(key.dst, pod_address<TypeParam>(2));
    EXPECT_EQ(key.src_port.host(), 40000);
    EXPECT_EQ(key.dst_port.host(), 443);
    EXPECT_EQ(key.protocol, kProtocolTcp);
    EXPECT_EQ(key.kind, static_cast<uint8_t>(FlowKind::kWhole));
    EXPECT_EQ(key.zero, 0);
}

TYPED_TEST(ParseTest, AnEchoReplysKeyIsTheRequestsReversed) {
    const auto request = this->ip().icmp_echo(0x1234, 1).build();
    const auto reply =
        frame()
            .eth()
            .template ip<TypeParam>(pod_address<TypeParam>(2), pod_address<TypeParam>(1))
            .icmp_echo_reply(0x1234, 1)
            .build();
    const auto asked = parse(request).headers;
    const auto answered = parse(reply).headers;
    EXPECT_TRUE(asked.has(Headers::kEchoRequest));
    EXPECT_TRUE(answered.has(Headers::kEchoReply));
    const auto key = flow_key<TypeParam>(request.data(), asked);
    EXPECT_EQ(key.src_port.host(), 0x1234);
    EXPECT_EQ(flow_key<TypeParam>(reply.data(), answered), key.reversed());
}

TYPED_TEST(ParseTest, AllFragmentsOfADatagramShareOneKey) {
    const auto whole = this->ip().udp(5000, 53).payload(16).build();
    const auto first = this->ip().frag(0, true).udp(5000, 53).udp_length(2000).payload(16).build();
    const auto middle = this->ip().frag(24, true).payload(24).protocol(kProtocolUdp).build();
    const auto last = this->ip().frag(48, false).payload(5).protocol(kProtocolUdp).build();
    const auto key_of = [](const Bytes& bytes) {
        const auto [drop, headers] = parse(bytes);
        EXPECT_EQ(drop, Drop::kNone) << test::describe(bytes);
        return fragment_key<TypeParam>(bytes.data(), headers);
    };
    const auto key = key_of(first);
    EXPECT_EQ(key.kind, static_cast<uint8_t>(FlowKind::kFragment));
    EXPECT_EQ(key_of(middle), key);
    EXPECT_EQ(key_of(last), key);
    const auto other = this->ip().ip_id(2).frag(24, true).payload(24).protocol(kProtocolUdp);
    EXPECT_NE(key_of(other), key) << "another identification";
    // The first fragment also gives the whole datagram's key.
    const auto headers = parse(first).headers;
    EXPECT_EQ(flow_key<TypeParam>(first.data(), headers),
              flow_key<TypeParam>(whole.data(), parse(whole).headers));
    EXPECT_TRUE(headers.has(Headers::kFirstFragment));
    EXPECT_TRUE(headers.has(Headers::kMoreFragments));
    EXPECT_FALSE(parse(last).headers.has(Headers::kMoreFragments));
    EXPECT_FALSE(parse(last).headers.has(Headers::kFirstFragment));
    EXPECT_FALSE(parse(last).headers.has(Headers::kPorts));
}

TYPED_TEST(ParseTest, AFirstFragmentWithoutItsL4HeaderIsDropped) {
    EXPECT_EQ(drop_of(this->ip().frag(0, true).payload(8).protocol(kProtocolTcp)),
              Drop::kFragmentTiny);
    EXPECT_EQ(drop_of(this->ip().frag(0, true).tcp(1, 2, kTcpSyn).data_offset(15).payload(8)),
              Drop::kNone);
    EXPECT_EQ(drop_of(this->ip().frag(0, true).tcp(1, 2, kTcpSyn)), Drop::kNone);
    auto cut = this->ip().frag(0, true).tcp(1, 2, kTcpSyn).data_offset(15).build();
    cut.resize(cut.size() - 16);
    Headers headers;
    EXPECT_NE(parse_frame(cut, static_cast<uint32_t>(cut.size()), headers), Drop::kNone);
}

TYPED_TEST(ParseTest, IcmpErrorsAreMarked) {
    const uint8_t type = TypeParam::kVersion == 4 ? 3 : 1;
    const auto [drop, headers] = parse(this->ip().icmp(type, 0, 0, Bytes(48)).build());
    EXPECT_EQ(drop, Drop::kNone);
    EXPECT_TRUE(headers.has(Headers::kIcmpError));
    EXPECT_EQ(headers.icmp_type, type);
    EXPECT_FALSE(parse(this->ip().icmp_echo(1, 1).build()).headers.has(Headers::kIcmpError));
}

TYPED_TEST(ParseTest, TheOtherFamilysIcmpIsNoIcmp) {
    const uint8_t other = TypeParam::kVersion == 4 ? kProtocolIcmpv6 : kProtocolIcmp;
    const auto [drop, headers] = parse(this->ip().payload(8).protocol(other).build());
    EXPECT_EQ(drop, Drop::kNone);
    EXPECT_FALSE(headers.has(Headers::kIcmpError));
    EXPECT_FALSE(headers.has(Headers::kEchoReply));
}

TYPED_TEST(ParseTest, AnIpPacketParsesWithoutItsEthernetHeader) {
    const auto bytes = this->ip().tcp(1, 2, kTcpAck).build();
    Headers at_offset;
    EXPECT_EQ(parse_ip_packet(bytes, 14, static_cast<uint32_t>(bytes.size()), at_offset),
              Drop::kNone);
    EXPECT_EQ(at_offset.l4_offset, this->kL4);
    EXPECT_EQ(at_offset.ether_type, TypeParam::kEtherType);
    const Bytes packet(bytes.begin() + 14, bytes.end());
    Headers alone;
    EXPECT_EQ(parse_ip_packet(packet, 0, static_cast<uint32_t>(packet.size()), alone), Drop::kNone);
    EXPECT_EQ(alone.l4_offset, TypeParam::kMinHeaderBytes);
    EXPECT_EQ(parse_ip_packet({}, 0, 0, alone), Drop::kIpTruncated);
}

TYPED_TEST(ParseTest, AQuotedPacketNeedsEightBytesOfL4) {
    const auto bytes = this->ip().tcp(40000, 80, kTcpAck).payload(500).build();
    const auto quoted = std::span(bytes).subspan(14, TypeParam::kMinHeaderBytes + 8);
    Headers headers;
    ASSERT_EQ(parse_quoted_packet<TypeParam>(quoted, 0, headers), Drop::kNone);
    const auto key = flow_key<TypeParam>(quoted.data(), headers);
    EXPECT_EQ(key, flow_key<TypeParam>(bytes.data(), parse(bytes).headers));
    EXPECT_EQ(headers.l3_bytes, bytes.size() - 14);
    EXPECT_EQ(parse_quoted_packet<TypeParam>(quoted.first(quoted.size() - 1), 0, headers),
              Drop::kL4Truncated);
    EXPECT_EQ(
        parse_quoted_packet<TypeParam>(quoted.first(TypeParam::kMinHeaderBytes - 1), 0, headers),
        Drop::kIpTruncated);
}

TYPED_TEST(ParseTest, AQuotedPacketIsFoundBehindItsErrorsHeaders) {
    const auto inner = this->ip().udp(1000, 53).payload(20).build();
    const uint8_t type = TypeParam::kVersion == 4 ? 3 : 1;
    const auto error = this->ip().icmp(type, 3, 0, std::span(inner).subspan(14)).build();
    const auto outer = parse(error).headers;
    Headers quoted;
    ASSERT_EQ(parse_quoted_packet<TypeParam>(error, outer.payload_offset, quoted), Drop::kNone);
    EXPECT_EQ(quoted.l4_offset, outer.payload_offset + TypeParam::kMinHeaderBytes);
    EXPECT_EQ(flow_key<TypeParam>(error.data(), quoted).dst_port.host(), 53);
}

TEST(Parse, AFrameThatEndsInItsEthernetHeaderIsDropped) {
    EXPECT_EQ(parse(Bytes{}).drop, Drop::kFrameTooShort);
    EXPECT_EQ(parse(Bytes(13)).drop, Drop::kFrameTooShort);
    EXPECT_EQ(drop_of(frame().eth().ether_type(kEtherTypeVlan).payload(3)), Drop::kFrameTooShort);
}

TEST(Parse, VlanTagsArePassedOver) {
    const auto one = parse(frame().eth().vlan(0x2064).ip("10.0.0.1", "10.0.0.2").udp(1, 2).build());
    EXPECT_EQ(one.drop, Drop::kNone);
    EXPECT_TRUE(one.headers.has(Headers::kVlan));
    EXPECT_EQ(one.headers.vlan_tci, 0x2064);
    EXPECT_EQ(one.headers.ether_type, kEtherTypeIpv4);
    EXPECT_EQ(one.headers.l3_offset, 18);
    const auto two =
        parse(frame().eth().vlan(7, true).vlan(100).ip("fd00::1", "fd00::2").udp(1, 2).build());
    EXPECT_EQ(two.drop, Drop::kNone);
    EXPECT_EQ(two.headers.vlan_tci, 7);
    EXPECT_EQ(two.headers.l3_offset, 22);
    EXPECT_EQ(two.headers.l4_offset, 62);
}

TEST(Parse, AThirdTagIsLeftAsAnEtherType) {
    const auto three =
        parse(frame().eth().vlan(1).vlan(2).vlan(3).ip("10.0.0.1", "10.0.0.2").udp(1, 2).build());
    EXPECT_EQ(three.drop, Drop::kNone);
    EXPECT_EQ(three.headers.ether_type, kEtherTypeVlan);
    EXPECT_EQ(three.headers.ip_version, 0);
}

TEST(Parse, GroupsAndBroadcastsAreMarkedByTheirMac) {
    const auto headers_to = [](const MacAddress& dst) {
        return parse(frame().eth(test::kMacA, dst).ip("10.0.0.1", "224.0.0.1").udp(1, 2).build())
            .headers;
    };
    EXPECT_TRUE(headers_to(kBroadcastMac).has(Headers::kBroadcast));
    EXPECT_TRUE(headers_to(kBroadcastMac).has(Headers::kMulticastMac));
    const auto group = headers_to(test::mac("01:00:5e:00:00:01"));
    EXPECT_TRUE(group.has(Headers::kMulticastMac));
    EXPECT_FALSE(group.has(Headers::kBroadcast));
    EXPECT_FALSE(headers_to(test::kMacB).has(Headers::kMulticastMac));
}

TEST(Parse, ArpIsPassedWithItsOffset) {
    const auto [drop, headers] =
        parse(frame()
                  .eth(test::kMacA, kBroadcastMac)
                  .arp_request(test::kMacA, test::v4("10.0.0.1"), test::v4("10.0.0.2"))
                  .pad_to(60)
                  .build());
    EXPECT_EQ(drop, Drop::kNone);
    EXPECT_EQ(headers.ether_type, kEtherTypeArp);
    EXPECT_EQ(headers.l3_offset, 14);
    EXPECT_EQ(headers.ip_version, 0);
}

TEST(ParseIpv4, TheL4OffsetFollowsTheOptions) {
    const auto bytes = v4_udp().options(24).build();
    const auto [drop, headers] = parse(bytes);
    EXPECT_EQ(drop, Drop::kNone);
    EXPECT_TRUE(headers.has(Headers::kIpOptions));
    EXPECT_EQ(headers.l4_offset, 14 + 44);
    EXPECT_EQ(flow_key<V4>(bytes.data(), headers).dst_port.host(), 53);
    EXPECT_EQ(drop_of(v4_udp().options(24).bad_ip_checksum()), Drop::kIpBadChecksum);
}

TEST(ParseIpv4, AHeaderLengthThatDoesNotFitIsDropped) {
    EXPECT_EQ(drop_of(v4_udp().ihl(4)), Drop::kIpBadHeaderLength);
    EXPECT_EQ(drop_of(v4_udp().ip_length(20).ihl(8)), Drop::kIpBadHeaderLength);
    EXPECT_EQ(drop_of(v4_udp().ihl(15)), Drop::kIpTruncated);
    EXPECT_EQ(drop_of(v4_udp().ip_length(19)), Drop::kIpBadTotalLength);
    EXPECT_EQ(drop_of(v4_udp().ip_length(0)), Drop::kIpBadTotalLength);
}

TEST(ParseIpv4, AWrongHeaderChecksumIsDropped) {
    EXPECT_EQ(drop_of(v4_udp().bad_ip_checksum()), Drop::kIpBadChecksum);
}

TEST(ParseIpv4, DontFragmentIsMarked) {
    EXPECT_TRUE(parse(v4_udp().df().build()).headers.has(Headers::kDontFragment));
    EXPECT_FALSE(parse(v4_udp().build()).headers.has(Headers::kDontFragment));
}

TEST(ParseIpv4, AddressesThatCannotBeForwardedAreDropped) {
    const auto between = [](std::string_view src, std::string_view dst) {
        return drop_of(frame().eth().ip(src, dst).udp(1, 2));
    };
    EXPECT_EQ(between("224.0.0.1", "10.0.0.2"), Drop::kIpBadAddress);
    EXPECT_EQ(between("255.255.255.255", "10.0.0.2"), Drop::kIpBadAddress);
    EXPECT_EQ(between("127.0.0.1", "10.0.0.2"), Drop::kIpBadAddress);
    EXPECT_EQ(between("10.0.0.1", "127.1.2.3"), Drop::kIpBadAddress);
    EXPECT_EQ(between("10.0.0.1", "0.0.0.0"), Drop::kIpBadAddress);
    EXPECT_EQ(between("0.0.0.0", "10.0.0.2"), Drop::kIpBadAddress);
    EXPECT_EQ(between("0.1.2.3", "10.0.0.2"), Drop::kIpBadAddress);
    EXPECT_EQ(between("0.0.0.0", "255.255.255.255"), Drop::kNone);
    EXPECT_EQ(between("10.0.0.1", "255.255.255.255"), Drop::kNone);
    EXPECT_EQ(between("10.0.0.1", "224.0.0.251"), Drop::kNone);
    EXPECT_EQ(between("240.0.0.1", "10.0.0.2"), Drop::kNone);
}

TEST(ParseIpv4, WhatTheNodesKernelSendsToLoopbackIsReadWhereItHasPorts) {
    const auto verdict = [](const Frame& made) {
        const Bytes bytes = made.build();
        Headers out;
        return parse_to_loopback(bytes, static_cast<uint32_t>(bytes.size()), out);
    };
    const auto to = [](std::string_view dst) { return frame().eth().ip("10.0.0.1", dst); };
    EXPECT_EQ(verdict(to("127.0.0.1").tcp(1, 2, kTcpSyn)), Drop::kNone);
    EXPECT_EQ(verdict(to("127.0.0.1").icmp_echo(1, 1)), Drop::kIpBadAddress);
    EXPECT_EQ(verdict(to("127.0.0.1").frag(8, true).payload(8)), Drop::kIpBadAddress);
    EXPECT_EQ(verdict(frame().eth().ip("127.0.0.1", "127.0.0.1").udp(1, 2)), Drop::kIpBadAddress);
}

TEST(ParseIpv6, AddressesThatCannotBeForwardedAreDropped) {
    const auto between = [](std::string_view src, std::string_view dst) {
        return drop_of(frame().eth().ip(src, dst).udp(1, 2));
    };
    EXPECT_EQ(between("ff02::1", "fd00::2"), Drop::kIpBadAddress);
    EXPECT_EQ(between("::1", "fd00::2"), Drop::kIpBadAddress);
    EXPECT_EQ(between("fd00::1", "::3"), Drop::kIpBadAddress);
    EXPECT_EQ(between("fd00::1", "::"), Drop::kIpBadAddress);
    EXPECT_EQ(between("::", "fd00::2"), Drop::kIpBadAddress);
    EXPECT_EQ(between("::", "ff02::1:ff00:2"), Drop::kNone);
    EXPECT_EQ(between("::2", "fd00::2"), Drop::kIpBadAddress);
    EXPECT_EQ(between("fe80::1", "ff02::1"), Drop::kNone);
}

TEST(Parse, AnUnspecifiedSourceIsMarked) {
    EXPECT_TRUE(parse(frame().eth().ip("0.0.0.0", "255.255.255.255").udp(68, 67).build())
                    .headers.has(Headers::kUnspecifiedSource));
    EXPECT_TRUE(parse(frame().eth().ip("::", "ff02::1").udp(68, 67).build())
                    .headers.has(Headers::kUnspecifiedSource));
    EXPECT_FALSE(parse(v4_udp().build()).headers.has(Headers::kUnspecifiedSource));
}

TEST(ParseIpv6, ExtensionHeadersAreFollowed) {
    const auto bytes = frame()
                           .eth()
                           .ip("fd00::1", "fd00::2")
                           .extension(kProtocolHopByHop, 16)
                           .extension(kProtocolRouting, 24)
                           .extension(kProtocolAh, 24)
                           .extension(kProtocolDestinationOptions, 8)
                           .tcp(40000, 80, kTcpSyn)
                           .build();
    const auto [drop, headers] = parse(bytes);
    EXPECT_EQ(drop, Drop::kNone);
    EXPECT_EQ(headers.protocol, kProtocolTcp);
    EXPECT_EQ(headers.l4_offset, 54 + 16 + 24 + 24 + 8);
    EXPECT_TRUE(headers.has(Headers::kIpOptions));
    EXPECT_EQ(flow_key<V6>(bytes.data(), headers).dst_port.host(), 80);
}

TEST(ParseIpv6, ExtensionHeadersAreBounded) {
    const auto with = [](unsigned count) {
        Frame f = frame().eth().ip("fd00::1", "fd00::2");
        for (unsigned i = 0; i < count; ++i) f.extension(kProtocolDestinationOptions);
        return drop_of(f.udp(1, 2));
    };
    EXPECT_EQ(with(kMaxIpv6Extensions), Drop::kNone);
    EXPECT_EQ(with(kMaxIpv6Extensions + 1), Drop::kIpTooManyExtensions);
}

TEST(ParseIpv6, AnExtensionHeaderBeyondThePacketIsDropped) {
    auto bytes =
        frame().eth().ip("fd00::1", "fd00::2").extension(kProtocolRouting, 8).udp(1, 2).build();
    bytes[55] = 1;  // 16 bytes: all that is there
    EXPECT_EQ(parse(bytes).drop, Drop::kL4Truncated);
    bytes[55] = 2;
    EXPECT_EQ(parse(bytes).drop, Drop::kIpTruncated);
    EXPECT_EQ(drop_of(frame().eth().ip("fd00::1", "fd00::2").payload(7).protocol(kProtocolAh)),
              Drop::kIpTruncated);
}

TEST(ParseIpv6, HopByHopOptionsStandFirstOnly) {
    const auto [drop, headers] = parse(frame()
                                           .eth()
                                           .ip("fd00::1", "fd00::2")
                                           .extension(kProtocolRouting)
                                           .extension(kProtocolHopByHop)
                                           .udp(1, 2)
                                           .build());
    EXPECT_EQ(drop, Drop::kNone);
    EXPECT_EQ(headers.protocol, kProtocolHopByHop);
    EXPECT_FALSE(headers.has(Headers::kPorts));
}

TEST(ParseIpv6, AFragmentHeaderOfAWholePacketIsPassedOver) {
    const auto [drop, headers] =
        parse(frame().eth().ip("fd00::1", "fd00::2").frag(0, false).udp(1, 2).build());
    EXPECT_EQ(drop, Drop::kNone);
    EXPECT_FALSE(headers.has(Headers::kFragment));
    EXPECT_TRUE(headers.has(Headers::kPorts));
}

TEST(ParseIpv6, HeadersBehindTheFragmentHeaderAreReadWhenAsked) {
    const auto key_of = [](const Bytes& bytes) {
        const auto [drop, headers] = parse(bytes);
        EXPECT_EQ(drop, Drop::kNone);
        EXPECT_FALSE(headers.has(Headers::kPorts));
        return fragment_key<V6>(bytes.data(), headers);
    };
    const auto first = frame()
                           .eth()
                           .ip("fd00::1", "fd00::2")
                           .frag(0, true)
                           .extension(kProtocolDestinationOptions)
                           .udp(1, 2)
                           .build();
    const auto last = frame()
                          .eth()
                          .ip("fd00::1", "fd00::2")
                          .frag(16, false)
                          .payload(8)
                          .protocol(kProtocolDestinationOptions)
                          .build();
    EXPECT_EQ(key_of(first), key_of(last));
    Headers headers = parse(first).headers;
    ASSERT_EQ(parse_behind_fragment_header(first, headers), Drop::kNone);
    EXPECT_TRUE(headers.has(Headers::kPorts));
    EXPECT_EQ(flow_key<V6>(first.data(), headers).dst_port.host(), 2);
}

TEST(ParseIpv6, APayloadLengthOfZeroIsDropped) {
    EXPECT_EQ(drop_of(frame().eth().ip("fd00::1", "fd00::2").udp(1, 2).ip_length(0)),
              Drop::kIpBadTotalLength);
}

TEST(ParseIpv6, ThePacketMayBeLongerThanSixteenBitsCount) {
    Frame f = frame().eth().ip("fd00::1", "fd00::2").tcp(1, 2, kTcpAck).payload(65535 - 20);
    const auto [drop, headers] = parse(f.build());
    EXPECT_EQ(drop, Drop::kNone);
    EXPECT_EQ(headers.l3_bytes, 65575u);
    EXPECT_EQ(headers.l4_bytes(), 65535u);
}

}  // namespace
}  // namespace podlane
