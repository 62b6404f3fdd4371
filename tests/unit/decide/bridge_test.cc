// The bridge's decision by MAC, what is asked of connections that go that way, and the TTL's and
// the tunnel's rule: each with and without a trace.
#include "lib/decide/bridge.h"

#include <gmock/gmock.h>

#include "lib/decide/answer.h"
#include "lib/decide/tunnel.h"
#include "tests/unit/decide/network.h"

namespace podlane::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr MacAddress kPodMac{{2, 0, 0, 0, 0, 0x10}}, kOtherMac{{2, 0, 0, 0, 0, 0x11}},
    kNobody{{2, 0, 0, 0, 0, 0x99}};
constexpr PortId kOtherPort{3};

class BridgeByMac : public ::testing::Test {
  protected:
    /// From the pod's port; both ways of asking must agree.
    BridgeDecision ask(const MacAddress& src, const MacAddress& dst) {
        trace = {};
        NoTrace none;
        const BridgeQuery query{src.as_u64(), dst.as_u64(), kPodPort};
        const BridgeDecision silent = decide_bridge(fdb, kPodMac.as_u64(), query, none);
        const BridgeDecision told = decide_bridge(fdb, kPodMac.as_u64(), query, trace);
        EXPECT_EQ(silent.verdict, told.verdict);
        EXPECT_EQ(silent.reason, told.reason);
        EXPECT_EQ(silent.port, told.port);
        EXPECT_EQ(silent.new_source, told.new_source);
        return told;
    }
    Fdb fdb{{{kPodMac, static_cast<uint16_t>(index_of(kPodPort))},
             {kOtherMac, static_cast<uint16_t>(index_of(kOtherPort))}}};
    StepTrace trace;
};

TEST_F(BridgeByMac, AKnownAddressIsSentToItsPort) {
    const auto decision = ask(kPodMac, kOtherMac);
    EXPECT_EQ(decision.verdict, BridgeVerdict::kSend);
    EXPECT_EQ(decision.port, kOtherPort);
    EXPECT_FALSE(decision.new_source);
    EXPECT_TRUE(trace.steps.empty());
}

TEST_F(BridgeByMac, AnUnknownAddressGoesToAllPorts) {
    EXPECT_EQ(ask(kPodMac, kNobody).verdict, BridgeVerdict::kFlood);
    ASSERT_EQ(trace.steps.size(), 1u);
    EXPECT_EQ(trace.steps[0].what, "to all ports");
}

TEST_F(BridgeByMac, BackToWhereItCameFromIsADrop) {
    const auto decision = ask(kPodMac, kPodMac);
    EXPECT_EQ(decision.verdict, BridgeVerdict::kDrop);
    EXPECT_EQ(decision.reason, Drop::kBridgeSamePort);
}

TEST_F(BridgeByMac, ASourceOfNobodyIsNewAndOneOfAnotherPortIsADrop) {
    const auto stranger = ask(kNobody, kOtherMac);
    EXPECT_EQ(stranger.verdict, BridgeVerdict::kSend);
    EXPECT_EQ(stranger.port, kOtherPort);
    EXPECT_TRUE(stranger.new_source);
    const auto thief = ask(kOtherMac, kNobody);
    EXPECT_EQ(thief.verdict, BridgeVerdict::kDrop);
    EXPECT_EQ(thief.reason, Drop::kMacSpoofed);
}

template <class F>
class Bridged : public ::testing::Test {
  protected:
    using N = Names<F>;
    Bridged() {
        auto views = std::make_shared<PortViews>();
        (*views)[index_of(kPodPort)].kind = PortKind::kPod;
        (*views)[index_of(kOtherPort)].kind = PortKind::kPod;
        (*views)[index_of(kUplink)].kind = PortKind::kUplink;
        (*views)[index_of(kHost)].kind = PortKind::kHost;
        (*views)[index_of(kPodPort)].mac = MacAddress{{2, 0, 0, 0, 0, 1}};
        net.snapshot->ports = views;
        net.snapshot->host_port = kHost;
        for (auto& [prefix, route] : net.routes) {
            if (prefix.address == Network<F>::address(N::kOtherPod)) route.port = kOtherPort;
        }
        net.install_routes();
        Adjacency other{};
        other.kind = AdjacencyKind::kEthernet;
        other.port = kOtherPort;
        other.dst = kOtherMac;
        net.snapshot->adjacencies.set(index_of(kToOtherPod), other);
    }
    PathDecision<F> ask(const char* dst) {
        auto query = net.query(PortKind::kPod, N::kPod, dst, 80);
        query.in_port = kPodPort;
        NoTrace none;
        trace = {};
        const auto silent = decide_bridged(*net.snapshot, query, kOtherPort, none);
        const auto told = decide_bridged(*net.snapshot, query, kOtherPort, trace);
        EXPECT_EQ(silent.verdict, told.verdict);
        EXPECT_EQ(silent.reason, told.reason);
        EXPECT_EQ(silent.makes_flow, told.makes_flow);
        return told;
    }
    /// Lets no pod reach the other pod.
    void shut(PortId port) {
        auto policy = std::make_shared<CompiledPolicy>();
        policy->name = "default/shut";
        PodPolicies made{"default/other", {}, {}};
        made.ingress = made.egress = {policy};
        net.snapshot->pod_policies.set(index_of(port), std::make_shared<PodPolicies>(made));
    }
    Network<F> net;
    StepTrace trace;
};
using Families = ::testing::Types<V4, V6>;
TYPED_TEST_SUITE(Bridged, Families);

