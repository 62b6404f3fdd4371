// NetworkPolicies on the packet path: bridged and routed packets, replies, errors, and policies
// that change while connections exist.
#include "dataplane/slowpath/slow_path.h"
#include "tests/unit/dataplane/frames_of.h"

namespace podlane::dataplane {
namespace {

constexpr PolicySetId kFriends{1};

template <class F>
class PolicyTest : public testing::Test {
  protected:
    using Here = World<F>;

    /// A policy with one rule for both directions: TCP and UDP to these ports, with these
    /// addresses.
    static std::shared_ptr<const CompiledPolicy> policy(std::vector<PolicyPortRange> ports) {
        auto made = std::make_shared<CompiledPolicy>();
        made->name = "default/friends";
        CompiledRule rule;
        rule.peers = {kFriends};
        rule.any_port = ports.empty();
        rule.ports = std::move(ports);
        made->ingress = made->egress = {rule};
        return made;
    }
    static std::shared_ptr<const CompiledPolicy> nothing() {
        auto made = std::make_shared<CompiledPolicy>();
        made->name = "default/nothing";
        return made;
    }
    static std::vector<PolicyPortRange> port(uint16_t number) {
        return {{kProtocolTcp, number, number, {}}, {kProtocolUdp, number, number, {}}};
    }
    /// As the compiler does when a permission is taken away.
    void install(Rig::Who who, PodPolicies policies, std::vector<const char*> friends = {}) {
        const PortId id = rig.port(who);
        rig.change([&](Snapshot& next) {
            if (!next.polices(id)) ++next.topology_epoch;
            ++next.isolated_epoch;
            policies.pod = "default/pod";
            next.pod_policies.set(index_of(id),
                                  std::make_shared<const PodPolicies>(std::move(policies)));
            auto set = std::make_shared<std::vector<typename F::Address>>();
            for (const char* text : friends) set->push_back(ip<F>(text));
            std::sort(set->begin(), set->end());
            next.family<F>().policy_sets.pods.set(index_of(kFriends), set);
        });
    }
    static Frame b_to_a(uint16_t port, uint16_t from = 4000) {
        return udp<F>(Names::kPodBMac, Names::kPodAMac, Here::kPodB, from, Here::kPodA, port, 32,
                      1);
    }
    static Frame a_to_b(uint16_t port, uint16_t from = 4000) {
        return udp<F>(Names::kPodAMac, Names::kPodBMac, Here::kPodA, from, Here::kPodB, port, 32,
                      1);
    }
    static Frame tcp_b_to_a(uint8_t flags, uint16_t from = 4000, uint16_t to = 80) {
        return tcp<F>(Names::kPodBMac, Names::kPodAMac, Here::kPodB, from, Here::kPodA, to, flags);
    }
    static Frame tcp_a_to_b(uint8_t flags, uint16_t from = 80, uint16_t to = 4000) {
        return tcp<F>(Names::kPodAMac, Names::kPodBMac, Here::kPodA, from, Here::kPodB, to, flags);
    }
    bool arrives(Rig::Who from, const Frame& frame, Rig::Who to) {
        rig.send(from, frame);
        const auto got = rig.take(to);
        EXPECT_LE(got.size(), 1u);
        return got.size() == 1;
    }
    uint64_t created() { return rig.shared().flows_of<F>().counters().created; }

