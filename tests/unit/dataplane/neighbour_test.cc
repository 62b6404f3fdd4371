// Next hops that must be resolved first.
#include "lib/proto/arp_build.h"
#include "lib/proto/nd_build.h"
#include "tests/unit/dataplane/frames_of.h"

namespace podlane::dataplane {
namespace {

template <class F>
class NeighbourTest : public testing::Test {
  protected:
    using Here = World<F>;

    /// The host sends to an on-link address that is not resolved yet.
    void send_to_stranger(uint16_t port = 1) {
        rig.send(Rig::kHost, udp<F>(Names::kUplinkMac, Names::kGatewayMac, Here::kNode, port,
                                    Here::kStranger, 2));
    }
    void resolve(AdjacencyKind kind) {
        rig.change([this, kind](Snapshot& next) {
            Adjacency found = next.adjacencies[kToPeer];
            found.kind = kind;
            found.dst = kStrangerMac;
            next.adjacencies.set(9, found);
            route_stranger_to(next, AdjacencyId{9});
            ++next.topology_epoch;
        });
        rig.turn();
    }
    void route_stranger_to(Snapshot& next, AdjacencyId adjacency) {
        next.template family<F>().routes =
            std::make_shared<const Lpm<F, Route<F>>>(std::vector<std::pair<Prefix<F>, Route<F>>>{
                {Prefix<F>{ip<F>(Here::kStranger), F::kAddressBits},
                 Route<F>{RouteKind::kAdjacency, rig.port(Rig::kUplink), adjacency, {}, ""}},
                {Prefix<F>{ip<F>(Here::kNode), F::kAddressBits},
                 Route<F>{RouteKind::kHost, rig.port(Rig::kHost), AdjacencyId{kToHost}, {}, ""}},
                {Prefix<F>{ip<F>(Here::kPodA), F::kAddressBits},
                 Route<F>{
                     RouteKind::kAdjacency, rig.port(Rig::kPodA), AdjacencyId{kToPodA}, {}, ""}}});
    }
    static constexpr MacAddress kStrangerMac{{2, 0, 0, 0, 1, 0x77}};
    Rig rig;
};
using Families = testing::Types<V4, V6>;
TYPED_TEST_SUITE(NeighbourTest, Families);

TYPED_TEST(NeighbourTest, PacketsWaitAndControlIsAskedOnce) {
    using W = World<TypeParam>;
    for (uint16_t port = 1; port <= 5; ++port) this->send_to_stranger(port);
    EXPECT_TRUE(this->rig.take(Rig::kUplink).empty());
    const auto events = this->rig.events();
    ASSERT_EQ(events.size(), 1u);
    EXPECT_EQ(events[0].kind, EventKind::kNeighbourNeeded);
    EXPECT_EQ(events[0].port, this->rig.port(Rig::kUplink));
    EXPECT_EQ(to_string(events[0].address.to_ip()), W::kStranger);
    this->resolve(AdjacencyKind::kEthernet);
    const auto sent = this->rig.take(Rig::kUplink);
    ASSERT_EQ(sent.size(), 5u);
    EXPECT_EQ(look<TypeParam>(sent[0]).dst, this->kStrangerMac);
    EXPECT_EQ(look<TypeParam>(sent[0]).key.src_port, be16(1)) << "order is kept";
    EXPECT_EQ(this->rig.all_drops(), 0u);
}

TYPED_TEST(NeighbourTest, TheGatewayIsAskedForWhenThePacketGoesOutside) {
    using W = World<TypeParam>;
    this->rig.send(Rig::kHost, udp<TypeParam>(Names::kUplinkMac, Names::kGatewayMac, W::kNode, 1,
                                              W::kOutside, 2));
    const auto events = this->rig.events();
    ASSERT_EQ(events.size(), 1u);
    EXPECT_EQ(to_string(events[0].address.to_ip()), W::kRouter);
}

TYPED_TEST(NeighbourTest, WhenNobodyAnswersTheSenderIsTold) {
    this->send_to_stranger();
    this->resolve(AdjacencyKind::kFailed);
    EXPECT_EQ(this->rig.drops(Drop::kNeighbourUnreachable), 1u);
    const auto error = look<TypeParam>(this->rig.take_one(Rig::kHost));
    EXPECT_TRUE(error.headers.has(Headers::kIcmpError));
    EXPECT_TRUE(error.checksums_ok);
}

TYPED_TEST(NeighbourTest, AKnownButUnresolvedNextHopHoldsWithoutAskingAgain) {
    this->resolve(AdjacencyKind::kUnresolved);
    this->send_to_stranger();
    EXPECT_TRUE(this->rig.events().empty());
    this->resolve(AdjacencyKind::kEthernet);
    EXPECT_EQ(this->rig.take(Rig::kUplink).size(), 1u);
}

TYPED_TEST(NeighbourTest, AFlowWhoseNextHopIsNotInUseAnyMoreLooksForItsRouteAgain) {
    this->resolve(AdjacencyKind::kEthernet);
    this->send_to_stranger();
    EXPECT_EQ(this->rig.take(Rig::kUplink).size(), 1u);
    const uint32_t epoch = this->rig.snapshot().topology_epoch;
    this->rig.change([this](Snapshot& next) {
        next.adjacencies.set(10, next.adjacencies[9]);
        next.adjacencies.mutable_at(10).dst = Names::kPeerMac;
        next.adjacencies.set(9, Adjacency{});
        this->route_stranger_to(next, AdjacencyId{10});
    });
    this->send_to_stranger();
    const auto sent = this->rig.take(Rig::kUplink);
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(look<TypeParam>(sent[0]).dst, Names::kPeerMac);
    EXPECT_EQ(this->rig.snapshot().topology_epoch, epoch);
    EXPECT_EQ(this->rig.all_drops(), 0u);
}

TYPED_TEST(NeighbourTest, OneSilentNextHopCannotFillTheQueue) {
    for (uint16_t port = 1; port <= HoldQueue::kPerNextHop + 3; ++port) {
        this->send_to_stranger(port);
    }
    EXPECT_EQ(this->rig.drops(Drop::kNeighbourHoldFull), 3u);
}

TYPED_TEST(NeighbourTest, AnAnswerOnTheUplinkIsReported) {
    using F = TypeParam;
    using W = World<F>;
    Frame frame(128);
    size_t bytes = 0;
    if constexpr (std::same_as<F, V4>) {
        ArpMessage request = arp_request(Names::kUplinkMac, ip<F>(W::kNode), ip<F>(W::kStranger));
        bytes = build_arp_frame(frame, arp_reply(request, this->kStrangerMac));
    } else {
        const NdMessage ask =
            nd_solicitation(Names::kUplinkMac, ip<F>(W::kNode), ip<F>(W::kStranger));
        bytes = build_nd_frame(frame, this->kStrangerMac, Names::kUplinkMac,
                               nd_advertisement(ask, this->kStrangerMac, kNdOverride));
    }
    frame.resize(bytes);
    this->rig.send(Rig::kUplink, frame);
    const auto events = this->rig.events();
    ASSERT_EQ(events.size(), 1u);
    EXPECT_EQ(events[0].kind, EventKind::kNeighbourSeen);
    EXPECT_TRUE(events[0].solicited);
    EXPECT_EQ(events[0].mac, this->kStrangerMac);
    EXPECT_EQ(this->rig.all_drops(), 0u);
}

TYPED_TEST(NeighbourTest, TheUplinkAnswersForALoadBalancerAddressThatIsThisNodes) {
    using F = TypeParam;
    using W = World<F>;
    Frame question(128);
    if constexpr (std::same_as<F, V4>) {
        question.resize(build_arp_frame(
            question, arp_request(Names::kPeerMac, ip<F>(W::kPeer), ip<F>(W::kStranger))));
    } else {
        question.resize(
            build_nd_frame(question, Names::kPeerMac, {},
                           nd_solicitation(Names::kPeerMac, ip<F>(W::kPeer), ip<F>(W::kStranger))));
    }
    this->rig.send(Rig::kUplink, question);
    EXPECT_TRUE(this->rig.take(Rig::kUplink).empty()) << "it is another node's";
    this->rig.change([](Snapshot& next) {
        next.family<F>().announced =
            std::make_shared<const std::vector<typename F::Address>>(1, ip<F>(W::kStranger));
    });
    this->rig.send(Rig::kUplink, question);
    const Frame answer = this->rig.take_one(Rig::kUplink);
    EXPECT_TRUE(
        std::equal(Names::kPeerMac.bytes.begin(), Names::kPeerMac.bytes.end(), answer.begin()));
    EXPECT_TRUE(std::equal(Names::kUplinkMac.bytes.begin(), Names::kUplinkMac.bytes.end(),
                           answer.begin() + 6));
}

TYPED_TEST(NeighbourTest, AskingAndAnnouncingGoOutAsCommanded) {
    using F = TypeParam;
    using W = World<F>;
    Command command;
    command.kind = CommandKind::kSolicit;
    command.port = this->rig.port(Rig::kUplink);
    command.our_mac = Names::kUplinkMac;
    command.address = ip<F>(W::kStranger);
    command.source = ip<F>(W::kNode);
    this->rig.command(command);
    const Frame asked = this->rig.take_one(Rig::kUplink);
    EXPECT_TRUE((asked[0] & 1) != 0) << "to a group";
    command.mac = this->kStrangerMac;
    this->rig.command(command);
    const Frame probed = this->rig.take_one(Rig::kUplink);
    EXPECT_TRUE(std::equal(this->kStrangerMac.bytes.begin(), this->kStrangerMac.bytes.end(),
                           probed.begin()));
    command.kind = CommandKind::kAnnounce;
    command.address = ip<F>(W::kNode);
    this->rig.command(command);
    EXPECT_EQ(this->rig.take(Rig::kUplink).size(), 1u);
}

TYPED_TEST(NeighbourTest, APodIsAnnouncedToTheOtherPodsInItsName) {
    using F = TypeParam;
    Command command;
    command.kind = CommandKind::kAnnouncePod;
    command.port = this->rig.port(Rig::kPodB);
    command.our_mac = Names::kPodBMac;
    command.address = ip<F>(World<F>::kPodB);
    this->rig.command(command);
    const Frame told = this->rig.take_one(Rig::kPodA);
    EXPECT_TRUE((told[0] & 1) != 0) << "to a group";
    Headers headers;
    ASSERT_EQ(parse_frame(told, static_cast<uint32_t>(told.size()), headers), Drop::kNone);
    if constexpr (std::same_as<F, V4>) {
        ArpMessage message{};
        ASSERT_EQ(parse_arp(told, headers.l3_offset, message), Drop::kNone);
        EXPECT_TRUE(message.is_gratuitous());
        EXPECT_EQ(message.sender, ip<V4>(World<V4>::kPodB));
        EXPECT_EQ(message.sender_mac, Names::kPodBMac);
    } else {
        EXPECT_EQ(headers.icmp_type, kNdNeighbourAdvertisement);
        // RFC 4861 section 4.4: the override flag, then the target and its link-layer address.
        const uint8_t* const icmp = told.data() + headers.l4_offset;
        EXPECT_EQ(icmp[4] & 0x20, 0x20);
        EXPECT_EQ(load<Ipv6Address>(icmp + 8), ip<V6>(World<V6>::kPodB));
        EXPECT_EQ(load<MacAddress>(icmp + 26), Names::kPodBMac);
    }
    for (const auto who : {Rig::kPodB, Rig::kUplink, Rig::kHost}) {
        EXPECT_TRUE(this->rig.take(who).empty());
    }
    EXPECT_EQ(this->rig.all_drops(), 0u);
}

TYPED_TEST(NeighbourTest, APurgedAddressLeavesNoConnection) {
    using F = TypeParam;
    using W = World<F>;
    this->rig.send(Rig::kPodA,
                   udp<F>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 4000, W::kService, 80));
    ASSERT_EQ(this->rig.shared().template flows_of<F>().counters().active, 1u);
    Command command;
    command.kind = CommandKind::kPurge;
    command.address = ip<F>(W::kPodB);
    this->rig.command(command);
    EXPECT_EQ(this->rig.shared().template flows_of<F>().counters().active, 0u);
}

}  // namespace
}  // namespace podlane::dataplane
