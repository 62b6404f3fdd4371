// Fragmented packets, in any order, through everything that translates.
#include "dataplane/slowpath/fragments.h"

#include <numeric>

#include "tests/unit/dataplane/frames_of.h"

namespace podlane::dataplane {
namespace {

/// Cuts a whole frame's IP packet at these bytes of its payload (multiples of eight).
template <Family F>
std::vector<Frame> cut(const Frame& whole, uint32_t id,
                       const std::vector<uint32_t>& at = {1400, 2800}) {
    Headers headers;
    EXPECT_EQ(parse_frame(whole, static_cast<uint32_t>(whole.size()), headers), Drop::kNone);
    const auto ethernet = load<EthernetHeader>(whole.data());
    const Frame upper(whole.begin() + headers.l4_offset, whole.end());
    std::vector<Frame> out;
    uint32_t begin = 0;
    for (size_t i = 0; i <= at.size(); ++i) {
        const bool last = i == at.size();
        const auto end = last ? static_cast<uint32_t>(upper.size()) : at[i];
        out.push_back(test::frame()
                          .eth(ethernet.src, ethernet.dst)
                          .ip(IpAddress(src_address<F>(whole.data(), headers)),
                              IpAddress(dst_address<F>(whole.data(), headers)))
                          .ip_id(id)
                          .frag(begin, !last)
                          .payload(std::span(upper).subspan(begin, end - begin))
                          .protocol(headers.protocol)
                          .build());
        begin = end;
    }
    return out;
}

/// The whole frame that these fragments make, in whatever order.
template <Family F>
Frame joined(const std::vector<Frame>& fragments) {
    Frame upper;
    Headers headers;
    for (const Frame& each : fragments) {
        EXPECT_EQ(parse_frame(each, static_cast<uint32_t>(each.size()), headers), Drop::kNone);
        EXPECT_TRUE(headers.has(Headers::kFragment));
        const uint32_t offset = fragment_part<F>(each.data(), headers).offset;
        upper.resize(std::max<size_t>(upper.size(), offset + headers.l4_bytes()));
        std::copy_n(each.begin() + headers.l4_offset, headers.l4_bytes(), upper.begin() + offset);
    }
    const Frame& any = fragments.at(0);
    const auto ethernet = load<EthernetHeader>(any.data());
    return test::frame()
        .eth(ethernet.src, ethernet.dst)
        .ip(IpAddress(src_address<F>(any.data(), headers)),
            IpAddress(dst_address<F>(any.data(), headers)))
        .payload(upper)
        .protocol(headers.protocol)
        .build();
}

template <class F>
class FragmentsTest : public testing::Test {
  protected:
    using Here = World<F>;