    Rig rig;
};
using Families = testing::Types<V4, V6>;
TYPED_TEST_SUITE(PolicyTest, Families);

TYPED_TEST(PolicyTest, AnIsolatedPodIsReachedByNobodyAndAnsweredByThoseItAsks) {
    this->install(Rig::kPodA, {"", {this->nothing()}, {}});
    EXPECT_FALSE(this->arrives(Rig::kPodB, this->b_to_a(80), Rig::kPodA));
    EXPECT_EQ(this->rig.drops(Drop::kPolicyIngress), 1u);
    EXPECT_EQ(this->created(), 0u);
    const Frame question = this->a_to_b(80);
    this->rig.send(Rig::kPodA, question);
    EXPECT_EQ(this->rig.take_one(Rig::kPodB), question) << "untouched: its TTL of 1 as well";
    const Frame answer = this->b_to_a(4000, 80);
    this->rig.send(Rig::kPodB, answer);
    EXPECT_EQ(this->rig.take_one(Rig::kPodA), answer);
    EXPECT_EQ(this->created(), 1u);
    EXPECT_FALSE(this->arrives(Rig::kPodB, this->b_to_a(4000, 81), Rig::kPodA));
}

TYPED_TEST(PolicyTest, OnePortForOnePeer) {
    using W = World<TypeParam>;
    this->install(Rig::kPodA, {"", {this->policy(this->port(80))}, {}}, {W::kPodB});
    EXPECT_TRUE(this->arrives(Rig::kPodB, this->b_to_a(80), Rig::kPodA));
    EXPECT_TRUE(this->arrives(Rig::kPodA, this->a_to_b(4000, 80), Rig::kPodB)) << "the answer";
    EXPECT_FALSE(this->arrives(Rig::kPodB, this->b_to_a(81), Rig::kPodA));
    const Frame pinged = ping<TypeParam>(Names::kPodBMac, Names::kPodAMac, W::kPodB, W::kPodA, 7);
    EXPECT_FALSE(this->arrives(Rig::kPodB, pinged, Rig::kPodA)) << "a rule with ports is of ports";
    this->install(Rig::kPodA, {"", {this->policy({})}, {}}, {W::kPodB});
    EXPECT_TRUE(this->arrives(Rig::kPodB, pinged, Rig::kPodA));
    this->install(Rig::kPodA, {"", {this->policy({})}, {}}, {W::kPeer});
    EXPECT_FALSE(this->arrives(Rig::kPodB, this->b_to_a(80), Rig::kPodA)) << "not a peer any more";
}

TYPED_TEST(PolicyTest, WhatAPodMayNotSendIsDroppedWhereverItGoes) {
    using W = World<TypeParam>;
    this->install(Rig::kPodA, {"", {}, {this->policy(this->port(80))}}, {W::kPodB, W::kPeer});
    EXPECT_TRUE(this->arrives(Rig::kPodA, this->a_to_b(80), Rig::kPodB));
    EXPECT_FALSE(this->arrives(Rig::kPodA, this->a_to_b(81), Rig::kPodB));
    const auto routed = [](const char* dst, uint16_t port) {
        return udp<TypeParam>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 4001, dst, port);
    };
    EXPECT_TRUE(this->arrives(Rig::kPodA, routed(W::kPeer, 80), Rig::kUplink));
    EXPECT_FALSE(this->arrives(Rig::kPodA, routed(W::kPeer, 81), Rig::kUplink));
    EXPECT_FALSE(this->arrives(Rig::kPodA, routed(W::kRemotePod, 80), Rig::kUplink));
    EXPECT_FALSE(this->arrives(Rig::kPodA, routed(W::kService, 80), Rig::kPodB))
        << "the endpoint's port is 8080, and that is what counts";
    EXPECT_EQ(this->rig.drops(Drop::kPolicyEgress), 4u);
    EXPECT_TRUE(this->arrives(Rig::kPodA, routed(W::kNode, 81), Rig::kHost)) << "its own node";
    EXPECT_TRUE(this->arrives(Rig::kPodB, this->b_to_a(9), Rig::kPodA)) << "ingress is open";
    EXPECT_TRUE(this->arrives(Rig::kPodA, this->a_to_b(4000, 9), Rig::kPodB)) << "and answered";
}

TYPED_TEST(PolicyTest, TheEndpointBehindAServiceAsksForTheClientsOwnAddress) {
    using W = World<TypeParam>;
    const Frame outside =
        udp<TypeParam>(Names::kPeerMac, Names::kUplinkMac, W::kPeer, 4000, W::kNode, 30080);
    const Frame pods =
        udp<TypeParam>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 4000, W::kService, 80);
    this->install(Rig::kPodB, {"", {this->policy(this->port(8080))}, {}}, {W::kPeer});
    EXPECT_TRUE(this->arrives(Rig::kUplink, outside, Rig::kPodB)) << "though it is masqueraded";
    EXPECT_FALSE(this->arrives(Rig::kPodA, pods, Rig::kPodB));
    this->install(Rig::kPodB, {"", {this->policy(this->port(8080))}, {}}, {W::kPodA});
    EXPECT_FALSE(this->arrives(Rig::kUplink, outside, Rig::kPodB)) << "an old connection, too";
    EXPECT_TRUE(this->arrives(Rig::kPodA, pods, Rig::kPodB));
}

