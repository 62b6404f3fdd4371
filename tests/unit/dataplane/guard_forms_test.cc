// The spoofed packets of guard_test.cc in other forms: tagged, fragmented, with extension headers,
// with repeated options.
#include <gtest/gtest.h>

#include "lib/proto/arp_build.h"
#include "lib/proto/nd_build.h"
#include "tests/unit/dataplane/frames_of.h"

namespace podlane::dataplane {
namespace {

constexpr uint16_t kInVlan5 = 5, kPriority = 0x6000;

class GuardFormsTest : public testing::Test {
  protected:
    GuardFormsTest() { guard_pods(rig); }
    static test::Frame from_pod(const MacAddress& to = Names::kPodBMac) {
        return test::frame().eth(Names::kPodAMac, to);
    }
    /// Sends it, and expects that nobody gets it and that it is dropped for this reason.
    void expect_dropped(const Frame& frame, Drop reason, Rig::Who from = Rig::kPodA) {
        const uint64_t before = rig.drops(reason);
        rig.send(from, frame);
        EXPECT_EQ(rig.drops(reason), before + 1)
            << drop_info(reason).name << ": " << test::describe(frame);
        for (const auto who : {Rig::kPodA, Rig::kPodB, Rig::kUplink, Rig::kHost}) {
            EXPECT_TRUE(rig.take(who).empty()) << who << " " << test::describe(frame);
        }
    }