    /// Sends the fragments in this order; returns what left by `to`, reassembled.
    Frame through(Rig::Who from, const std::vector<Frame>& fragments,
                  const std::vector<size_t>& order, Rig::Who to) {
        for (const size_t i : order) rig.send(from, fragments.at(i));
        const auto out = rig.take(to);
        EXPECT_EQ(out.size(), fragments.size());
        return out.empty() ? Frame{} : joined<F>(out);
    }
    /// From pod A to the Service, 4,000 bytes.
    static Frame to_service(uint16_t port = 4000) {
        return udp<F>(Names::kPodAMac, Names::kGatewayMac, Here::kPodA, port, Here::kService, 80,
                      4000);
    }
    static Frame reply_of_pod_b(uint16_t port = 4000) {
        return udp<F>(Names::kPodBMac, Names::kPodAMac, Here::kPodB, 8080, Here::kPodA, port, 4000);
    }
    static Frame fragment(uint32_t id, uint32_t offset, bool more, size_t bytes,
                          uint8_t protocol = kProtocolUdp) {
        return test::frame()
            .eth(Names::kPodAMac, Names::kGatewayMac)
            .ip(Here::kPodA, Here::kService)
            .ip_id(id)
            .frag(offset, more)
            .payload(bytes)
            .protocol(protocol)
            .build();
    }
    static std::vector<std::vector<size_t>> orders() {
        return {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    }

    Rig rig;
};
using Families = testing::Types<V4, V6>;
TYPED_TEST_SUITE(FragmentsTest, Families);

TYPED_TEST(FragmentsTest, InAnyOrderThroughAClusterIpAndBack) {
    using F = TypeParam;
    using W = World<F>;
    uint32_t id = 1;
    for (const auto& order : this->orders()) {
        const auto out =
            look<F>(this->through(Rig::kPodA, cut<F>(this->to_service(), id++), order, Rig::kPodB));
        EXPECT_EQ(text(out.key), text(key_of<F>(W::kPodA, 4000, W::kPodB, 8080)));
        EXPECT_TRUE(out.checksums_ok);
        const auto back = look<F>(
            this->through(Rig::kPodB, cut<F>(this->reply_of_pod_b(), id++), order, Rig::kPodA));
        EXPECT_EQ(text(back.key), text(key_of<F>(W::kService, 80, W::kPodA, 4000)));
        EXPECT_TRUE(back.checksums_ok);
    }
    EXPECT_EQ(this->rig.all_drops(), 0u);
    EXPECT_EQ(this->rig.shared().template flows_of<F>().counters().active, 1u);
}

TYPED_TEST(FragmentsTest, ThroughANodePortWithMasqueradeAndBack) {
    using F = TypeParam;
    using W = World<F>;
    uint32_t id = 1;
    for (const auto& order : this->orders()) {
        const Frame asked =
            udp<F>(Names::kPeerMac, Names::kUplinkMac, W::kPeer, 5000, W::kNode, 30080, 4000);
        const auto out =
            look<F>(this->through(Rig::kUplink, cut<F>(asked, id++), order, Rig::kPodB));
        EXPECT_EQ(text(out.key), text(key_of<F>(W::kGateway, 5000, W::kPodB, 8080)));
        EXPECT_TRUE(out.checksums_ok);
        const Frame answer =
            udp<F>(Names::kPodBMac, Names::kGatewayMac, W::kPodB, 8080, W::kGateway, 5000, 4000);
        const auto back =
            look<F>(this->through(Rig::kPodB, cut<F>(answer, id++), order, Rig::kUplink));
        EXPECT_EQ(text(back.key), text(key_of<F>(W::kNode, 30080, W::kPeer, 5000)));
        EXPECT_TRUE(back.checksums_ok);
    }
    EXPECT_EQ(this->rig.all_drops(), 0u);
}

TYPED_TEST(FragmentsTest, PingsAndDatagramsAreMasqueradedToOutsideAndBack) {
    using F = TypeParam;
    using W = World<F>;
    this->rig.change([](Snapshot& next) {
        next.template family<F>().keep_source = std::make_shared<const Lpm<F, uint8_t>>();
    });
    const Frame asked =
        udp<F>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 4000, W::kPeer, 53, 4000);
    const auto out = look<F>(this->through(Rig::kPodA, cut<F>(asked, 1), {2, 1, 0}, Rig::kUplink));
    EXPECT_EQ(text(out.key), text(key_of<F>(W::kNode, 4000, W::kPeer, 53)));
    EXPECT_TRUE(out.checksums_ok);
    const Frame answer =
        udp<F>(Names::kPeerMac, Names::kUplinkMac, W::kPeer, 53, W::kNode, 4000, 4000);
    const auto back =
        look<F>(this->through(Rig::kUplink, cut<F>(answer, 2), {1, 2, 0}, Rig::kPodA));
    EXPECT_EQ(text(back.key), text(key_of<F>(W::kPeer, 53, W::kPodA, 4000)));
    EXPECT_TRUE(back.checksums_ok);

