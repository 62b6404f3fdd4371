// Which frames the tunnel's fast path accepts, and that it gives the same result as the slow path.
#include "lib/proto/parse_tunnelled.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/support/frames.h"
#include "tests/support/mutate.h"

namespace podlane {
namespace {

using test::Bytes;
using test::Frame;
using test::frame;
using test::pod_address;

constexpr MacAddress kInnerMac{{0x0e, 1, 2, 3, 4, 5}};
constexpr be16 kPort(8472);
constexpr uint32_t kVni = 1;

template <Family F>
TunnelEnd end_of() {
    TunnelEnd end;
    end.has_v4 = std::same_as<F, V4>;
    end.has_v6 = std::same_as<F, V6>;
    if constexpr (std::same_as<F, V4>) {
        end.v4 = pod_address<V4>(9);
    } else {
        end.v6 = pod_address<V6>(9);
    }
    end.port = kPort;
    end.vni = kVni;
    end.plain = OverlayPattern(end.format, kVni);
    end.inner_mac = kInnerMac.as_u64();
    return end;
}

/// The slow path's result for the same frame: none, or the inner headers.
template <Family F>
bool long_way(const Bytes& bytes, const TunnelEnd& end, Headers& inner) {
    Headers outer;
    const auto length = static_cast<uint32_t>(bytes.size());
    if (parse_frame(bytes, length, outer) != Drop::kNone || outer.protocol != kProtocolUdp ||
        !outer.has(Headers::kPorts) || outer.has(Headers::kFragment)) {
        return false;
    }
    const uint32_t at = outer.payload_offset;
    if (load<be16>(bytes.data() + outer.l4_offset + 2) != end.port ||
        !end.is_at<F>(dst_address<F>(bytes.data(), outer)) || at > outer.l3_end()) {
        return false;
    }
    const auto payload = std::span(bytes).first(outer.l3_end()).subspan(at);
    const auto header = read_overlay_header(end.format, payload);
    if (!header || header->vni != end.vni) return false;
    const auto rest = payload.subspan(header->bytes);
    return parse_frame(rest, static_cast<uint32_t>(rest.size()), inner) == Drop::kNone &&
           dst_mac_word(rest.data()) == end.inner_mac;
}

template <class F>
class Tunnelled : public ::testing::Test {
  protected:
    static Frame outer(uint32_t vni = kVni, uint16_t port = kPort.host()) {
        return frame()
            .eth()
            .ip<F>(pod_address<F>(8), pod_address<F>(9))
            .udp(50000, port)
            .vxlan(vni);
    }
    static Frame inner(Frame around, const MacAddress& mac = kInnerMac) {
        return around.eth(MacAddress{{2, 0, 0, 0, 0, 1}}, mac)
            .template ip<V4>(pod_address<V4>(1), pod_address<V4>(2));
    }
    static bool takes(const Bytes& bytes) {
        // What the caller has checked before.
        if (bytes.size() < sizeof(EthernetHeader) || (bytes[0] & 1) != 0 ||
            load<be16>(bytes.data() + offsetof(EthernetHeader, ether_type)) !=
                be16(F::kEtherType)) {
            return false;
        }
        Headers said, wanted;
        const TunnelEnd end = end_of<F>();
        if (!parse_tunnelled<F>(bytes.data(), static_cast<uint32_t>(bytes.size()), end, said)) {
            return false;
        }
        EXPECT_TRUE(long_way<F>(bytes, end, wanted));
        EXPECT_EQ(0, std::memcmp(&said, &wanted, sizeof said));
        return true;
    }
    static bool takes(const Frame& made) { return takes(made.build()); }
};
using Families = ::testing::Types<V4, V6>;
TYPED_TEST_SUITE(Tunnelled, Families);

TYPED_TEST(Tunnelled, PlainPacketsForUsAreTaken) {
    EXPECT_TRUE(this->takes(this->inner(this->outer()).udp(1, 53).payload(30)));
    EXPECT_TRUE(this->takes(this->inner(this->outer()).tcp(40000, 80, kTcpSyn)));
    EXPECT_TRUE(this->takes(this->outer()
                                .eth(MacAddress{{2, 0, 0, 0, 0, 1}}, kInnerMac)
                                .template ip<V6>(pod_address<V6>(1), pod_address<V6>(2))
                                .tcp(1, 2, kTcpAck)
                                .payload(8)));
}

TYPED_TEST(Tunnelled, WhatIsNotForUsIsNot) {
    EXPECT_FALSE(this->takes(this->inner(this->outer(2)).udp(1, 53)));
    EXPECT_FALSE(this->takes(this->inner(this->outer(kVni, 4789)).udp(1, 53)));
    EXPECT_FALSE(
        this->takes(this->inner(this->outer(), MacAddress{{2, 0, 0, 0, 0, 7}}).udp(1, 53)));
    EXPECT_FALSE(this->takes(
        frame()
            .eth()
            .template ip<TypeParam>(pod_address<TypeParam>(8), pod_address<TypeParam>(7))
            .udp(50000, kPort.host())
            .vxlan(kVni)
            .eth(MacAddress{{2, 0, 0, 0, 0, 1}}, kInnerMac)
            .template ip<V4>(pod_address<V4>(1), pod_address<V4>(2))
            .udp(1, 53)));
}

TYPED_TEST(Tunnelled, WhatIsOddInsideOrPaddedIsNot) {
    EXPECT_FALSE(this->takes(this->inner(this->outer()).icmp_echo(1, 1)));
    EXPECT_FALSE(this->takes(this->inner(this->outer()).udp(1, kPort.host()).payload(8)));
    EXPECT_FALSE(this->takes(this->inner(this->outer()).bad_ip_checksum().udp(1, 53)));
    EXPECT_FALSE(this->takes(this->inner(this->outer()).udp(1, 53).pad_to(200)));
}

TYPED_TEST(Tunnelled, CutOffOrDamagedItIsAsTheLongWaySays) {
    const Bytes whole = this->inner(this->outer()).udp(1, 53).payload(20).build();
    for (size_t length = 0; length < whole.size(); ++length) {
        EXPECT_FALSE(this->takes(Bytes(whole.begin(), whole.begin() + static_cast<long>(length))));
    }
    test::Random random(1);
    unsigned taken = 0;
    for (int i = 0; i < 20'000; ++i) taken += this->takes(test::mutated(whole, whole, random));
    EXPECT_GT(taken, 0u) << "some damage is to what nobody looks at";
}

}  // namespace
}  // namespace podlane
