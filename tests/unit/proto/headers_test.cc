#include <gtest/gtest.h>

#include <array>
#include <cstddef>

#include "lib/proto/arp.h"
#include "lib/proto/ethernet.h"
#include "lib/proto/icmp.h"
#include "lib/proto/ip_protocol.h"
#include "lib/proto/ipv4.h"
#include "lib/proto/ipv6.h"
#include "lib/proto/nd.h"
#include "lib/proto/sctp.h"
#include "lib/proto/tcp.h"
#include "lib/proto/udp.h"
#include "lib/proto/wire.h"

namespace podlane {
namespace {

TEST(Wire, AHeaderIsReadAtAnyAlignment) {
    std::array<uint8_t, 16> bytes{};
    for (size_t offset = 0; offset <= 8; ++offset) {
        bytes.fill(0);
        bytes[offset + 1] = 53;
        EXPECT_EQ(header_at<UdpHeader>(bytes, offset).src_port.host(), 53) << offset;
    }
}

TEST(Wire, WhatIsPutIsReadBackAndNothingElseChanges) {
    std::array<uint8_t, 14> bytes;
    bytes.fill(0xaa);
    const UdpHeader udp{be16(1), be16(2), be16(8), be16(0xbeef)};
    put_header(bytes, 3, udp);
    const auto back = header_at<UdpHeader>(bytes, 3);
    EXPECT_EQ(back.dst_port, udp.dst_port);
    EXPECT_EQ(back.checksum, udp.checksum);
    EXPECT_EQ(bytes[2], 0xaa);
    EXPECT_EQ(bytes[11], 0xaa);
    EXPECT_EQ(bytes[3 + offsetof(UdpHeader, checksum)], 0xbe);
}

TEST(Wire, FitsIsSafeForAnyOffset) {
    const std::array<uint8_t, 8> bytes{};
    EXPECT_TRUE(fits<UdpHeader>(bytes, 0));
    EXPECT_FALSE(fits<UdpHeader>(bytes, 1));
    EXPECT_FALSE(fits<UdpHeader>(bytes, 9));
    EXPECT_FALSE(fits<UdpHeader>(bytes, SIZE_MAX));
    EXPECT_FALSE(fits<UdpHeader>({}, 0));
}

TEST(Ipv4Header, TheFieldsAreWhereRfc791PutsThem) {
    EXPECT_EQ(offsetof(Ipv4Header, total_bytes), 2u);
    EXPECT_EQ(offsetof(Ipv4Header, fragment), 6u);
    EXPECT_EQ(offsetof(Ipv4Header, ttl), 8u);
    EXPECT_EQ(offsetof(Ipv4Header, checksum), 10u);
    EXPECT_EQ(offsetof(Ipv4Header, src), 12u);
    EXPECT_EQ(offsetof(Ipv4Header, dst), 16u);
}

TEST(Ipv4Header, LengthAndFragmentOffsetAreInBytes) {
    const Ipv4Header ip{.version_ihl = 0x46, .fragment = be16(kIpv4MoreFragments | 185)};
    EXPECT_EQ(ip.version(), 4u);
    EXPECT_EQ(ip.header_bytes(), 24u);
    EXPECT_EQ(ip.fragment_offset_bytes(), 1480u);
}

TEST(Ipv6Header, TheFirstWordHoldsVersionAndTrafficClass) {
    EXPECT_EQ(offsetof(Ipv6Header, next_header), 6u);
    EXPECT_EQ(offsetof(Ipv6Header, src), 8u);
    const Ipv6Header ip{.version_class_label = be32(0x6b812345)};
    EXPECT_EQ(ip.version(), 6u);
    EXPECT_EQ(ip.traffic_class(), 0xb8);
}

TEST(Ipv6Fragment, OffsetAndMoreShareAField) {
    const Ipv6Fragment fragment{.offset_flags = be16(1448 | 1)};
    EXPECT_EQ(fragment.offset_bytes(), 1448u);
    EXPECT_TRUE(fragment.more());
}

TEST(TcpHeader, TheFieldsAreWhereRfc9293PutsThem) {
    EXPECT_EQ(offsetof(TcpHeader, acknowledgment), 8u);
    EXPECT_EQ(offsetof(TcpHeader, flags), 13u);
    EXPECT_EQ(offsetof(TcpHeader, checksum), 16u);
    EXPECT_EQ((TcpHeader{.data_offset = 0x80}.header_bytes()), 32u);
}

TEST(SctpHeader, TheChecksumIsTheThirdWord) {
    EXPECT_EQ(offsetof(SctpHeader, checksum), 8u);
    EXPECT_EQ(offsetof(SctpChunk, bytes), 2u);
}

TEST(ArpPacket, TheAddressesStandAtOddWords) {
    EXPECT_EQ(offsetof(ArpPacket, sender_bytes), 14u);
    EXPECT_EQ(offsetof(ArpPacket, target_bytes), 24u);
    const ArpPacket arp{.sender_bytes = {10, 0, 0, 1}, .target_bytes = {10, 0, 0, 2}};
    EXPECT_EQ(arp.sender().value.host(), 0x0a000001u);
    EXPECT_EQ(arp.target().value.host(), 0x0a000002u);
}

TEST(EthernetHeader, TheEtherTypeFollowsTwoAddresses) {
    EXPECT_EQ(offsetof(EthernetHeader, ether_type), 12u);
    EXPECT_EQ(offsetof(VlanTag, ether_type), 2u);
}

TEST(Icmp, ErrorsAreThoseThatQuoteAPacket) {
    for (const uint8_t type : std::to_array<uint8_t>({3, 4, 5, 11, 12}))
        EXPECT_TRUE(is_icmp_error<V4>(type)) << int{type};
    for (const uint8_t type : std::to_array<uint8_t>({0, 8, 9, 10, 13, 30}))
        EXPECT_FALSE(is_icmp_error<V4>(type));
    for (const uint8_t type : std::to_array<uint8_t>({1, 2, 3, 4, 127}))
        EXPECT_TRUE(is_icmp_error<V6>(type));
    for (const uint8_t type : std::to_array<uint8_t>({128, 129, 135, 255}))
        EXPECT_FALSE(is_icmp_error<V6>(type));
}

TEST(Icmp, EchoTypesDifferByFamily) {
    EXPECT_TRUE(is_echo_request<V4>(8));
    EXPECT_TRUE(is_echo_reply<V4>(0));
    EXPECT_TRUE(is_echo_request<V6>(128));
    EXPECT_TRUE(is_echo_reply<V6>(129));
    EXPECT_FALSE(is_echo_request<V6>(8));
}

TEST(Nd, TheMessageEndsWithItsTarget) {
    EXPECT_EQ(offsetof(NdNeighbour, target), 8u);
    EXPECT_EQ(offsetof(NdLinkAddress, mac), 2u);
}

}  // namespace
}  // namespace podlane