    const Frame request =
        ping<F>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, W::kPeer, 77, 4000);
    const auto echo =
        look<F>(this->through(Rig::kPodA, cut<F>(request, 3), {2, 0, 1}, Rig::kUplink));
    EXPECT_EQ(echo.key.src, ip<F>(W::kNode));
    EXPECT_TRUE(echo.checksums_ok);
    EXPECT_EQ(this->rig.all_drops(), 0u);
}

TYPED_TEST(FragmentsTest, OutOfATunnelAndIntoIt) {
    using F = TypeParam;
    using W = World<F>;
    const Frame inner =
        udp<F>(Names::kPeerVtepMac, Names::kVtepMac, W::kRemotePod, 5000, W::kPodB, 8080, 4000);
    const auto fragments = cut<F>(inner, 1);
    for (const size_t i : {2u, 0u, 1u}) {
        this->rig.send(Rig::kUplink, test::frame()
                                         .eth(Names::kPeerMac, Names::kUplinkMac)
                                         .ip(World<V4>::kPeer, World<V4>::kNode)
                                         .udp(50000, 8472)
                                         .vxlan(1)
                                         .payload(fragments[i])
                                         .build());
    }
    const auto out = look<F>(joined<F>(this->rig.take(Rig::kPodB)));
    EXPECT_EQ(text(out.key), text(key_of<F>(W::kRemotePod, 5000, W::kPodB, 8080)));
    EXPECT_TRUE(out.checksums_ok);

    const Frame answer =
        udp<F>(Names::kPodBMac, Names::kGatewayMac, W::kPodB, 8080, W::kRemotePod, 5000, 4000);
    const auto pieces = cut<F>(answer, 2);
    for (const size_t i : {1u, 2u, 0u}) this->rig.send(Rig::kPodB, pieces[i]);
    std::vector<Frame> inside;
    std::vector<uint16_t> outer_ports;
    for (const Frame& each : this->rig.take(Rig::kUplink)) {
        outer_ports.push_back(load<be16>(each.data() + 34).host());
        inside.emplace_back(each.begin() + 50, each.end());
    }
    ASSERT_EQ(inside.size(), 3u);
    EXPECT_TRUE(look<F>(joined<F>(inside)).checksums_ok);
    EXPECT_EQ(std::count(outer_ports.begin(), outer_ports.end(), outer_ports[0]), 3)
        << "all take one path through the network";
    EXPECT_EQ(this->rig.all_drops(), 0u);
}

TYPED_TEST(FragmentsTest, OfATunnelPacketItselfTheyAreDroppedByName) {
    using F = TypeParam;
    using W = World<F>;
    auto frame = udp<F>(Names::kPeerMac, Names::kUplinkMac, W::kPeer, 50000, W::kNode, 8472, 4000);
    for (const Frame& each : cut<F>(frame, 9)) this->rig.send(Rig::kUplink, each);
    EXPECT_EQ(this->rig.drops(Drop::kTunnelFragment), 3u);
    EXPECT_TRUE(this->rig.take(Rig::kHost).empty());
    // Pods may not send any, in whatever pieces.
    frame = udp<F>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 50000, W::kNode, 8472, 4000);
    for (const Frame& each : cut<F>(frame, 10)) this->rig.send(Rig::kPodA, each);
    EXPECT_GE(this->rig.drops(Drop::kTunnelPortForbidden), 1u);
    EXPECT_TRUE(this->rig.take(Rig::kHost).empty());
}

TYPED_TEST(FragmentsTest, BetweenPodsOnTheBridgeNoFlowIsMade) {
    using F = TypeParam;
    using W = World<F>;
    const Frame whole = udp<F>(Names::kPodAMac, Names::kPodBMac, W::kPodA, 4000, W::kPodB, 9, 4000);
    const Frame out = this->through(Rig::kPodA, cut<F>(whole, 1), {1, 0, 2}, Rig::kPodB);
    EXPECT_EQ(look<F>(out).ttl, 64);
    EXPECT_EQ(this->rig.shared().template flows_of<F>().counters().created, 0u);
}

