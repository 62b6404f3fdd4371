// Congestion marks and the tunnel: every pair of fields, every pair of families, both paths of the
// parser.
#include "lib/proto/ecn.h"

#include "lib/proto/overlay.h"
#include "tests/unit/dataplane/frames_of.h"

namespace podlane::dataplane {
namespace {

template <class O, class I>
struct OuterInner {
    using Outer = O;
    using Inner = I;
};

template <Family F>
size_t outer_bytes() {
    return sizeof(EthernetHeader) + F::kMinHeaderBytes + sizeof(UdpHeader) + sizeof(OverlayHeader);
}

/// The outer headers of a tunnel over IPv6 instead of the world's tunnel.
void tunnel_over_v6(Snapshot& next) {
    Adjacency out = next.adjacencies[kToRemotePods];
    const Frame headers = test::frame()
                              .eth(Names::kUplinkMac, Names::kPeerMac)
                              .ip(World<V6>::kNode, World<V6>::kPeer)
                              .udp(0, 8472)
                              .vxlan(1)
                              .build();
    std::copy_n(headers.begin(), outer_bytes<V6>(), out.outer.begin());
    constexpr size_t kUdp = sizeof(EthernetHeader) + sizeof(Ipv6Header);
    for (const size_t unset : {size_t{18}, size_t{19}, kUdp + 4, kUdp + 5, kUdp + 6, kUdp + 7}) {
        out.outer[unset] = 0;
    }
    out.outer_bytes = static_cast<uint8_t>(outer_bytes<V6>());
    out.outer_l3_bytes = V6::kMinHeaderBytes;
    const std::span<const uint8_t> bytes(out.outer);
    out.outer_partial_sum =
        checksum_add(checksum_partial(bytes.subspan(22, 32),
                                      checksum_partial(bytes.subspan(kUdp, sizeof(UdpHeader) + 8))),
                     be16(kProtocolUdp).raw);
    next.adjacencies.set(kToRemotePods, out);
}

template <class T>
class EcnTest : public testing::Test {
  protected:
    using Outer = typename T::Outer;
    using Inner = typename T::Inner;