TYPED_TEST(Bridged, AConnectionToThePodsOwnAddressMakesAFlowAndLosesNoTtl) {
    const auto decision = this->ask(Names<TypeParam>::kOtherPod);
    EXPECT_EQ(decision.verdict, PathVerdict::kForward);
    EXPECT_EQ(decision.adjacency, kToOtherPod);
    EXPECT_EQ(decision.port, kOtherPort);
    EXPECT_TRUE(decision.makes_flow);
    EXPECT_FALSE(decision.forwarded || decision.translated || decision.isolated);
}

TYPED_TEST(Bridged, AnAddressThatThePodGaveItselfGoesAsAFrame) {
    EXPECT_FALSE(this->ask(Names<TypeParam>::kNoPod).makes_flow);
    this->shut(kOtherPort);
    this->net.snapshot->pod_policies.set(index_of(kPodPort), nullptr);
    const auto decision = this->ask(Names<TypeParam>::kNoPod);
    EXPECT_EQ(decision.verdict, PathVerdict::kDrop);
    EXPECT_EQ(decision.reason, Drop::kPolicyIngress);
}

TYPED_TEST(Bridged, PoliciesAreAskedForThePortNotForTheAddress) {
    this->shut(kOtherPort);
    const auto decision = this->ask(Names<TypeParam>::kOtherPod);
    EXPECT_EQ(decision.verdict, PathVerdict::kDrop);
    EXPECT_EQ(decision.reason, Drop::kPolicyIngress);
    ASSERT_FALSE(this->trace.steps.empty());
    EXPECT_THAT(this->trace.steps.back().why, HasSubstr("default/shut"));
    // Not even for the node's own address, which a frame to another pod's MAC may well have.
    this->net.snapshot->pod_policies.set(index_of(kOtherPort), nullptr);
    this->shut(kPodPort);
    EXPECT_EQ(this->ask(Names<TypeParam>::kNode).reason, Drop::kPolicyEgress);
}

TYPED_TEST(Bridged, APodIsToldItsNeighboursMacAndForOthersTheRouters) {
    using Net = Network<TypeParam>;
    using Of = Names<TypeParam>;
    const auto mac = [&](const char* target) {
        return answer_for<TypeParam>(*this->net.snapshot, kPodPort, Net::address(target));
    };
    EXPECT_EQ(mac(Of::kOtherPod), kOtherMac);
    EXPECT_EQ(mac(Of::kGateway), (MacAddress{{2, 0, 0, 0, 0, 1}}));
    EXPECT_EQ(mac(Of::kNoPod), std::nullopt);
}

TYPED_TEST(Bridged, AForwardedPacketEndsWithItsTtlAndTheNodesOwnDoesNot) {
    using Of = Names<TypeParam>;
    const auto ask = [&](PortKind from, const char* dst, uint8_t ttl) {
        auto query = this->net.query(from, Of::kPod, dst, 80);
        query.ttl = ttl;
        return this->net.ask(query);
    };
    for (const char* dst : {Of::kOtherPod, Of::kRemotePod, Of::kNeighbour}) {
        EXPECT_EQ(ask(PortKind::kPod, dst, 1).verdict, PathVerdict::kExpired) << dst;
        EXPECT_EQ(ask(PortKind::kPod, dst, 0).reason, Drop::kIpTtlExpired) << dst;
        EXPECT_TRUE(ask(PortKind::kPod, dst, 2).forwarded) << dst;
        EXPECT_NE(ask(PortKind::kPod, dst, 2).verdict, PathVerdict::kExpired) << dst;
        EXPECT_FALSE(ask(PortKind::kHost, dst, 1).forwarded) << dst;
    }
    const auto to_node = ask(PortKind::kPod, Of::kNode, 1);
    EXPECT_EQ(to_node.verdict, PathVerdict::kForward);
    EXPECT_FALSE(to_node.forwarded);
    EXPECT_EQ(ask(PortKind::kPod, Of::kGateway, 1).verdict, PathVerdict::kLocal);
    (void)ask(PortKind::kPod, Of::kRemotePod, 1);
    EXPECT_THAT(this->net.steps().back(), HasSubstr("ttl: reject (it came in with 1"));
    static_assert(ttl_ends(true, 1) && !ttl_ends(true, 2) && !ttl_ends(false, 0));
}

TYPED_TEST(Bridged, APacketForOurTunnelIsNeverRouted) {
    using Of = Names<TypeParam>;
    Snapshot& snapshot = *this->net.snapshot;
    snapshot.overlay.port = be16(8472);
    auto& state = snapshot.template family<TypeParam>();
    state.has_vtep = true;
    state.vtep = Network<TypeParam>::address(Of::kNode);
    const auto reason = [&](PortKind from, uint16_t port, uint8_t protocol) {
        return this->net.ask(from, Of::kNeighbour, Of::kNode, port, protocol).reason;
    };
    EXPECT_EQ(reason(PortKind::kUplink, 8472, kUdp), Drop::kNone) << "no overlay";
    EXPECT_FALSE(tunnel_end(snapshot).template is_at<TypeParam>(state.vtep));
    snapshot.overlay.enabled = true;
    EXPECT_EQ(reason(PortKind::kUplink, 8472, kUdp), Drop::kTunnelFragment);
    EXPECT_THAT(this->net.steps(), ElementsAre(HasSubstr("decap: the frame inside goes on")));
    EXPECT_EQ(reason(PortKind::kUplink, 8473, kUdp), Drop::kNone);
    EXPECT_EQ(reason(PortKind::kUplink, 8472, kTcp), Drop::kNone);
    EXPECT_EQ(reason(PortKind::kPod, 8472, kUdp), Drop::kTunnelPortForbidden)
        << "a pod is at no tunnel, and would be believed as the node";
    EXPECT_EQ(reason(PortKind::kPod, 8473, kUdp), Drop::kNone);
}

}  // namespace
}  // namespace podlane::test
