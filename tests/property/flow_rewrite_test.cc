// Rewrites on random packets: reverse(forward(packet)) == packet, and every checksum is right in
// between.

#include <gtest/gtest.h>

#include <random>

#include "lib/flow/rewrite.h"
#include "tests/unit/flow/frame.h"
#include "tests/unit/flow/support.h"

namespace podlane {
namespace {

using namespace test;

template <class F>
class RewriteProperty : public ::testing::Test {
  protected:
    using Key = FlowKey<F>;

    uint32_t draw(uint32_t below) { return static_cast<uint32_t>(random_()) % below; }

    typename F::Address any_address() {
        typename F::Address out{};
        auto* bytes = reinterpret_cast<uint8_t*>(&out);
        // Extremes are as likely as anything else, since they produce sums of 0 and 0xffff.
        const uint32_t kind = draw(4);
        for (size_t i = 0; i < sizeof out; ++i) {
            bytes[i] = kind == 0 ? 0 : kind == 1 ? 0xff : static_cast<uint8_t>(random_());
        }
        // No multicast, loopback or zero addresses, which the parser refuses.
        bytes[0] = std::same_as<F, V4> ? static_cast<uint8_t>(1 + draw(100)) : 0xfd;
        return out;
    }

    be16 any_port() {
        static constexpr uint16_t kEdges[] = {1, 0x00ff, 0xff00, 0xfffe, 0xffff};
        return be16(draw(2) == 0 ? kEdges[draw(5)] : static_cast<uint16_t>(1 + draw(65535)));
    }

    Key any_key(uint8_t protocol) {
        Key key{any_address(), any_address(), any_port(), any_port(), protocol, 0, 0};
        if (protocol == F::kIcmpProtocol) key.dst_port = be16(0);
        return key;
    }

    /// `from` with some of its fields changed.
    Key any_change(const Key& from) {
        const Key other = any_key(from.protocol);
        Key to = from;
        if (draw(2) == 0) to.src = other.src;
        if (draw(2) == 0) to.dst = other.dst;
        if (draw(2) == 0) to.src_port = other.src_port;
        if (draw(2) == 0) to.dst_port = other.dst_port;
        return to;
    }

    std::vector<uint8_t> any_payload() {
        static constexpr uint32_t kSizes[] = {0, 1, 2, 3, 64, 1460};
        std::vector<uint8_t> payload(draw(2) == 0 ? kSizes[draw(6)] : draw(1460));
        const bool plain = draw(4) == 0;
        for (uint8_t& byte : payload) byte = plain ? 0 : static_cast<uint8_t>(random_());
        return payload;
    }

    std::mt19937_64 random_{42};
};
TYPED_TEST_SUITE(RewriteProperty, Families, FamilyName);

TYPED_TEST(RewriteProperty, ForwardGivesTheTargetsPacketAndReverseTheFirstAgain) {
    using F = TypeParam;
    constexpr uint8_t kProtocols[] = {kProtocolTcp, kProtocolUdp, kProtocolSctp, F::kIcmpProtocol};
    for (int round = 0; round < 20000 && !this->HasFailure(); ++round) {
        const auto from = this->any_key(kProtocols[this->draw(4)]);
        const auto to = this->any_change(from);
        const auto payload = this->any_payload();
        FrameOptions options;
        options.udp_checksum = this->draw(4) != 0;
        const bool can_be_partial = from.protocol == kProtocolTcp ||
                                    (from.protocol == kProtocolUdp && options.udp_checksum);
        options.partial = can_be_partial && this->draw(4) == 0;
        const CsumState csum = options.partial ? CsumState::kPartial : CsumState::kComplete;

        const auto packet = make_frame<F>(from, payload, options);
        auto changed = packet;
        apply_rewrite<F>(changed.data(), parse(changed), make_rewrite<F>(from, to), csum);
        if (options.partial) {
            // 0 and 0xffff are the same number in a sum that is not folded yet.
            const Headers headers = parse(changed);
            const std::span<const uint8_t> l4 = std::span(changed).subspan(headers.l4_offset);
            const auto wanted = make_frame<F>(to, payload, options);
            EXPECT_EQ(complete_partial_checksum(l4),
                      complete_partial_checksum(std::span(wanted).subspan(headers.l4_offset)));
        } else {
            ASSERT_EQ(changed, make_frame<F>(to, payload, options)) << "round " << round;
        }
        apply_rewrite<F>(changed.data(), parse(changed), make_rewrite<F>(to, from), csum);
        if (!options.partial) {
            ASSERT_EQ(changed, packet) << "round " << round;
        }
    }
}

}  // namespace
}  // namespace podlane
