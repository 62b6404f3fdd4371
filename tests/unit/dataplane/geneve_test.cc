// Geneve (RFC 8926) both ways: its bytes, options that others send, and what is refused; every pair
// of families. The rest is the tunnel's, whatever its format (overlay_test.cc).
#include <array>
#include <vector>

#include "lib/proto/overlay.h"
#include "tests/unit/dataplane/frames_of.h"

namespace podlane::dataplane {
namespace {

constexpr uint16_t kGenevePort = 6081;
using HeaderBytes = std::vector<uint8_t>;
/// RFC 8926 section 3.4: version 0, no options, an Ethernet frame inside, VNI 1.
const HeaderBytes kGeneveHeader{0x00, 0x00, 0x65, 0x58, 0x00, 0x00, 0x01, 0x00};

/// With `words` words of an option of class 0xffff.
HeaderBytes with_options(unsigned words) {
    HeaderBytes out = kGeneveHeader;
    out[0] = static_cast<uint8_t>(words);
    if (words == 0) return out;
    out.insert(out.end(), {0xff, 0xff, 0x01, static_cast<uint8_t>((words - 1) & 0x1f)});
    out.resize(8 + size_t{4} * words, 0xaa);
    return out;
}

template <class O, class I>
struct GeneveFamilies {
    using Outer = O;
    using Inner = I;
};

template <class T>
class GeneveTest : public testing::Test {
  protected:
    using Outer = typename T::Outer;
    using Inner = typename T::Inner;
    static constexpr size_t kUdp = sizeof(EthernetHeader) + Outer::kMinHeaderBytes;
    static constexpr size_t kInner = kUdp + sizeof(UdpHeader) + 8;

    GeneveTest() { rig.change(to_geneve); }