TYPED_TEST(PolicyTest, ThePodsOwnNodeAlwaysReachesIt) {
    using W = World<TypeParam>;
    this->install(Rig::kPodA, {"", {this->nothing()}, {this->nothing()}});
    const Frame probe =
        udp<TypeParam>(Names::kUplinkMac, Names::kGatewayMac, W::kNode, 4000, W::kPodA, 80);
    EXPECT_TRUE(this->arrives(Rig::kHost, probe, Rig::kPodA));
    EXPECT_TRUE(this->arrives(
        Rig::kPodA,
        udp<TypeParam>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 80, W::kNode, 4000),
        Rig::kHost));
    this->rig.change([](Snapshot& next) {
        ++next.topology_epoch;
        ++next.isolated_epoch;
    });
    EXPECT_TRUE(this->arrives(Rig::kHost, probe, Rig::kPodA)) << "also when it is asked again";
    this->rig.send(Rig::kPodA,
                   ping<TypeParam>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, W::kGateway, 7));
    EXPECT_EQ(this->rig.take(Rig::kPodA).size(), 1u) << "the gateway is the node";
}

TYPED_TEST(PolicyTest, ConnectionsStopAndGoOnWithTheNextPacketAfterAChange) {
    using W = World<TypeParam>;
    this->install(Rig::kPodA, {"", {this->policy(this->port(80))}, {}}, {W::kPodB});
    ASSERT_TRUE(this->arrives(Rig::kPodB, this->tcp_b_to_a(kTcpSyn), Rig::kPodA));
    ASSERT_TRUE(this->arrives(Rig::kPodA, this->tcp_a_to_b(kTcpSyn | kTcpAck), Rig::kPodB));
    ASSERT_TRUE(this->arrives(Rig::kPodB, this->tcp_b_to_a(kTcpAck), Rig::kPodA));
    this->install(Rig::kPodA, {"", {this->policy(this->port(80))}, {}}, {});
    for (int i = 0; i < 3; ++i) {
        EXPECT_FALSE(this->arrives(Rig::kPodB, this->tcp_b_to_a(kTcpAck), Rig::kPodA));
        EXPECT_FALSE(this->arrives(Rig::kPodA, this->tcp_a_to_b(kTcpAck), Rig::kPodB))
            << "its answers, though what the pod sends is open";
    }
    EXPECT_EQ(this->rig.drops(Drop::kPolicyIngress), 6u);
    EXPECT_FALSE(this->arrives(Rig::kPodB, this->tcp_b_to_a(kTcpSyn), Rig::kPodA));
    this->install(Rig::kPodA, {"", {this->policy(this->port(80))}, {}}, {W::kPodB});
    EXPECT_TRUE(this->arrives(Rig::kPodB, this->tcp_b_to_a(kTcpAck), Rig::kPodA));
    EXPECT_TRUE(this->arrives(Rig::kPodA, this->tcp_a_to_b(kTcpAck), Rig::kPodB));
    EXPECT_EQ(this->created(), 1u) << "the same connection";
}

TYPED_TEST(PolicyTest, AFlowThatIsOlderThanAnyPolicyIsAskedAboutToo) {
    using W = World<TypeParam>;
    const Frame pods =
        udp<TypeParam>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 4000, W::kService, 80);
    ASSERT_TRUE(this->arrives(Rig::kPodA, pods, Rig::kPodB));
    this->install(Rig::kPodB, {"", {this->nothing()}, {}});
    EXPECT_FALSE(this->arrives(Rig::kPodA, pods, Rig::kPodB));
    EXPECT_FALSE(this->arrives(Rig::kPodB, this->b_to_a(4000, 8080), Rig::kPodA));
    EXPECT_EQ(this->rig.drops(Drop::kPolicyIngress), 2u);
    this->rig.change([this](Snapshot& next) {
        next.pod_policies.set(index_of(this->rig.port(Rig::kPodB)), nullptr);
    });
    EXPECT_TRUE(this->arrives(Rig::kPodA, pods, Rig::kPodB));
}

