#include "lib/proto/fragment.h"

#include <gtest/gtest.h>

#include "lib/proto/checksum.h"
#include "lib/proto/parse.h"
#include "tests/support/frames.h"

namespace podlane {
namespace {

using test::Bytes;
using test::Frame;

Frame packet_of(size_t payload) {
    return test::frame().ip("10.0.0.1", "10.0.0.2").payload(payload).protocol(kProtocolUdp);
}

std::vector<Ipv4Fragment> cut(const Bytes& packet, uint32_t mtu) {
    std::vector<Ipv4Fragment> out;
    auto fragmenter = Ipv4Fragmenter::of(packet, mtu);
    EXPECT_TRUE(fragmenter.has_value());
    Ipv4Fragment fragment;
    while (fragmenter && fragmenter->next(fragment)) out.push_back(fragment);
    return out;
}

// Puts the payloads back where the headers say, as a receiver does.
Bytes reassembled(const Bytes& packet, std::span<const Ipv4Fragment> fragments, size_t at = 0) {
    Bytes out;
    for (const auto& fragment : fragments) {
        const auto ip = header_at<Ipv4Header>(fragment.header, 0);
        const size_t offset = ip.fragment_offset_bytes() - at;
        out.resize(std::max<size_t>(out.size(), offset + fragment.payload_bytes));
        std::copy_n(packet.begin() + fragment.payload_offset, fragment.payload_bytes,
                    out.begin() + static_cast<std::ptrdiff_t>(offset));
    }
    return out;
}

TEST(Fragment, TheFragmentsMakeUpThePacket) {
    for (const size_t payload : {9u, 1480u, 1481u, 2960u, 5000u, 65515u}) {
        for (const uint32_t mtu : {28u, 68u, 1006u, 1499u, 1500u}) {
            const auto packet = packet_of(payload).build();
            const auto fragments = cut(packet, mtu);
            const Bytes whole(packet.begin() + 20, packet.end());
            EXPECT_EQ(reassembled(packet, fragments), whole) << payload << " at " << mtu;
            for (const auto& fragment : fragments) {
                const auto ip = header_at<Ipv4Header>(fragment.header, 0);
                const bool last = &fragment == &fragments.back();
                EXPECT_LE(fragment.header_bytes + fragment.payload_bytes, mtu);
                EXPECT_EQ(ip.total_bytes.host(), fragment.header_bytes + fragment.payload_bytes);
                EXPECT_EQ((ip.fragment.host() & kIpv4MoreFragments) != 0, !last);
                EXPECT_TRUE(last || fragment.payload_bytes % 8 == 0);
                EXPECT_TRUE(ipv4_header_checksum_ok(
                    std::span(fragment.header).first(fragment.header_bytes)));
            }
        }
    }
}

TEST(Fragment, APacketThatFitsStaysWhole) {
    const auto packet = packet_of(1480).build();
    const auto fragments = cut(packet, 1500);
    ASSERT_EQ(fragments.size(), 1u);
    EXPECT_TRUE(std::equal(packet.begin(), packet.begin() + 20, fragments[0].header.begin()));
}

TEST(Fragment, EachKeepsIdTtlTosAndAddresses) {
    const auto packet = packet_of(3000).ip_id(0xbeef).ttl(9).tos(0x2e).build();
    for (const auto& fragment : cut(packet, 1500)) {
        const auto ip = header_at<Ipv4Header>(fragment.header, 0);
        EXPECT_EQ(ip.id.host(), 0xbeef);
        EXPECT_EQ(ip.ttl, 9);
        EXPECT_EQ(ip.tos, 0x2e);
        EXPECT_EQ(ip.protocol, kProtocolUdp);
        EXPECT_EQ(ip.dst, test::v4("10.0.0.2"));
    }
}

TEST(Fragment, OnlyCopiedOptionsAreRepeated) {
    // Router alert (148, copied) between a no-operation and a timestamp (68, not copied).
    const Bytes options{1, 148, 4, 0, 0, 68, 4, 5, 0, 0};
    const auto packet = packet_of(3000).options(options).build();
    const auto fragments = cut(packet, 1500);
    ASSERT_EQ(fragments.size(), 3u);
    EXPECT_EQ(fragments[0].header_bytes, 32u);
    EXPECT_TRUE(
        std::equal(packet.begin() + 20, packet.begin() + 32, fragments[0].header.begin() + 20));
    const Bytes alert{148, 4, 0, 0};
    for (const size_t later : {1u, 2u}) {
        EXPECT_EQ(fragments[later].header_bytes, 24u);
        EXPECT_EQ(header_at<Ipv4Header>(fragments[later].header, 0).header_bytes(), 24u);
        EXPECT_TRUE(std::equal(alert.begin(), alert.end(), fragments[later].header.begin() + 20));
    }
    EXPECT_EQ(reassembled(packet, fragments), Bytes(packet.begin() + 32, packet.end()));
}

TEST(Fragment, MalformedOptionsForbidIt) {
    EXPECT_FALSE(Ipv4Fragmenter::of(packet_of(3000).options(Bytes{148, 1, 0, 0}).build(), 1500));
    EXPECT_FALSE(Ipv4Fragmenter::of(packet_of(3000).options(Bytes{148, 5, 0, 0}).build(), 1500));
    EXPECT_FALSE(Ipv4Fragmenter::of(packet_of(3000).options(Bytes{1, 1, 1, 148}).build(), 1500));
}

TEST(Fragment, DontFragmentAndATinyMtuForbidIt) {
    EXPECT_FALSE(Ipv4Fragmenter::of(packet_of(3000).df().build(), 1500));
    EXPECT_FALSE(Ipv4Fragmenter::of(packet_of(3000).build(), 27));
    EXPECT_FALSE(Ipv4Fragmenter::of(packet_of(3000).options(8).build(), 35));
    EXPECT_FALSE(Ipv4Fragmenter::of(Bytes(19), 1500));
}

TEST(Fragment, AFragmentIsCutFurther) {
    const auto middle = packet_of(1480).frag(2960, true).build();
    const auto fragments = cut(middle, 576);
    ASSERT_EQ(fragments.size(), 3u);
    EXPECT_EQ(reassembled(middle, fragments, 2960), Bytes(middle.begin() + 20, middle.end()));
    for (const auto& fragment : fragments) {
        EXPECT_NE(header_at<Ipv4Header>(fragment.header, 0).fragment.host() & kIpv4MoreFragments,
                  0);
    }
}

TEST(Fragment, TheHeaderAloneIsEnough) {
    const auto packet = packet_of(3000).build();
    auto fragmenter = Ipv4Fragmenter::of(std::span(packet).first(20), 1500);
    ASSERT_TRUE(fragmenter.has_value());
    Ipv4Fragment fragment;
    ASSERT_TRUE(fragmenter->next(fragment));
    EXPECT_EQ(fragment.payload_bytes, 1480u);
}

}  // namespace
}  // namespace podlane