TYPED_TEST(FragmentsTest, FragmentsOfOnePacketMeetOnOneWorker) {
    using F = TypeParam;
    using W = World<F>;
    Rig three(3);
    for (uint32_t id = 1; id <= 20; ++id) {
        const auto fragments = cut<F>(this->to_service(), id);
        three.send(Rig::kPodA, fragments[2], false, 1);
        three.send(Rig::kPodA, fragments[0], false, 0);
        three.send(Rig::kPodA, fragments[1], false, 2);
        const auto out = three.take(Rig::kPodB);
        ASSERT_EQ(out.size(), 3u) << "identification " << id;
        const auto whole = look<F>(joined<F>(out));
        EXPECT_EQ(text(whole.key), text(key_of<F>(W::kPodA, 4000, W::kPodB, 8080)));
        EXPECT_TRUE(whole.checksums_ok);
    }
    EXPECT_EQ(three.all_drops(), 0u);
}

TYPED_TEST(FragmentsTest, TheyWaitForTheirNeighbourTogether) {
    using F = TypeParam;
    using W = World<F>;
    const auto fragments = cut<F>(
        udp<F>(Names::kUplinkMac, Names::kGatewayMac, W::kNode, 4000, W::kStranger, 9, 4000), 1);
    for (const size_t i : {2u, 0u, 1u}) this->rig.send(Rig::kHost, fragments[i]);
    EXPECT_TRUE(this->rig.take(Rig::kUplink).empty());
    this->rig.change([this](Snapshot& next) {
        next.template family<F>().routes =
            std::make_shared<Lpm<F, Route<F>>>(std::vector<std::pair<Prefix<F>, Route<F>>>{
                {Prefix<F>{{}, 0}, Route<F>{RouteKind::kAdjacency,
                                            this->rig.port(Rig::kUplink),
                                            AdjacencyId{kToPeer},
                                            {},
                                            ""}}});
        ++next.topology_epoch;
    });
    this->rig.turn();
    const auto out = this->rig.take(Rig::kUplink);
    ASSERT_EQ(out.size(), 3u);
    EXPECT_TRUE(look<F>(joined<F>(out)).checksums_ok);
    EXPECT_EQ(this->rig.all_drops(), 0u);
}

TYPED_TEST(FragmentsTest, AFirstFragmentThatNeverComesIsNamedAfterAWhile) {
    const auto fragments = cut<TypeParam>(this->to_service(), 1);
    this->rig.send(Rig::kPodA, fragments[1]);
    this->rig.send(Rig::kPodA, fragments[2]);
    this->rig.pass(Fragments::kLifeMs / 2);
    EXPECT_EQ(this->rig.drops(Drop::kFragmentNoFirst), 0u);
    this->rig.pass(Fragments::kLifeMs);
    EXPECT_EQ(this->rig.drops(Drop::kFragmentNoFirst), 2u);
    EXPECT_TRUE(this->rig.take(Rig::kPodB).empty());
}

TYPED_TEST(FragmentsTest, AnOverlapSpoilsThePacketAndARepetitionDoesNot) {
    this->rig.send(Rig::kPodA, this->fragment(1, 1400, true, 1400));
    this->rig.send(Rig::kPodA, this->fragment(1, 1400, true, 1400));
    EXPECT_EQ(this->rig.drops(Drop::kFragmentOverlap), 1u);
    auto whole = cut<TypeParam>(this->to_service(), 1);
    this->rig.send(Rig::kPodA, whole[0]);
    EXPECT_EQ(this->rig.take(Rig::kPodB).size(), 2u);
    this->rig.send(Rig::kPodA, this->fragment(1, 2784, false, 100));
    EXPECT_EQ(this->rig.drops(Drop::kFragmentOverlap), 2u);
    this->rig.send(Rig::kPodA, whole[2]);
    EXPECT_EQ(this->rig.drops(Drop::kFragmentOverlap), 3u);
    EXPECT_TRUE(this->rig.take(Rig::kPodB).empty());
}