TYPED_TEST(PolicyTest, AServersLateSegmentsDoNotRenewWhatItsClientMayNotHave) {
    // A connection that was bridged without a flow, before the policy.
    ASSERT_TRUE(this->arrives(Rig::kPodB, this->tcp_b_to_a(kTcpSyn), Rig::kPodA));
    ASSERT_TRUE(this->arrives(Rig::kPodA, this->tcp_a_to_b(kTcpSyn | kTcpAck), Rig::kPodB));
    this->install(Rig::kPodA, {"", {this->nothing()}, {}});
    EXPECT_FALSE(this->arrives(Rig::kPodA, this->tcp_a_to_b(kTcpAck), Rig::kPodB));
    EXPECT_FALSE(this->arrives(Rig::kPodB, this->tcp_b_to_a(kTcpAck), Rig::kPodA));
    // A connection that the isolated pod itself began goes on.
    EXPECT_TRUE(this->arrives(Rig::kPodA, this->tcp_a_to_b(kTcpAck, 5000, 90), Rig::kPodB));
    EXPECT_TRUE(this->arrives(Rig::kPodB, this->tcp_b_to_a(kTcpAck, 90, 5000), Rig::kPodA));
}

TYPED_TEST(PolicyTest, ErrorsAboutAllowedConnectionsPassAndOthersDoNot) {
    using W = World<TypeParam>;
    this->install(Rig::kPodA, {"", {this->nothing()}, {}});
    const Frame question = this->a_to_b(80);
    ASSERT_TRUE(this->arrives(Rig::kPodA, question, Rig::kPodB));
    const auto error = [&](const Frame& about) {
        return icmp_error_about<TypeParam>(about, Names::kPodBMac, Names::kPodAMac, W::kPodB);
    };
    EXPECT_TRUE(this->arrives(Rig::kPodB, error(question), Rig::kPodA));
    EXPECT_FALSE(this->arrives(Rig::kPodB, error(this->a_to_b(99)), Rig::kPodA));
    EXPECT_EQ(this->rig.drops(Drop::kPolicyIngress), 1u);
    const Frame outside = icmp_error_about<TypeParam>(
        udp<TypeParam>(Names::kGatewayMac, Names::kUplinkMac, W::kPodA, 9, W::kPeer, 9),
        Names::kPeerMac, Names::kUplinkMac, W::kPeer);
    EXPECT_FALSE(this->arrives(Rig::kUplink, outside, Rig::kPodA));
    this->install(Rig::kPodA, {"", {this->nothing()}, {this->nothing()}});
    EXPECT_FALSE(this->arrives(Rig::kPodB, error(question), Rig::kPodA))
        << "its connection is not allowed any more";
}

TYPED_TEST(PolicyTest, FloodedFramesAreAskedAboutForEachPod) {
    using W = World<TypeParam>;
    const MacAddress unknown{{2, 9, 9, 9, 9, 9}};
    this->install(Rig::kPodA, {"", {this->policy(this->port(80))}, {}}, {W::kPodB});
    const auto to = [&](const MacAddress& mac, uint16_t port) {
        return udp<TypeParam>(Names::kPodBMac, mac, W::kPodB, 4000, W::kPodA, port);
    };
    EXPECT_FALSE(this->arrives(Rig::kPodB, to(kBroadcastMac, 81), Rig::kPodA));
    EXPECT_TRUE(this->arrives(Rig::kPodB, to(kBroadcastMac, 80), Rig::kPodA));
    EXPECT_FALSE(this->arrives(Rig::kPodB, to(unknown, 81), Rig::kPodA));
    EXPECT_EQ(this->rig.drops(Drop::kPolicyIngress), 2u);
}

TYPED_TEST(PolicyTest, FragmentsGoTheWayOfTheirFirstOne) {
    using W = World<TypeParam>;
    this->install(Rig::kPodA, {"", {this->policy(this->port(80))}, {}}, {W::kPodB});
    const auto piece = [](uint16_t port, uint32_t at, bool more) {
        auto made = test::frame()
                        .eth(Names::kPodBMac, Names::kPodAMac)
                        .ip(W::kPodB, W::kPodA)
                        .ip_id(port)
                        .frag(at, more);
        if (at == 0) {
            made.udp(4000, port).udp_length(72).no_udp_checksum().payload(24);
        } else {
            made.payload(40).protocol(kProtocolUdp);
        }
        return made.build();
    };
    EXPECT_TRUE(this->arrives(Rig::kPodB, piece(80, 0, true), Rig::kPodA));
    EXPECT_TRUE(this->arrives(Rig::kPodB, piece(80, 32, false), Rig::kPodA));
    EXPECT_FALSE(this->arrives(Rig::kPodB, piece(81, 0, true), Rig::kPodA));
    EXPECT_FALSE(this->arrives(Rig::kPodB, piece(81, 32, false), Rig::kPodA));
    EXPECT_EQ(this->rig.drops(Drop::kPolicyIngress), 2u);
}