    Rig rig;
};

template <class F>
class GuardFormsOf : public GuardFormsTest {};
using FormsFamilies = testing::Types<V4, V6>;
TYPED_TEST_SUITE(GuardFormsOf, FormsFamilies);

TYPED_TEST(GuardFormsOf, ATagChangesNothing) {
    using W = World<TypeParam>;
    for (const MacAddress& to : {Names::kPodBMac, Names::kGatewayMac}) {
        for (const bool service : {false, true}) {
            this->expect_dropped(this->from_pod(to)
                                     .vlan(kPriority, service)
                                     .ip(W::kPodB, W::kPeer)
                                     .udp(1, 2)
                                     .payload(20),
                                 Drop::kPodSourceSpoofed);
        }
        this->expect_dropped(this->from_pod(to)
                                 .vlan(kPriority)
                                 .vlan(kPriority)
                                 .ip(W::kPodB, W::kPeer)
                                 .udp(1, 2)
                                 .payload(20),
                             Drop::kPodSourceSpoofed);
    }
}

TYPED_TEST(GuardFormsOf, NoVlanHidesAPacket) {
    using W = World<TypeParam>;
    const auto send = [this](test::Frame tagged) {
        this->expect_dropped(tagged.ip(W::kPodB, W::kPodA).udp(1, 2).payload(20),
                             Drop::kVlanUnexpected);
    };
    send(this->from_pod().vlan(kInVlan5));
    send(this->from_pod().vlan(kInVlan5).vlan(0));
    send(this->from_pod().vlan(0).vlan(kInVlan5));
    send(this->from_pod().vlan(0, true).vlan(kInVlan5));
    // Linux removes any number of VLAN 0 tags.
    send(this->from_pod().vlan(0).vlan(0).vlan(0));
    send(this->from_pod().vlan(0, true).vlan(0, true).vlan(0));
    send(this->from_pod(kBroadcastMac).vlan(0).vlan(0).vlan(0).vlan(0));
}

TYPED_TEST(GuardFormsOf, EachFragmentIsLookedAt) {
    using W = World<TypeParam>;
    for (const MacAddress& to : {Names::kPodBMac, Names::kGatewayMac}) {
        this->expect_dropped(
            this->from_pod(to).ip(W::kPodB, W::kPeer).frag(0, true).udp(1, 2).payload(56),
            Drop::kPodSourceSpoofed);
        this->expect_dropped(this->from_pod(to)
                                 .ip(W::kPodB, W::kPeer)
                                 .frag(64, false)
                                 .protocol(kProtocolUdp)
                                 .payload(64),
                             Drop::kPodSourceSpoofed);
    }
}

TYPED_TEST(GuardFormsOf, ADhcpClientIsToldNothingByAPod) {
    using F = TypeParam;
    using W = World<F>;
    const uint16_t client = F::kVersion == 4 ? 68 : 546, server = F::kVersion == 4 ? 67 : 547;
    for (const uint16_t from : {server, uint16_t{40000}}) {
        this->expect_dropped(this->from_pod().ip(W::kPodA, W::kPodB).udp(from, client).payload(300),
                             Drop::kPodDhcpServer);
        this->expect_dropped(
            this->from_pod().ip(W::kPodA, W::kPodB).frag(0, true).udp(from, client).payload(296),
            Drop::kPodDhcpServer);
        this->expect_dropped(
            this->from_pod().vlan(0).ip(W::kPodA, W::kPodB).udp(from, client).payload(300),
            Drop::kPodDhcpServer);
    }
    this->rig.send(Rig::kPodA,
                   this->from_pod().ip(W::kPodA, W::kPodB).udp(server, 40000).payload(30));
    EXPECT_EQ(this->rig.take(Rig::kPodB).size(), 1u) << "whoever the port is, it is no client's";
}

TYPED_TEST(GuardFormsOf, ATunnelPacketInAnyForm) {
    using W = World<TypeParam>;
    for (const char* vtep : {W::kPeer, W::kNode}) {
        const auto send = [&](test::Frame frame) {
            this->expect_dropped(frame.udp(4, 8472).vxlan(1).eth().ip(W::kPeer, W::kPodB).udp(1, 2),
                                 Drop::kTunnelPortForbidden);
        };
        send(this->from_pod(Names::kGatewayMac).ip(W::kPodA, vtep));
        send(this->from_pod(Names::kGatewayMac).vlan(kPriority).ip(W::kPodA, vtep));
        if constexpr (std::same_as<TypeParam, V6>) {
            send(this->from_pod(Names::kGatewayMac)
                     .ip(W::kPodA, vtep)
                     .extension(kProtocolDestinationOptions));
        } else {
            send(this->from_pod(Names::kGatewayMac).ip(W::kPodA, vtep).options(8));
        }
    }
    this->expect_dropped(this->from_pod(Names::kGatewayMac)
                             .ip(W::kPodA, W::kPeer)
                             .frag(0, true)
                             .udp(4, 8472)
                             .payload(56),
                         Drop::kTunnelPortForbidden);
}

TYPED_TEST(GuardFormsOf, NobodyOutsideHasAServicesAddress) {
    using W = World<TypeParam>;
    this->expect_dropped(test::frame()
                             .eth(Names::kPeerMac, Names::kUplinkMac)
                             .ip(W::kService, W::kPodA)
                             .udp(53, 40000)
                             .payload(30),
                         Drop::kUplinkSourceSpoofed, Rig::kUplink);
}

TEST_F(GuardFormsTest, ExtensionHeadersHideNothing) {
    using W = World<V6>;
    const std::vector<uint8_t> none;
    for (const uint8_t kind : {kProtocolHopByHop, kProtocolDestinationOptions}) {
        expect_dropped(from_pod().ip(W::kPodB, W::kPodA).extension(kind).udp(1, 2).payload(20),
                       Drop::kPodSourceSpoofed);
        expect_dropped(from_pod()
                           .ip(W::kPodA, W::kPodB)
                           .extension(kind)
                           .icmp(kNdRouterAdvertisement, 0, 0, std::vector<uint8_t>(8)),
                       Drop::kPodRouterAdvertisement);
        expect_dropped(from_pod().ip(W::kPodA, W::kPodB).extension(kind).udp(9, 546).payload(20),
                       Drop::kPodDhcpServer);
    }
}

/// A first fragment with its other extension headers after the fragment header.
Frame behind_fragment_header(const MacAddress& to, uint8_t upper, const Frame& l4) {
    Frame options(8);
    options[0] = upper;
    options[2] = 1;  // PadN
    options[3] = 4;
    options.insert(options.end(), l4.begin(), l4.end());
    options.resize((options.size() + 7) / 8 * 8);
    return test::frame()
        .eth(Names::kPodAMac, to)
        .ip(World<V6>::kPodA, World<V6>::kPodB)
        .frag(0, true)
        .protocol(kProtocolDestinationOptions)
        .payload(options);
}

TEST_F(GuardFormsTest, NorDoExtensionHeadersBehindAFragmentHeader) {
    Frame advertisement(16);
    advertisement[0] = kNdRouterAdvertisement;
    expect_dropped(behind_fragment_header(Names::kPodBMac, kProtocolIcmpv6, advertisement),
                   Drop::kPodRouterAdvertisement);
    Frame offer(32);
    store(offer.data() + 2, be16(546));
    store(offer.data() + 4, be16(1000));
    expect_dropped(behind_fragment_header(Names::kPodBMac, kProtocolUdp, offer),
                   Drop::kPodDhcpServer);
}

TEST_F(GuardFormsTest, ARouterAdvertisementWithATag) {
    using W = World<V6>;
    const std::vector<uint8_t> rest(8);
    for (const MacAddress& to : {Names::kPodBMac, kBroadcastMac}) {
        expect_dropped(from_pod(to)
                           .vlan(kPriority)
                           .ip(W::kPodA, "ff02::1")
                           .ttl(255)
                           .icmp(kNdRouterAdvertisement, 0, 0, rest),
                       Drop::kPodRouterAdvertisement);
        expect_dropped(from_pod(to)
                           .vlan(0)
                           .vlan(0)
                           .vlan(0)
                           .ip(W::kPodA, "ff02::1")
                           .ttl(255)
                           .icmp(kNdRouterAdvertisement, 0, 0, rest),
                       Drop::kVlanUnexpected);
    }
}

TEST_F(GuardFormsTest, ArpWithATagOrOfAnotherHardwareType) {
    using W = World<V4>;
    const auto arp = [](test::Frame before, const MacAddress& said, const char* sender) {
        return before.arp_request(said, ip<V4>(sender), ip<V4>(W::kPodB)).build();
    };
    expect_dropped(arp(from_pod(kBroadcastMac).vlan(0), Names::kPodAMac, W::kGateway),
                   Drop::kArpSpoofed);
    expect_dropped(arp(from_pod().vlan(0).vlan(0), Names::kPodBMac, W::kPodA), Drop::kArpSpoofed);
    expect_dropped(arp(from_pod().vlan(0).vlan(0).vlan(0), Names::kPodAMac, W::kGateway),
                   Drop::kVlanUnexpected);
    // IEEE 802 networks (6): Linux accepts it on Ethernet.
    Frame other = arp(from_pod(kBroadcastMac), Names::kPodAMac, W::kGateway);
    other[15] = 6;
    expect_dropped(other, Drop::kArpBad);
}

TEST_F(GuardFormsTest, WhoNamesTwoMacAddressesIsNotBelieved) {
    const auto own = ip<V6>(World<V6>::kPodA);
    for (NdMessage message : {nd_solicitation(Names::kPodAMac, own, ip<V6>(World<V6>::kPodB)),
                              nd_announcement(Names::kPodAMac, own, kNdOverride)}) {
        // The first option is another's: receivers that use the first one believe it.
        Frame frame(128);
        frame.resize(build_nd_frame(frame, Names::kPodAMac, {}, message));
        Frame second(frame.end() - sizeof(NdLinkAddress), frame.end());
        std::copy(Names::kPodBMac.bytes.begin(), Names::kPodBMac.bytes.end(), frame.end() - 6);
        frame.insert(frame.end(), second.begin(), second.end());
        const auto bytes = static_cast<uint16_t>(frame.size() - 54);
        store(frame.data() + 18, be16(bytes));
        store(frame.data() + 56, be16(0));
        const auto src = load<Ipv6Address>(frame.data() + 22);
        const auto dst = load<Ipv6Address>(frame.data() + 38);
        store(frame.data() + 56,
              l4_checksum<V6>(src, dst, kProtocolIcmpv6, std::span(frame).subspan(54)));
        expect_dropped(frame, Drop::kNdBad);
    }
}

TEST_F(GuardFormsTest, NeighbourDiscoveryInFragmentsIsDropped) {
    using W = World<V6>;
    std::vector<uint8_t> target(16);
    store(target.data(), ip<V6>(W::kGateway));
    expect_dropped(from_pod()
                       .ip(W::kPodA, W::kPodB)
                       .ttl(255)
                       .frag(0, true)
                       .icmp(kNdNeighbourAdvertisement, 0, kNdOverride, target),
                   Drop::kNdBad);
}

TEST_F(GuardFormsTest, AnOverridingAdvertisementToOnePodAlone) {
    NdMessage message = nd_announcement(Names::kPodAMac, ip<V6>(World<V6>::kGateway), kNdOverride);
    message.dst = ip<V6>(World<V6>::kPodB);
    Frame frame(128);
    frame.resize(build_nd_frame(frame, Names::kPodAMac, Names::kPodBMac, message));
    expect_dropped(frame, Drop::kNdSpoofed);
}

TEST_F(GuardFormsTest, SourceRoutesInFragmentsAndFromTheWire) {
    using W = World<V4>;
    const std::vector<uint8_t> loose{131, 7, 4, 10, 0, 0, 1, 0};
    expect_dropped(
        from_pod().ip(W::kPodA, W::kPodB).options(loose).frag(0, true).udp(1, 2).payload(56),
        Drop::kSourceRouted);
    expect_dropped(test::frame()
                       .eth(Names::kPeerMac, Names::kUplinkMac)
                       .ip(W::kPeer, W::kPodB)
                       .options(loose)
                       .frag(64, false)
                       .protocol(kProtocolUdp)
                       .payload(32),
                   Drop::kSourceRouted, Rig::kUplink);
}

}  // namespace
}  // namespace podlane::dataplane
