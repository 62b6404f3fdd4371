// The oracle is a frame built from scratch for the key after the rewrite: byte for byte the same.

#include "lib/flow/rewrite.h"

#include <gtest/gtest.h>

#include <numeric>

#include "tests/unit/flow/frame.h"
#include "tests/unit/flow/support.h"

namespace podlane {
namespace {

using namespace test;

std::vector<uint8_t> payload_of(size_t bytes) {
    std::vector<uint8_t> payload(bytes);
    std::iota(payload.begin(), payload.end(), uint8_t{1});
    return payload;
}

template <class F>
class RewriteTest : public ::testing::Test {
  protected:
    using Key = FlowKey<F>;

    static Key key_of(uint8_t protocol, uint32_t src, uint32_t dst, uint16_t src_port,
                      uint16_t dst_port) {
        return {address<F>(src), address<F>(dst), be16(src_port), be16(dst_port), protocol, 0, 0};
    }

    static std::vector<uint8_t> rewritten(std::vector<uint8_t> frame, const Rewrite<F>& rewrite,
                                          CsumState csum = CsumState::kComplete) {
        const Headers headers = parse(frame);
        apply_rewrite<F>(frame.data(), headers, rewrite, csum);
        return frame;
    }

    static void expect_rebuilt(const Key& from, const Key& to, size_t payload_bytes,
                               const FrameOptions& options = {}) {
        const auto payload = payload_of(payload_bytes);
        const CsumState csum = options.partial ? CsumState::kPartial : CsumState::kComplete;
        EXPECT_EQ(rewritten(make_frame<F>(from, payload, options), make_rewrite<F>(from, to), csum),
                  make_frame<F>(to, payload, options))
            << "protocol " << int{from.protocol} << ", payload " << payload_bytes;
    }
};
TYPED_TEST_SUITE(RewriteTest, Families, FamilyName);

TYPED_TEST(RewriteTest, AddressesAndPortsChangeAndEveryChecksumFollows) {
    for (const uint8_t protocol : {kProtocolTcp, kProtocolUdp, kProtocolSctp}) {
        for (const size_t bytes : {0u, 1u, 4u, 16u, 101u, 1400u}) {
            const auto from = this->key_of(protocol, 1, 2, 40000, 80);
            this->expect_rebuilt(from, this->key_of(protocol, 1, 7, 40000, 8080), bytes);
            this->expect_rebuilt(from, this->key_of(protocol, 9, 2, 1024, 80), bytes);
            this->expect_rebuilt(from, this->key_of(protocol, 9, 7, 1024, 8080), bytes);
            this->expect_rebuilt(from, this->key_of(protocol, 9, 7, 40000, 80), bytes);
            this->expect_rebuilt(from, from, bytes);
        }
    }
}

TYPED_TEST(RewriteTest, AnEchosIdentifierIsItsPort) {
    const uint8_t icmp = TypeParam::kIcmpProtocol;
    this->expect_rebuilt(this->key_of(icmp, 1, 2, 77, 0), this->key_of(icmp, 9, 2, 5000, 0), 56);
    this->expect_rebuilt(this->key_of(icmp, 2, 9, 0, 5000), this->key_of(icmp, 2, 1, 0, 77), 56);
    this->expect_rebuilt(this->key_of(icmp, 1, 2, 77, 0), this->key_of(icmp, 9, 3, 77, 0), 56);
}

TYPED_TEST(RewriteTest, APartialChecksumTakesTheAddressesAlone) {
    FrameOptions partial;
    partial.partial = true;
    for (const uint8_t protocol : {kProtocolTcp, kProtocolUdp}) {
        this->expect_rebuilt(this->key_of(protocol, 1, 2, 40000, 80),
                             this->key_of(protocol, 9, 7, 1024, 8080), 1000, partial);
    }
}

TYPED_TEST(RewriteTest, APartialChecksumIsRightOnceCompleted) {
    FrameOptions partial;
    partial.partial = true;
    const auto from = this->key_of(kProtocolTcp, 1, 2, 40000, 80);
    const auto to = this->key_of(kProtocolTcp, 9, 7, 1024, 8080);
    auto frame = this->rewritten(make_frame<TypeParam>(from, payload_of(333), partial),
                                 make_rewrite<TypeParam>(from, to), CsumState::kPartial);
    const Headers headers = parse(frame);
    uint8_t* const l4 = frame.data() + headers.l4_offset;
    store(l4 + offsetof(TcpHeader, checksum),
          complete_partial_checksum(std::span(frame).subspan(headers.l4_offset)));
    EXPECT_EQ(frame, make_frame<TypeParam>(to, payload_of(333)));
}

TYPED_TEST(RewriteTest, AnAbsentUdpChecksumStaysAbsent) {
    FrameOptions absent;
    absent.udp_checksum = false;
    this->expect_rebuilt(this->key_of(kProtocolUdp, 1, 2, 40000, 53),
                         this->key_of(kProtocolUdp, 9, 7, 1024, 5353), 40, absent);
}

TYPED_TEST(RewriteTest, AUdpChecksumThatBecomesZeroIsSentAsOnes) {
    // All source ports, among them one that makes the sum zero.
    const auto from = this->key_of(kProtocolUdp, 1, 2, 40000, 53);
    const auto frame = make_frame<TypeParam>(from, payload_of(8));
    unsigned ones = 0;
    for (uint32_t port = 1; port < 65536; ++port) {
        const auto to = this->key_of(kProtocolUdp, 1, 2, static_cast<uint16_t>(port), 53);
        const auto after = this->rewritten(frame, make_rewrite<TypeParam>(from, to));
        const Headers headers = parse(after);
        const auto sum =
            load<be16>(after.data() + headers.l4_offset + offsetof(UdpHeader, checksum));
        ASSERT_NE(sum, be16(0));
        if (sum == be16(0xffff)) ++ones;
    }
    EXPECT_GE(ones, 1u);
}

TYPED_TEST(RewriteTest, ARoutedPacketLosesOneOfItsTtl) {
    for (const int ttl : {2, 64, 255}) {
        const auto from = this->key_of(kProtocolTcp, 1, 2, 40000, 80);
        const auto to = this->key_of(kProtocolTcp, 9, 7, 1024, 8080);
        FrameOptions before;
        before.ttl = static_cast<uint8_t>(ttl);
        FrameOptions after;
        after.ttl = static_cast<uint8_t>(ttl - 1);
        EXPECT_EQ(this->rewritten(make_frame<TypeParam>(from, payload_of(10), before),
                                  make_rewrite<TypeParam>(from, to, kRewriteDecrementTtl)),
                  make_frame<TypeParam>(to, payload_of(10), after));
        EXPECT_EQ(this->rewritten(make_frame<TypeParam>(from, payload_of(10), before),
                                  make_rewrite<TypeParam>(from, from, kRewriteDecrementTtl)),
                  make_frame<TypeParam>(from, payload_of(10), after));
    }
}

TYPED_TEST(RewriteTest, AFirstFragmentsChecksumTakesAddressesAndPorts) {
    FrameOptions first;
    first.first_fragment = true;
    for (const uint8_t protocol : {kProtocolTcp, kProtocolUdp}) {
        const auto from = this->key_of(protocol, 1, 2, 40000, 53);
        const auto to = this->key_of(protocol, 9, 7, 40001, 5353);
        const auto before = make_frame<TypeParam>(from, payload_of(64), first);
        const auto after = make_frame<TypeParam>(to, payload_of(64), first);
        EXPECT_EQ(this->rewritten(before, make_rewrite<TypeParam>(from, to)), after);
    }
}

TYPED_TEST(RewriteTest, ALaterFragmentsPayloadIsLeftAlone) {
    FrameOptions later;
    later.later_fragment = true;
    this->expect_rebuilt(this->key_of(kProtocolUdp, 1, 2, 40000, 53),
                         this->key_of(kProtocolUdp, 9, 7, 1024, 5353), 64, later);
}

TYPED_TEST(RewriteTest, AnUnknownProtocolGetsItsAddressesOnly) {
    this->expect_rebuilt(this->key_of(kProtocolEsp, 1, 2, 0, 0),
                         this->key_of(kProtocolEsp, 9, 7, 0, 0), 64);
}

TYPED_TEST(RewriteTest, ACorruptedPacketLeavesCorrupted) {
    for (const uint8_t protocol : {kProtocolTcp, kProtocolUdp, kProtocolSctp}) {
        const auto from = this->key_of(protocol, 1, 2, 40000, 80);
        const auto to = this->key_of(protocol, 9, 7, 1024, 8080);
        auto frame = make_frame<TypeParam>(from, payload_of(100));
        frame.back() ^= 0x10;
        auto wanted = make_frame<TypeParam>(to, payload_of(100));
        wanted.back() ^= 0x10;
        EXPECT_EQ(this->rewritten(frame, make_rewrite<TypeParam>(from, to)), wanted);
    }
}

TEST(Rewrite, Ipv4OptionsAreCoveredByTheHeadersChecksum) {
    FrameOptions options;
    options.ipv4_option_bytes = 8;
    const FlowKey<V4> from{address<V4>(1), address<V4>(2), be16(1), be16(2), kProtocolTcp, 0, 0};
    const FlowKey<V4> to{address<V4>(9), address<V4>(7), be16(3), be16(4), kProtocolTcp, 0, 0};
    auto frame = make_frame<V4>(from, payload_of(10), options);
    const Headers headers = parse(frame);
    apply_rewrite<V4>(frame.data(), headers, make_rewrite<V4>(from, to), CsumState::kComplete);
    EXPECT_EQ(frame, make_frame<V4>(to, payload_of(10), options));
}

TEST(Rewrite, OnlyWhatDiffersIsFlagged) {
    const FlowKey<V4> from{address<V4>(1), address<V4>(2), be16(1), be16(2), kProtocolTcp, 0, 0};
    EXPECT_EQ(make_rewrite<V4>(from, from).flags, 0);
    EXPECT_EQ(make_rewrite<V4>(from, from).header, ChecksumDelta{});
    FlowKey<V4> to = from;
    to.src = address<V4>(3);
    EXPECT_EQ(make_rewrite<V4>(from, to).flags, kRewriteSrcAddress);
    to = from;
    to.dst_port = be16(9);
    const auto rewrite = make_rewrite<V4>(from, to, kRewriteDecrementTtl);
    EXPECT_EQ(rewrite.flags, kRewriteDstPort | kRewriteDecrementTtl);
    EXPECT_EQ(rewrite.l4, checksum_delta(be16(2), be16(9)));
}

}  // namespace
}  // namespace podlane