TYPED_TEST(PolicyTest, NobodyPassesByAnothersAddressOrMac) {
    using W = World<TypeParam>;
    this->install(Rig::kPodA, {"", {this->policy({})}, {}}, {W::kRemotePod, W::kNode});
    for (const char* claimed : {W::kRemotePod, W::kNode, W::kPodA}) {
        EXPECT_FALSE(this->arrives(
            Rig::kPodB,
            udp<TypeParam>(Names::kPodBMac, Names::kPodAMac, claimed, 4000, W::kPodA, 80),
            Rig::kPodA));
        EXPECT_FALSE(this->arrives(
            Rig::kPodB,
            udp<TypeParam>(Names::kPodBMac, Names::kGatewayMac, claimed, 4001, W::kPodA, 80),
            Rig::kPodA));
    }
    EXPECT_EQ(this->rig.drops(Drop::kPolicyIngress), 6u);
    // To an address that the sender may reach, but with the MAC address of the isolated pod.
    EXPECT_FALSE(this->arrives(
        Rig::kPodB,
        udp<TypeParam>(Names::kPodBMac, Names::kPodAMac, W::kPodB, 4000, W::kRemotePod, 80),
        Rig::kPodA));
}

TYPED_TEST(PolicyTest, AFullFlowTableLetsNoIsolatedPacketBy) {
    this->install(Rig::kPodA, {"", {this->nothing()}, {}});
    unsigned passed = 0, sent = 0;
    for (; sent < 1200; ++sent) {
        const auto port = static_cast<uint16_t>(1000 + sent);
        if (!this->arrives(Rig::kPodA, this->a_to_b(80, port), Rig::kPodB)) continue;
        // A connection with a reply is not given up for another.
        EXPECT_TRUE(this->arrives(Rig::kPodB, this->b_to_a(port, 80), Rig::kPodA));
        ++passed;
    }
    EXPECT_LT(passed, sent);
    EXPECT_EQ(sent - passed, this->rig.drops(Drop::kFlowTableFull));
}

class PolicyFramesTest : public PolicyTest<V4> {};

TEST_F(PolicyFramesTest, ArpPassesAndOtherProtocolsDoNot) {
    using W = World<V4>;
    install(Rig::kPodA, {"", {nothing()}, {}});
    const Frame asked = test::frame()
                            .eth(Names::kPodBMac, kBroadcastMac)
                            .arp_request(Names::kPodBMac, ip<V4>(W::kPodB), ip<V4>("10.244.1.99"))
                            .build();
    EXPECT_TRUE(arrives(Rig::kPodB, asked, Rig::kPodA));
    const auto odd = [](const MacAddress& from, const MacAddress& to) {
        return test::frame().eth(from, to).payload(60).ether_type(0x88b5).build();
    };
    EXPECT_FALSE(arrives(Rig::kPodB, odd(Names::kPodBMac, Names::kPodAMac), Rig::kPodA));
    EXPECT_FALSE(arrives(Rig::kPodB, odd(Names::kPodBMac, kBroadcastMac), Rig::kPodA));
    EXPECT_EQ(rig.drops(Drop::kPolicyIngress), 2u);
    EXPECT_TRUE(arrives(Rig::kPodA, odd(Names::kPodAMac, Names::kPodBMac), Rig::kPodB));
    install(Rig::kPodA, {"", {nothing()}, {nothing()}});
    EXPECT_FALSE(arrives(Rig::kPodA, odd(Names::kPodAMac, Names::kPodBMac), Rig::kPodB));
    EXPECT_EQ(rig.drops(Drop::kPolicyEgress), 1u);
}

TEST_F(PolicyFramesTest, PodsOfNoPolicyAreBridgedWithoutBeingUnderstoodAsBefore) {
    using W = World<V4>;
    Frame odd = udp<V4>(Names::kPodBMac, Names::kPodAMac, W::kPodB, 1, W::kPodA, 2);
    odd[16] = 0x7f;
    install(Rig::kPodA, {"", {nothing()}, {}});
    EXPECT_FALSE(arrives(Rig::kPodB, odd, Rig::kPodA)) << "what a policy cannot judge is dropped";
    rig.change(
        [this](Snapshot& next) { next.pod_policies.set(index_of(rig.port(Rig::kPodA)), nullptr); });
    EXPECT_TRUE(arrives(Rig::kPodB, odd, Rig::kPodA));
    EXPECT_EQ(created(), 0u);
}

}  // namespace
}  // namespace podlane::dataplane
