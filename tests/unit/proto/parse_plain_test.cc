// Which frames the parser's fast path accepts. A property test and the fuzzer show that it gives
// the same result as the slow path (tests/support/parse_check.h).
#include "lib/proto/parse_plain.h"

#include <gtest/gtest.h>

#include "lib/proto/headers.h"
#include "tests/support/frames.h"

namespace podlane {
namespace {

using test::Bytes;
using test::Frame;
using test::frame;
using test::pod_address;

template <class F>
class PlainFrame : public ::testing::Test {
  protected:
    static Frame ip() { return frame().eth().ip<F>(pod_address<F>(1), pod_address<F>(2)); }
    static Frame udp() { return ip().udp(1000, 53).payload(20); }

    // Leaves `out` alone unless it accepts the frame.
    static bool takes(const Bytes& bytes) {
        const Headers untouched{.l3_bytes = 0xabcd, .flags = 0x5555};
        Headers out = untouched;
        const auto length = static_cast<uint32_t>(bytes.size());
        const bool taken = detail::parse_plain<F>(bytes.data(), length, length, out);
        EXPECT_TRUE(taken || (out.l3_bytes == 0xabcd && out.flags == 0x5555));
        return taken;
    }
    static bool takes(const Frame& made) { return takes(made.build()); }
};
using Families = ::testing::Types<V4, V6>;
TYPED_TEST_SUITE(PlainFrame, Families);

TYPED_TEST(PlainFrame, TcpAndUdpAreTaken) {
    EXPECT_TRUE(this->takes(this->udp()));
    EXPECT_TRUE(this->takes(this->udp().no_udp_checksum()));
    EXPECT_TRUE(this->takes(this->ip().tcp(40000, 80, kTcpSyn)));
    EXPECT_TRUE(this->takes(this->ip().tcp(40000, 80, kTcpAck).data_offset(8).payload(12)));
    EXPECT_TRUE(this->takes(this->udp().pad_to(128)));
}

TYPED_TEST(PlainFrame, OtherProtocolsOptionsAndFragmentsAreNot) {
    EXPECT_FALSE(this->takes(this->ip().icmp_echo(1, 1)));
    EXPECT_FALSE(this->takes(this->ip().sctp(1, 2)));
    EXPECT_FALSE(this->takes(this->ip().frag(0, true).udp(1000, 53).payload(24)));
    EXPECT_FALSE(this->takes(this->ip().frag(1480, false).payload(24)));
    if constexpr (std::same_as<TypeParam, V4>) {
        EXPECT_FALSE(this->takes(this->ip().options(8).udp(1000, 53)));
        EXPECT_FALSE(this->takes(this->udp().bad_ip_checksum()));
    } else {
        EXPECT_FALSE(this->takes(this->ip().extension(kProtocolDestinationOptions).udp(1, 2)));
    }
}

TYPED_TEST(PlainFrame, LengthsThatLieAreNot) {
    EXPECT_FALSE(this->takes(this->udp().ip_length(1000)));
    EXPECT_FALSE(this->takes(this->udp().ip_length(7)));
    EXPECT_FALSE(this->takes(this->udp().udp_length(7)));
    EXPECT_FALSE(this->takes(this->udp().udp_length(500)));
    EXPECT_FALSE(this->takes(this->ip().tcp(1, 2, kTcpAck).data_offset(4)));
    const Bytes whole = this->udp().build();
    for (size_t length = 14; length < whole.size(); ++length) {
        EXPECT_FALSE(this->takes(Bytes(whole.begin(), whole.begin() + static_cast<long>(length))));
    }
}

TEST(PlainIpv4, AddressesWithRulesOfTheirOwnAreNot) {
    const auto takes = [](const char* src, const char* dst) {
        const Bytes bytes = frame().eth().ip(src, dst).udp(1, 2).build();
        Headers out;
        const auto length = static_cast<uint32_t>(bytes.size());
        return detail::parse_plain<V4>(bytes.data(), length, length, out);
    };
    EXPECT_TRUE(takes("10.0.0.1", "223.255.255.255"));
    EXPECT_TRUE(takes("1.0.0.0", "128.0.0.1"));
    for (const char* special :
         {"0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.1", "255.255.255.255"}) {
        EXPECT_FALSE(takes(special, "10.0.0.1")) << special;
        EXPECT_FALSE(takes("10.0.0.1", special)) << special;
    }
}

}  // namespace
}  // namespace podlane