    /// The world's tunnel, in this format and over this family.
    static void to_geneve(Snapshot& next) {
        next.overlay.format = OverlayFormat::kGeneve;
        next.overlay.port = be16(kGenevePort);
        Adjacency out = next.adjacencies[kToRemotePods];
        const Frame headers = test::frame()
                                  .eth(Names::kUplinkMac, Names::kPeerMac)
                                  .ip(World<Outer>::kNode, World<Outer>::kPeer)
                                  .udp(0, kGenevePort)
                                  .payload(kGeneveHeader)
                                  .build();
        std::copy_n(headers.begin(), kInner, out.outer.begin());
        out.outer_bytes = kInner;
        out.outer_l3_bytes = Outer::kMinHeaderBytes;
        std::fill_n(out.outer.begin() + kUdp + 4, 4, uint8_t{0});
        const std::span<uint8_t> bytes(out.outer);
        if constexpr (std::same_as<Outer, V4>) {
            for (const size_t unset : {16U, 17U, 18U, 19U, 24U, 25U}) out.outer[unset] = 0;
            out.outer_partial_sum = checksum_partial(bytes.subspan(14, sizeof(Ipv4Header)));
        } else {
            out.outer[18] = out.outer[19] = 0;
            out.outer_partial_sum = checksum_add(
                checksum_partial(bytes.subspan(22, 32),
                                 checksum_partial(bytes.subspan(kUdp, sizeof(UdpHeader) + 8))),
                be16(kProtocolUdp).raw);
        }
        next.adjacencies.set(kToRemotePods, out);
    }
    /// A packet for pod a as the peer node sends it behind this header.
    static Frame tunnelled(const HeaderBytes& header) {
        return test::frame()
            .eth(Names::kPeerMac, Names::kUplinkMac)
            .ip(World<Outer>::kPeer, World<Outer>::kNode)
            .udp(50000, kGenevePort)
            .payload(header)
            .eth(Names::kPeerVtepMac, Names::kVtepMac)
            .ip(World<Inner>::kRemotePod, World<Inner>::kPodA)
            .udp(4000, 8080)
            .payload(64)
            .build();
    }
    void expect_delivered(const Frame& frame, const char* what) {
        rig.send(Rig::kUplink, frame);
        const auto frames = rig.take(Rig::kPodA);
        ASSERT_EQ(frames.size(), 1u) << what;
        const auto inside = look<Inner>(frames[0]);
        EXPECT_EQ(text(inside.key),
                  text(key_of<Inner>(World<Inner>::kRemotePod, 4000, World<Inner>::kPodA, 8080)))
            << what;
        EXPECT_TRUE(inside.checksums_ok) << what;
        EXPECT_EQ(rig.all_drops(), 0u) << what;
    }
    Rig rig;
};
using AllGeneveFamilies = testing::Types<GeneveFamilies<V4, V4>, GeneveFamilies<V4, V6>,
                                         GeneveFamilies<V6, V4>, GeneveFamilies<V6, V6>>;
TYPED_TEST_SUITE(GeneveTest, AllGeneveFamilies);

TYPED_TEST(GeneveTest, APacketToARemotePodIsWrapped) {
    using O = typename TypeParam::Outer;
    using I = typename TypeParam::Inner;
    this->rig.send(Rig::kPodA, udp<I>(Names::kPodAMac, Names::kGatewayMac, World<I>::kPodA, 4000,
                                      World<I>::kRemotePod, 80, 100));
    const Frame frame = this->rig.take_one(Rig::kUplink);
    const auto wrap = look<O>(frame);
    EXPECT_EQ(wrap.dst, Names::kPeerMac);
    EXPECT_EQ(wrap.key.dst, ip<O>(World<O>::kPeer));
    EXPECT_EQ(wrap.key.dst_port, be16(kGenevePort));
    EXPECT_GE(wrap.key.src_port.host(), 49152);
    // Over IPv4 the UDP checksum is absent, over IPv6 it is summed.
    EXPECT_TRUE(wrap.checksums_ok || (std::same_as<O, V4>));
    const auto udp_bytes = load<be16>(frame.data() + this->kUdp + offsetof(UdpHeader, bytes));
    EXPECT_EQ(udp_bytes.host(), frame.size() - this->kUdp);
    EXPECT_EQ(
        HeaderBytes(frame.begin() + this->kUdp + sizeof(UdpHeader), frame.begin() + this->kInner),
        kGeneveHeader);
    const auto inside = look<I>(Frame(frame.begin() + this->kInner, frame.end()));
    EXPECT_EQ(text(inside.key), text(key_of<I>(World<I>::kPodA, 4000, World<I>::kRemotePod, 80)));
    EXPECT_EQ(inside.dst, Names::kPeerVtepMac);
    EXPECT_TRUE(inside.checksums_ok);
}

TYPED_TEST(GeneveTest, WhatComesOutOfTheTunnelIsDelivered) {
    this->expect_delivered(this->tunnelled(kGeneveHeader), "by the short way");
    Frame padded = this->tunnelled(kGeneveHeader);
    padded.resize(padded.size() + 6);
    this->expect_delivered(padded, "by the long way");
    HeaderBytes reserved = kGeneveHeader;
    reserved[1] = 0x3f;
    reserved[7] = 0xff;
    this->expect_delivered(this->tunnelled(reserved), "reserved bits are ignored");
}

TYPED_TEST(GeneveTest, OptionsThatNeedNotBeUnderstoodArePassedOver) {
    for (const unsigned words : {1u, 2u, 31u, 63u}) {
        this->expect_delivered(this->tunnelled(with_options(words)), "options");
    }
}

TYPED_TEST(GeneveTest, WhatRfc8926HasRefusedIsDroppedByName) {
    struct Bad {
        const char* what;
        size_t at;
        uint8_t value;
    };
    uint64_t dropped = 0;
    for (const Bad& bad : std::to_array<Bad>({{"version 1", 0, 0x41},
                                              {"a control packet", 1, 0x80},
                                              {"a critical option", 1, 0x40},
                                              {"IPv4 inside", 2, 0x08},
                                              {"another protocol inside", 3, 0x59}})) {
        for (const unsigned words : {0u, 1u}) {
            HeaderBytes header = with_options(words);
            header[bad.at] = bad.value;
            this->rig.send(Rig::kUplink, this->tunnelled(header));
            EXPECT_EQ(this->rig.drops(Drop::kTunnelBadHeader), ++dropped) << bad.what << words;
        }
    }
    HeaderBytes longer = kGeneveHeader;
    longer[0] = 63;
    this->rig.send(Rig::kUplink, this->tunnelled(longer));
    EXPECT_EQ(this->rig.drops(Drop::kTunnelBadHeader), ++dropped) << "options beyond the packet";
    this->rig.send(Rig::kUplink, this->tunnelled({0x08, 0, 0, 0, 0, 0, 1, 0}));
    EXPECT_EQ(this->rig.drops(Drop::kTunnelBadHeader), ++dropped) << "VXLAN";
    HeaderBytes other = kGeneveHeader;
    other[6] = 2;
    this->rig.send(Rig::kUplink, this->tunnelled(other));
    EXPECT_EQ(this->rig.drops(Drop::kUnknownVni), 1u);
    EXPECT_EQ(this->rig.all_drops(), dropped + 1);
    EXPECT_TRUE(this->rig.take(Rig::kPodA).empty());
}

TYPED_TEST(GeneveTest, APacketWithOptionsCutAnywhereNeverGetsThrough) {
    const Frame whole = this->tunnelled(with_options(3));
    for (size_t bytes = 1; bytes < whole.size(); ++bytes) {
        this->rig.send(Rig::kUplink,
                       Frame(whole.begin(), whole.begin() + static_cast<long>(bytes)));
    }
    EXPECT_TRUE(this->rig.take(Rig::kPodA).empty());
    EXPECT_EQ(this->rig.all_drops(), whole.size() - 1);
}

}  // namespace
}  // namespace podlane::dataplane
