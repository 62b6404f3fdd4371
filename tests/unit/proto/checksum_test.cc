#include "lib/proto/checksum.h"

#include <gtest/gtest.h>

#include <numeric>
#include <string_view>
#include <vector>

#include "tests/support/frames.h"

namespace podlane {
namespace {

using test::Bytes;
using Segment = std::span<const uint8_t>;

// One word at a time, as RFC 1071 section 4.1 writes it.
uint16_t plain_sum(Segment bytes) {
    uint32_t sum = 0;
    for (size_t i = 0; i < bytes.size(); i += 2) {
        const unsigned low = i + 1 < bytes.size() ? bytes[i + 1] : 0;
        sum += (bytes[i] * 256u) + low;
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return static_cast<uint16_t>(sum);
}

Bytes counted(size_t count, unsigned step) {
    Bytes bytes(count);
    for (size_t i = 0; i < count; ++i) bytes[i] = static_cast<uint8_t>(i * step + 1);
    return bytes;
}

TEST(Checksum, TheExampleOfRfc1071) {
    const Bytes bytes{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    EXPECT_EQ(checksum_fold(checksum_partial(bytes)).host(), static_cast<uint16_t>(~0xddf2));
}

TEST(Checksum, EveryLengthAndAlignmentAgreesWithThePlainLoop) {
    const Bytes bytes = counted(300, 37);
    for (size_t begin = 0; begin < 9; ++begin) {
        for (size_t count = 0; begin + count <= bytes.size(); ++count) {
            const auto part = Segment(bytes).subspan(begin, count);
            EXPECT_EQ(checksum_fold(checksum_partial(part)).host(),
                      static_cast<uint16_t>(~plain_sum(part)))
                << begin << '+' << count;
        }
    }
}

TEST(Checksum, NoCarryIsLostInTheLargestPacket) {
    const Bytes bytes(65535 + 40, 0xff);
    EXPECT_EQ(checksum_fold(checksum_partial(bytes, 0xffffffff)).host(),
              static_cast<uint16_t>(~plain_sum(bytes)));
}

TEST(Checksum, SumsOfEvenRunsAddUp) {
    const Bytes bytes = counted(64, 13);
    const uint32_t front = checksum_partial(Segment(bytes).first(22));
    EXPECT_EQ(checksum_fold(checksum_partial(Segment(bytes).subspan(22), front)),
              checksum_fold(checksum_partial(bytes)));
}

TEST(Checksum, TheHeaderOfWikipediasExampleIsRight) {
    Bytes header{0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11,
                 0x00, 0x00, 0xc0, 0xa8, 0x00, 0x01, 0xc0, 0xa8, 0x00, 0xc7};
    const be16 sum = ipv4_header_checksum(header);
    EXPECT_EQ(sum.host(), 0xb861);
    EXPECT_FALSE(ipv4_header_checksum_ok(header));
    header[10] = 0xb8;
    header[11] = 0x61;
    EXPECT_TRUE(ipv4_header_checksum_ok(header));
}

TEST(ChecksumUpdate, TheExampleOfRfc1624) {
    // Section 4: the checksum that RFC 1141's form gets wrong.
    EXPECT_EQ(checksum_update(be16(0xdd2f), be16(0x5555), be16(0x3285)).host(), 0x0000);
}

TEST(ChecksumUpdate, ThereAndBackIsTheSame) {
    const be16 sum(0x1234);
    EXPECT_EQ(checksum_update(checksum_update(sum, be16(80), be16(8080)), be16(8080), be16(80)),
              sum);
}

TEST(ChecksumDelta, OneDeltaDoesWhatTheUpdatesDo) {
    const auto was = test::v4("10.96.0.1");
    const auto now = test::v4("10.244.3.7");
    const auto delta = checksum_delta(was, now) + checksum_delta(be16(80), be16(8080));
    be16 sum(0xbeef);
    const auto half = [](Ipv4Address a, int shift) {
        return be16(static_cast<uint16_t>(a.value.host() >> shift));
    };
    const be16 updated =
        checksum_update(checksum_update(checksum_update(sum, half(was, 16), half(now, 16)),
                                        half(was, 0), half(now, 0)),
                        be16(80), be16(8080));
    EXPECT_EQ(checksum_apply(sum, delta), updated);
    EXPECT_EQ(checksum_apply(updated, delta.reversed()), sum);
}

TEST(ChecksumDelta, OfTheSameValueChangesNothing) {
    const auto address = test::v6("fd00::1");
    EXPECT_EQ(checksum_apply(be16(0x1234), checksum_delta(address, address)).host(), 0x1234);
    EXPECT_EQ(checksum_apply(be16(0x1234), ChecksumDelta{}).host(), 0x1234);
}

TEST(UdpChecksum, AnAbsentOneStaysAbsent) {
    EXPECT_EQ(udp_checksum_apply(be16(0), checksum_delta(be16(1), be16(2))).host(), 0);
}

TEST(UdpChecksum, AComputedZeroIsSentAsAllOnes) {
    EXPECT_EQ(udp_checksum_on_wire(be16(0)).host(), 0xffff);
    EXPECT_EQ(udp_checksum_on_wire(be16(7)).host(), 7);
    // 0xdd2f becomes 0 by this change, see RFC 1624 section 4.
    const auto delta = checksum_delta(be16(0x5555), be16(0x3285));
    EXPECT_EQ(udp_checksum_apply(be16(0xdd2f), delta).host(), 0xffff);
    EXPECT_EQ(udp_checksum_apply(be16(0xffff), delta.reversed()).host(), 0xdd2f);
}

template <class F>
class L4ChecksumTest : public ::testing::Test {};
using Families = ::testing::Types<V4, V6>;
TYPED_TEST_SUITE(L4ChecksumTest, Families);

TYPED_TEST(L4ChecksumTest, APacketWithItsChecksumIsOk) {
    const auto src = test::pod_address<TypeParam>(1);
    const auto dst = test::pod_address<TypeParam>(2);
    Bytes l4 = counted(61, 7);
    l4[16] = l4[17] = 0;
    const be16 sum = l4_checksum<TypeParam>(src, dst, kProtocolTcp, l4);
    std::memcpy(l4.data() + 16, &sum, sizeof sum);
    EXPECT_TRUE(l4_checksum_ok<TypeParam>(src, dst, kProtocolTcp, l4));
    EXPECT_FALSE(l4_checksum_ok<TypeParam>(src, dst, kProtocolUdp, l4));
    EXPECT_FALSE(l4_checksum_ok<TypeParam>(src, src, kProtocolTcp, l4));
    l4[60] = static_cast<uint8_t>(l4[60] ^ 1);
    EXPECT_FALSE(l4_checksum_ok<TypeParam>(src, dst, kProtocolTcp, l4));
}

TYPED_TEST(L4ChecksumTest, SegmentsOfAnyLengthGiveTheSumOfTheWhole) {
    const auto src = test::pod_address<TypeParam>(1);
    const auto dst = test::pod_address<TypeParam>(2);
    const Bytes whole = counted(101, 11);
    const be16 expected = l4_checksum<TypeParam>(src, dst, kProtocolTcp, whole);
    for (size_t first = 0; first <= whole.size(); ++first) {
        for (size_t second = first; second <= whole.size(); second += 7) {
            const std::array<Segment, 3> segments{Segment(whole).first(first),
                                                  Segment(whole).subspan(first, second - first),
                                                  Segment(whole).subspan(second)};
            EXPECT_EQ((l4_checksum<TypeParam>(src, dst, kProtocolTcp, segments)), expected)
                << first << ' ' << second;
        }
    }
}

TYPED_TEST(L4ChecksumTest, UdpNeverYieldsZero) {
    const auto src = test::pod_address<TypeParam>(1);
    const auto dst = test::pod_address<TypeParam>(2);
    // A word that makes the sum all ones.
    Bytes l4(10);
    const be16 rest = l4_checksum<TypeParam>(src, dst, kProtocolUdp, l4);
    std::memcpy(l4.data() + 8, &rest, sizeof rest);
    EXPECT_EQ((l4_checksum<TypeParam>(src, dst, kProtocolUdp, l4).host()), 0xffff);
}

TYPED_TEST(L4ChecksumTest, APartialChecksumIsCompletedToTheWholeOne) {
    const auto src = test::pod_address<TypeParam>(1);
    const auto dst = test::pod_address<TypeParam>(2);
    Bytes l4 = counted(45, 3);
    l4[16] = l4[17] = 0;
    const be16 expected = l4_checksum<TypeParam>(src, dst, kProtocolTcp, l4);
    const be16 partial = partial_checksum<TypeParam>(src, dst, kProtocolTcp, 45);
    std::memcpy(l4.data() + 16, &partial, sizeof partial);
    EXPECT_EQ(complete_partial_checksum(l4), expected);
    const std::array<Segment, 2> segments{Segment(l4).first(19), Segment(l4).subspan(19)};
    EXPECT_EQ(complete_partial_checksum(segments), expected);
}

TYPED_TEST(L4ChecksumTest, APartialChecksumFollowsAnAddress) {
    const auto src = test::pod_address<TypeParam>(1);
    const auto was = test::pod_address<TypeParam>(2);
    const auto now = test::pod_address<TypeParam>(999);
    EXPECT_EQ(partial_checksum_apply(partial_checksum<TypeParam>(src, was, kProtocolTcp, 45),
                                     checksum_delta(was, now)),
              (partial_checksum<TypeParam>(src, now, kProtocolTcp, 45)));
}

TEST(L4Checksum, IcmpOverIpv4HasNoPseudoHeader) {
    const Bytes icmp = counted(20, 5);
    EXPECT_EQ((l4_checksum<V4>(test::v4("10.0.0.1"), test::v4("10.0.0.2"), kProtocolIcmp, icmp)),
              checksum_fold(checksum_partial(icmp)));
    EXPECT_NE((l4_checksum<V6>(test::v6("fd00::1"), test::v6("fd00::2"), kProtocolIcmpv6, icmp)),
              checksum_fold(checksum_partial(icmp)));
}

TEST(Crc32c, TheValuesOfRfc3720) {
    // Appendix B.4, and the usual check value.
    EXPECT_EQ(~crc32c(Bytes(32, 0x00)), 0x8a9136aau);
    EXPECT_EQ(~crc32c(Bytes(32, 0xff)), 0x62a8ab43u);
    Bytes rising(32);
    std::iota(rising.begin(), rising.end(), uint8_t{0});
    EXPECT_EQ(~crc32c(rising), 0x46dd794eu);
    const std::string_view digits = "123456789";
    EXPECT_EQ(~crc32c(Bytes(digits.begin(), digits.end())), 0xe3069283u);
}

TEST(SctpChecksum, TheFieldsOwnBytesDoNotCountAndItsLowestByteComesFirst) {
    Bytes packet = counted(40, 9);
    packet[8] = packet[9] = packet[10] = packet[11] = 0;
    const uint32_t crc = ~crc32c(packet);
    const be32 sum = sctp_checksum(packet);
    EXPECT_EQ(sum.host() >> 24, crc & 0xff);
    packet[9] = 77;
    EXPECT_EQ(sctp_checksum(packet), sum);
    packet[20] = static_cast<uint8_t>(packet[20] ^ 1);
    EXPECT_NE(sctp_checksum(packet), sum);
}

TEST(SctpChecksum, SegmentsGiveTheSumOfTheWhole) {
    const Bytes packet = counted(77, 9);
    for (size_t first = 12; first <= packet.size(); ++first) {
        const std::array<Segment, 2> segments{Segment(packet).first(first),
                                              Segment(packet).subspan(first)};
        EXPECT_EQ(sctp_checksum(segments), sctp_checksum(packet)) << first;
    }
}

}  // namespace
}  // namespace podlane