// RFC 3128: after a harmless first fragment, one that would overwrite its TCP flags.
TYPED_TEST(FragmentsTest, TheTcpHeaderCannotBeOverwritten) {
    using F = TypeParam;
    using W = World<F>;
    const Frame whole =
        tcp<F>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 4000, W::kService, 80, kTcpAck, 400);
    const auto fragments = cut<F>(whole, 1, {200});
    this->rig.send(Rig::kPodA, this->fragment(1, 8, true, 16, kProtocolTcp));
    this->rig.send(Rig::kPodA, fragments[0]);
    EXPECT_EQ(this->rig.drops(Drop::kFragmentOverlap), 2u) << "in front of it";
    const auto others = cut<F>(whole, 2, {200});
    this->rig.send(Rig::kPodA, others[0]);
    this->rig.send(Rig::kPodA, this->fragment(2, 8, true, 200, kProtocolTcp));
    EXPECT_EQ(this->rig.drops(Drop::kFragmentOverlap), 3u) << "behind it";
    EXPECT_EQ(this->rig.take(Rig::kPodB).size(), 1u);
}

TYPED_TEST(FragmentsTest, TinyAndImpossibleOnesAreDroppedByName) {
    this->rig.send(Rig::kPodA, this->fragment(1, 0, true, 16, kProtocolTcp));
    EXPECT_EQ(this->rig.drops(Drop::kFragmentTiny), 1u);
    this->rig.send(Rig::kPodA, this->fragment(2, 8, true, 20));
    EXPECT_EQ(this->rig.drops(Drop::kFragmentBad), 1u) << "odd, and not the last";
    this->rig.send(Rig::kPodA, this->fragment(3, 65504, false, 400));
    EXPECT_EQ(this->rig.drops(Drop::kFragmentBad), 2u) << "beyond the longest packet";
    this->rig.send(Rig::kPodA, this->fragment(4, 8, false, 0));
    EXPECT_EQ(this->rig.drops(Drop::kFragmentBad), 3u) << "empty";
    for (uint32_t i = 0; i <= FragmentRanges::kMaxRanges; ++i) {
        this->rig.send(Rig::kPodA, this->fragment(5, 64 + i * 16, true, 8));
    }
    EXPECT_EQ(this->rig.drops(Drop::kFragmentBad), 4u + FragmentRanges::kMaxRanges)
        << "more gaps than are followed";
}

TYPED_TEST(FragmentsTest, WhatWaitsIsBoundedForEachPacketAndInAll) {
    for (uint32_t i = 0; i < Fragments::kHeldPerPacket + 1; ++i) {
        this->rig.send(Rig::kPodA, this->fragment(1, 64 + i * 8, true, 8));
    }
    EXPECT_EQ(this->rig.drops(Drop::kFragmentHoldFull), 1u);
    const unsigned more = Fragments::kHeld - Fragments::kHeldPerPacket + 10;
    for (uint32_t i = 0; i < more; ++i) {
        this->rig.send(Rig::kPodA, this->fragment(2 + i, 64, true, 8));
    }
    // If the set was full, an older one made room.
    EXPECT_GE(this->rig.drops(Drop::kFragmentHoldFull), 11u);
    // Everything that is held goes, and there is room again.
    this->rig.pass(2 * Fragments::kLifeMs);
    EXPECT_EQ(this->rig.all_drops(), uint64_t{Fragments::kHeldPerPacket} + 1 + more);
    const auto out =
        this->through(Rig::kPodA, cut<TypeParam>(this->to_service(), 1), {1, 2, 0}, Rig::kPodB);
    EXPECT_TRUE(look<TypeParam>(out).checksums_ok);
}

TYPED_TEST(FragmentsTest, AnIdentificationMayComeAgain) {
    using F = TypeParam;
    using W = World<F>;
    // One packet complete, one without its end, and then another with the same identification.
    (void)this->through(Rig::kPodA, cut<F>(this->to_service(4000), 9), {0, 1, 2}, Rig::kPodB);
    const auto lossy = cut<F>(this->to_service(4001), 9);
    this->rig.send(Rig::kPodA, lossy[0]);
    this->rig.send(Rig::kPodA, lossy[1]);
    EXPECT_EQ(this->rig.take(Rig::kPodB).size(), 2u);
    const auto out = look<F>(
        this->through(Rig::kPodA, cut<F>(this->to_service(4002), 9), {0, 1, 2}, Rig::kPodB));
    EXPECT_EQ(text(out.key), text(key_of<F>(W::kPodA, 4002, W::kPodB, 8080)));
    EXPECT_TRUE(out.checksums_ok);
    EXPECT_EQ(this->rig.all_drops(), 0u);
}

