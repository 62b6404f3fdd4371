#include "lib/proto/icmp_build.h"

#include <gtest/gtest.h>

#include "tests/support/frames.h"

namespace podlane {
namespace {

using test::Bytes;
using test::frame;
using test::Frame;
using test::pod_address;

Headers parsed(const Bytes& bytes) {
    Headers headers;
    EXPECT_EQ(parse_frame(bytes, static_cast<uint32_t>(bytes.size()), headers), Drop::kNone)
        << test::describe(bytes);
    return headers;
}

bool may_answer(const Frame& frame) {
    const auto bytes = frame.build();
    return may_send_icmp_error(bytes.data(), parsed(bytes));
}

template <class F>
class IcmpBuildTest : public ::testing::Test {
  protected:
    static Frame request() { return frame().eth().ip<F>(pod_address<F>(1), pod_address<F>(2)); }
    // The frame that carries a packet built from `from` to `to`.
    static Bytes framed(std::span<const uint8_t> packet) {
        Bytes out = frame().eth().ether_type(F::kEtherType).build();
        out.insert(out.end(), packet.begin(), packet.end());
        return out;
    }
    static Bytes error_about(const Bytes& bytes, IcmpError error, uint32_t mtu = 0,
                             size_t room = 2000) {
        Bytes out(room);
        out.resize(
            build_icmp_error<F>(out, pod_address<F>(9), error, mtu, std::span(bytes).subspan(14)));
        return out;
    }
    static std::span<const uint8_t> l4_of(const Bytes& packet) {
        return std::span(packet).subspan(F::kMinHeaderBytes);
    }
    static constexpr size_t kQuoteAt = F::kMinHeaderBytes + 8;
    static constexpr bool kIsV4 = std::same_as<F, V4>;
};
using Families = ::testing::Types<V4, V6>;
TYPED_TEST_SUITE(IcmpBuildTest, Families);

TYPED_TEST(IcmpBuildTest, AnErrorGoesToTheSenderAndQuotesItsPacket) {
    const auto bytes = this->request().udp(1000, 53).payload(40).build();
    const auto error = this->error_about(bytes, IcmpError::kPortUnreachable);
    ASSERT_EQ(error.size(), this->kQuoteAt + bytes.size() - 14);
    const auto out = this->framed(error);
    const auto headers = parsed(out);
    EXPECT_EQ(src_address<TypeParam>(out.data(), headers), pod_address<TypeParam>(9));
    EXPECT_EQ(dst_address<TypeParam>(out.data(), headers), pod_address<TypeParam>(1));
    EXPECT_TRUE(headers.has(Headers::kIcmpError));
    EXPECT_TRUE(std::equal(bytes.begin() + 14, bytes.end(),
                           error.begin() + static_cast<std::ptrdiff_t>(this->kQuoteAt)));
    EXPECT_TRUE(l4_checksum_ok<TypeParam>(pod_address<TypeParam>(9), pod_address<TypeParam>(1),
                                          TypeParam::kIcmpProtocol, this->l4_of(error)))
        << test::describe(out);
}

TYPED_TEST(IcmpBuildTest, EachErrorHasItsTypeAndCode) {
    struct Row {
        IcmpError error;
        unsigned v4_type, v4_code, v6_type, v6_code;
    };
    constexpr Row kRows[] = {
        {IcmpError::kNetUnreachable, 3, 0, 1, 0},  {IcmpError::kHostUnreachable, 3, 1, 1, 3},
        {IcmpError::kPortUnreachable, 3, 3, 1, 4}, {IcmpError::kAdminProhibited, 3, 13, 1, 1},
        {IcmpError::kTooBig, 3, 4, 2, 0},          {IcmpError::kTimeExceeded, 11, 0, 3, 0},
    };
    const auto bytes = this->request().udp(1, 2).build();
    for (const Row& row : kRows) {
        const auto error = this->error_about(bytes, row.error, 1400);
        const auto icmp = header_at<IcmpHeader>(this->l4_of(error), 0);
        EXPECT_EQ(icmp.type, this->kIsV4 ? row.v4_type : row.v6_type);
        EXPECT_EQ(icmp.code, this->kIsV4 ? row.v4_code : row.v6_code);
        EXPECT_EQ(icmp.id.host(), 0);
        EXPECT_EQ(icmp.sequence.host(), row.error == IcmpError::kTooBig ? 1400 : 0);
    }
}

TYPED_TEST(IcmpBuildTest, AnErrorIsNotLongerThanItsRfcAllows) {
    const auto bytes = this->request().udp(1, 2).payload(1440).build();
    const auto error = this->error_about(bytes, IcmpError::kTimeExceeded);
    EXPECT_EQ(error.size(), this->kIsV4 ? 576u : 1280u);
    parsed(this->framed(error));
}

TYPED_TEST(IcmpBuildTest, AShortBufferShortensTheQuote) {
    const auto bytes = this->request().udp(1, 2).payload(100).build();
    EXPECT_EQ(this->error_about(bytes, IcmpError::kTimeExceeded, 0, 100).size(), 100u);
    EXPECT_TRUE(this->error_about(bytes, IcmpError::kTimeExceeded, 0, this->kQuoteAt).empty());
}

TYPED_TEST(IcmpBuildTest, AWholePacketMayBeAnswered) {
    EXPECT_TRUE(may_answer(this->request().udp(1, 2)));
    EXPECT_TRUE(may_answer(this->request().tcp(1, 2, kTcpSyn)));
    EXPECT_TRUE(may_answer(this->request().icmp_echo(1, 1)));
    EXPECT_TRUE(may_answer(this->request().frag(0, true).udp(1, 2).udp_length(100)));
}

TYPED_TEST(IcmpBuildTest, ErrorsLaterFragmentsAndGroupsGetNoAnswer) {
    const uint8_t unreachable = this->kIsV4 ? 3 : 1;
    EXPECT_FALSE(may_answer(this->request().icmp(unreachable, 0, 0, Bytes(40))));
    EXPECT_FALSE(may_answer(this->request().frag(8, true).payload(8).protocol(kProtocolUdp)));
    EXPECT_FALSE(
        may_answer(frame()
                       .eth(test::kMacA, kBroadcastMac)
                       .template ip<TypeParam>(pod_address<TypeParam>(1), pod_address<TypeParam>(2))
                       .udp(1, 2)));
    const auto group = this->kIsV4 ? "224.0.0.5" : "ff02::5";
    const auto one = this->kIsV4 ? "10.0.0.1" : "fd00::1";
    EXPECT_FALSE(may_answer(frame().eth().ip(one, group).udp(1, 2)));
}

TEST(IcmpBuild, NobodyIsAnsweredAtNoAddress) {
    EXPECT_FALSE(may_answer(frame().eth().ip("0.0.0.0", "255.255.255.255").udp(68, 67)));
    EXPECT_FALSE(may_answer(frame().eth().ip("10.0.0.1", "255.255.255.255").udp(1, 2)));
    EXPECT_FALSE(may_answer(frame().eth().ip("::", "ff02::1").udp(1, 2)));
    EXPECT_FALSE(may_answer(frame().eth().ether_type(0x88cc).payload(50)));
}

TEST(IcmpBuild, ALargeMtuFitsBothFields) {
    Bytes out(200);
    const auto bytes4 = frame().eth().ip("10.0.0.1", "10.0.0.2").udp(1, 2).build();
    ASSERT_NE(build_icmp_error<V4>(out, test::v4("10.0.0.9"), IcmpError::kTooBig, 70000,
                                   std::span(bytes4).subspan(14)),
              0u);
    EXPECT_EQ(header_at<IcmpHeader>(out, 20).sequence.host(), 0xffff);
    EXPECT_EQ(header_at<IcmpHeader>(out, 20).id.host(), 0);
    const auto bytes6 = frame().eth().ip("fd00::1", "fd00::2").udp(1, 2).build();
    ASSERT_NE(build_icmp_error<V6>(out, test::v6("fd00::9"), IcmpError::kTooBig, 70000,
                                   std::span(bytes6).subspan(14)),
              0u);
    EXPECT_EQ(load<be32>(out.data() + 44).host(), 70000u);
}

TYPED_TEST(IcmpBuildTest, AnEchoReplyIsTheRequestTurnedRound) {
    auto bytes = this->request().ttl(3).icmp_echo(0x1234, 7).payload(33).build();
    make_echo_reply<TypeParam>(bytes.data(), parsed(bytes));
    const auto expected =
        frame()
            .eth()
            .template ip<TypeParam>(pod_address<TypeParam>(2), pod_address<TypeParam>(1))
            .icmp_echo_reply(0x1234, 7)
            .payload(33)
            .build();
    EXPECT_EQ(bytes, expected) << test::describe(bytes) << "\n" << test::describe(expected);
}

TYPED_TEST(IcmpBuildTest, AnEchoReplyKeepsAWrongChecksumWrong) {
    auto bytes = this->request().icmp_echo(1, 1).payload(9).bad_l4_checksum().build();
    make_echo_reply<TypeParam>(bytes.data(), parsed(bytes));
    EXPECT_NE(test::describe(bytes).find("BAD CHECKSUM"), std::string::npos);
}

TYPED_TEST(IcmpBuildTest, AResetOfASegmentWithoutAckAcknowledgesIt) {
    const auto bytes = this->request().tcp(40000, 80, kTcpSyn, 1000).payload(5).build();
    Bytes out(100);
    out.resize(build_tcp_reset<TypeParam>(out, bytes.data(), parsed(bytes)));
    const auto expected =
        frame()
            .eth()
            .template ip<TypeParam>(pod_address<TypeParam>(2), pod_address<TypeParam>(1))
            .df()
            .ip_id(0)
            .tcp(80, 40000, kTcpRst | kTcpAck, 0, 1006)
            .build();
    auto reset = this->framed(out);
    // The window is the only field that the tests' builder fills differently.
    auto tcp = header_at<TcpHeader>(reset, 14 + TypeParam::kMinHeaderBytes);
    EXPECT_EQ(tcp.window.host(), 0);
    tcp.checksum = checksum_update(tcp.checksum, be16(0), be16(0xffff));
    tcp.window = be16(0xffff);
    put_header(reset, 14 + TypeParam::kMinHeaderBytes, tcp);
    EXPECT_EQ(reset, expected) << test::describe(reset) << "\n" << test::describe(expected);
}

TYPED_TEST(IcmpBuildTest, AResetOfASegmentWithAckTakesItsNumberFromThere) {
    const auto bytes =
        this->request().tcp(40000, 80, kTcpAck | kTcpFin, 1000, 0xfffffff0).payload(5).build();
    Bytes out(kTcpResetBytes<TypeParam>);
    ASSERT_EQ(build_tcp_reset<TypeParam>(out, bytes.data(), parsed(bytes)), out.size());
    const auto tcp = header_at<TcpHeader>(this->l4_of(out), 0);
    EXPECT_EQ(tcp.flags, kTcpRst);
    EXPECT_EQ(tcp.sequence.host(), 0xfffffff0u);
    EXPECT_EQ(tcp.acknowledgment.host(), 0u);
    EXPECT_TRUE(l4_checksum_ok<TypeParam>(pod_address<TypeParam>(2), pod_address<TypeParam>(1),
                                          kProtocolTcp, this->l4_of(out)));
}

TYPED_TEST(IcmpBuildTest, EthernetPaddingIsNotAcknowledged) {
    const auto bytes = this->request().tcp(1, 2, kTcpSyn | kTcpFin, 9).pad_to(200).build();
    Bytes out(100);
    out.resize(build_tcp_reset<TypeParam>(out, bytes.data(), parsed(bytes)));
    EXPECT_EQ(header_at<TcpHeader>(this->l4_of(out), 0).acknowledgment.host(), 11u);
}

TYPED_TEST(IcmpBuildTest, NoResetAnswersAResetAFragmentOrAnotherProtocol) {
    const auto reset_bytes = [](const Frame& frame, size_t room = 100) {
        const auto bytes = frame.build();
        Bytes out(room);
        return build_tcp_reset<TypeParam>(out, bytes.data(), parsed(bytes));
    };
    EXPECT_EQ(reset_bytes(this->request().tcp(1, 2, kTcpRst)), 0u);
    EXPECT_EQ(reset_bytes(this->request().udp(1, 2)), 0u);
    EXPECT_EQ(reset_bytes(this->request().frag(0, true).tcp(1, 2, kTcpSyn).payload(4)), 0u);
    EXPECT_EQ(reset_bytes(this->request().tcp(1, 2, kTcpSyn), kTcpResetBytes<TypeParam> - 1), 0u);
    EXPECT_NE(reset_bytes(this->request().tcp(1, 2, kTcpSyn), kTcpResetBytes<TypeParam>), 0u);
}

}  // namespace
}  // namespace podlane