    EcnTest() {
        if constexpr (std::same_as<Outer, V6>) rig.change(tunnel_over_v6);
    }
    static uint8_t tos_of(const Frame& frame) {
        const uint8_t* ip = frame.data() + sizeof(EthernetHeader);
        return static_cast<uint8_t>(ip[0] >> 4 == 4 ? ip[1] : ip[0] << 4 | ip[1] >> 4);
    }
    /// As the peer node sends it. With padding, Decap handles it; without, the parser's fast path.
    static Frame tunnelled(uint8_t outer, uint8_t inner, bool padded) {
        Frame made = test::frame()
                         .eth(Names::kPeerMac, Names::kUplinkMac)
                         .ip(World<Outer>::kPeer, World<Outer>::kNode)
                         .tos(outer)
                         .udp(50000, 8472)
                         .vxlan(1)
                         .eth(Names::kPeerVtepMac, Names::kVtepMac)
                         .ip(World<Inner>::kRemotePod, World<Inner>::kPodA)
                         .tos(inner)
                         .udp(4000, 8080)
                         .payload(64)
                         .build();
        if (padded) made.resize(made.size() + 6);
        return made;
    }
    Rig rig;
};
using AllFamilies =
    testing::Types<OuterInner<V4, V4>, OuterInner<V4, V6>, OuterInner<V6, V4>, OuterInner<V6, V6>>;
TYPED_TEST_SUITE(EcnTest, AllFamilies);

// RFC 6040, figure 4, typed in again: by inner, then outer, in the order of the figure.
constexpr uint8_t kFigure4[4][4] = {
    // outer: Not-ECT, ECT(0), ECT(1), CE
    {0, 0, 0, kEcnDrop},
    {2, 2, 1, 3},
    {1, 1, 1, 3},
    {3, 3, 3, 3},
};
constexpr uint8_t kInOrder[4] = {0b00, 0b10, 0b01, 0b11};

TYPED_TEST(EcnTest, OutOfTheTunnelComesWhatFigure4OfRfc6040Says) {
    uint64_t dropped = 0;
    for (const bool padded : {false, true}) {
        for (unsigned inner = 0; inner < 4; ++inner) {
            for (unsigned outer = 0; outer < 4; ++outer) {
                const uint8_t wanted = kFigure4[inner][outer];
                this->rig.send(Rig::kUplink,
                               this->tunnelled(kInOrder[outer], 0xa8 | kInOrder[inner], padded));
                const auto frames = this->rig.take(Rig::kPodA);
                dropped += wanted == kEcnDrop;
                EXPECT_EQ(this->rig.drops(Drop::kTunnelCongestion), dropped);
                ASSERT_EQ(frames.size(), wanted == kEcnDrop ? 0u : 1u) << inner << outer << padded;
                if (frames.empty()) continue;
                EXPECT_EQ(this->tos_of(frames[0]), 0xa8 | wanted) << inner << outer << padded;
                EXPECT_TRUE(look<typename TypeParam::Inner>(frames[0]).checksums_ok);
            }
        }
    }
    EXPECT_EQ(this->rig.all_drops(), 2u);
}

TYPED_TEST(EcnTest, IntoTheTunnelTheFieldIsCopiedAndCongestionIsCapableAsInLinux) {
    using O = typename TypeParam::Outer;
    using I = typename TypeParam::Inner;
    constexpr uint8_t kOuter[4] = {0, 1, 2, 2};
    for (uint8_t inner = 0; inner < 4; ++inner) {
        this->rig.send(Rig::kPodA, test::frame()
                                       .eth(Names::kPodAMac, Names::kGatewayMac)
                                       .ip(World<I>::kPodA, World<I>::kRemotePod)
                                       .tos(0xa8 | inner)
                                       .udp(4000, 80)
                                       .payload(33)
                                       .build());
        const Frame frame = this->rig.take_one(Rig::kUplink);
        // Also checks that the checksums of IPv4's header and IPv6's UDP are right.
        EXPECT_TRUE(look<O>(frame).checksums_ok || (std::same_as<O, V4>));
        EXPECT_EQ(this->tos_of(frame), kOuter[inner]) << "the class of service is the node's own";
        const Frame inside(frame.begin() + static_cast<long>(outer_bytes<O>()), frame.end());
        EXPECT_EQ(this->tos_of(inside), 0xa8 | inner);
        EXPECT_TRUE(look<I>(inside).checksums_ok);
    }
}

TYPED_TEST(EcnTest, WhatTheWorkerSendsItselfHasNoMarkOfAnyMac) {
    using O = typename TypeParam::Outer;
    using I = typename TypeParam::Inner;
    this->rig.send(Rig::kUplink, test::frame()
                                     .eth(Names::kPeerMac, Names::kUplinkMac)
                                     .ip(World<O>::kPeer, World<O>::kNode)
                                     .udp(50000, 8472)
                                     .vxlan(1)
                                     .eth(Names::kPeerVtepMac, Names::kVtepMac)
                                     .ip(World<I>::kRemotePod, World<I>::kPodA)
                                     .ttl(1)
                                     .udp(4000, 80)
                                     .payload(5)
                                     .build());
    EXPECT_EQ(this->rig.drops(Drop::kIpTtlExpired), 1u);
    const Frame error = this->rig.take_one(Rig::kUplink);
    const Frame inside(error.begin() + static_cast<long>(outer_bytes<O>()), error.end());
    EXPECT_EQ(this->tos_of(error) & 3, this->tos_of(inside) & 3);
}

TEST(EcnFragments, OfAMarkedPacketAreAllMarkedOutside) {
    Rig rig;
    rig.send(Rig::kPodA, test::frame()
                             .eth(Names::kPodAMac, Names::kGatewayMac)
                             .ip(World<V4>::kPodA, World<V4>::kRemotePod)
                             .tos(kEcnCapable0)
                             .udp(4000, 80)
                             .payload(2000)
                             .build());
    const auto frames = rig.take(Rig::kUplink);
    ASSERT_GE(frames.size(), 2u);
    for (const Frame& frame : frames) {
        EXPECT_EQ(frame[15], kEcnCapable0);
        (void)look<V4>(frame);
    }
}

}  // namespace
}  // namespace podlane::dataplane