TYPED_TEST(FragmentsTest, ARejectedPacketsFragmentsAreRejectedWithItAndOneNoticeIsSent) {
    using F = TypeParam;
    using W = World<F>;
    for (const uint8_t protocol : {kProtocolUdp, kProtocolTcp}) {
        const Frame whole = protocol == kProtocolUdp
                                ? udp<F>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 1,
                                         W::kEmptyService, 80, 4000)
                                : tcp<F>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 1,
                                         W::kEmptyService, 80, kTcpSyn, 4000);
        const uint64_t before = this->rig.drops(Drop::kServiceNoEndpoints);
        for (const Frame& each : cut<F>(whole, protocol)) this->rig.send(Rig::kPodA, each);
        EXPECT_EQ(this->rig.drops(Drop::kServiceNoEndpoints) - before, 3u);
        EXPECT_LE(this->rig.take(Rig::kPodA).size(), 1u);
    }
}

using Ipv6FragmentsTest = FragmentsTest<V6>;

// RFC 8200 section 4.5: options may stand in the fragmentable part, and only the first fragment's
// next header counts.
TEST_F(Ipv6FragmentsTest, OptionsBehindTheFragmentHeaderDoNotHideThePorts) {
    Frame upper = {kProtocolUdp, 0, 1, 4, 0, 0, 0, 0};
    const Frame whole =
        udp<V6>(Names::kPodAMac, Names::kGatewayMac, Here::kPodA, 4000, Here::kService, 80, 2000);
    upper.insert(upper.end(), whole.begin() + 54, whole.end());
    const auto piece = [&](uint32_t begin, size_t bytes, bool more, uint8_t next) {
        return test::frame()
            .eth(Names::kPodAMac, Names::kGatewayMac)
            .ip(Here::kPodA, Here::kService)
            .frag(begin, more)
            .payload(std::span(upper).subspan(begin, bytes))
            .protocol(next)
            .build();
    };
    rig.send(Rig::kPodA, piece(1200, upper.size() - 1200, false, kProtocolUdp));
    rig.send(Rig::kPodA, piece(0, 1200, true, kProtocolDestinationOptions));
    const auto out = rig.take(Rig::kPodB);
    ASSERT_EQ(out.size(), 2u);
    Frame joined_upper(out[0].begin() + 62 + 8, out[0].end());
    joined_upper.insert(joined_upper.end(), out[1].begin() + 62, out[1].end());
    const auto seen = look<V6>(test::frame()
                                   .eth()
                                   .ip(Here::kPodA, Here::kPodB)
                                   .payload(joined_upper)
                                   .protocol(kProtocolUdp)
                                   .build());
    EXPECT_EQ(seen.key.dst_port, be16(8080));
    EXPECT_TRUE(seen.checksums_ok);
}

TEST(FragmentsTable, TheOldestOfASetGivesWay) {
    auto counters = std::make_unique<WorkerCounters>();
    auto fragments = std::make_unique<Fragments>(*counters);
    const auto key = [](uint16_t id) {
        FlowKey<V4> out{};
        out.src_port = be16(id);
        return out;
    };
    constexpr uint64_t kSameSet = 5;
    for (uint16_t id = 0; id < Fragments::kWays; ++id) {
        (void)fragments->find_or_make(key(id), kSameSet, 100 + id);
    }
    EXPECT_NE(fragments->find(key(0), kSameSet, 200), nullptr);
    (void)fragments->find_or_make(key(99), kSameSet, 200);
    EXPECT_EQ(fragments->find(key(0), kSameSet, 200), nullptr);
    EXPECT_NE(fragments->find(key(1), kSameSet, 200), nullptr);
    EXPECT_EQ(fragments->find(key(1), kSameSet, 101 + Fragments::kLifeMs), nullptr) << "over";
    EXPECT_FALSE(fragments->holds_any());
}

}  // namespace
}  // namespace podlane::dataplane
