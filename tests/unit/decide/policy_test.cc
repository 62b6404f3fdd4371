// NetworkPolicies on a connection, and where the decision evaluates them.
#include "lib/decide/policy.h"

#include <gmock/gmock.h>

#include "tests/unit/decide/network.h"

namespace podlane::test {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr PortId kPeerPort{3};
constexpr PolicySetId kFriends{5};

template <class F>
class Policies : public ::testing::Test {
  protected:
    Policies() {
        auto views = std::make_shared<PortViews>();
        (*views)[index_of(kPodPort)].kind = PortKind::kPod;
        (*views)[index_of(kPeerPort)].kind = PortKind::kPod;
        (*views)[index_of(kUplink)].kind = PortKind::kUplink;
        (*views)[index_of(kHost)].kind = PortKind::kHost;
        net.snapshot->ports = views;
        net.snapshot->host_port = kHost;
        for (auto& [prefix, route] : net.routes) {
            if (prefix.address == Network<F>::address(Names<F>::kOtherPod)) route.port = kPeerPort;
        }
        net.install_routes();
        befriend({Names<F>::kOtherPod, Names<F>::kRemotePod, Names<F>::kOutside});
    }
    void befriend(std::vector<const char*> friends) {
        auto set = std::make_shared<std::vector<typename F::Address>>();
        for (const char* text : friends) set->push_back(Network<F>::address(text));
        std::sort(set->begin(), set->end());
        net.snapshot->template family<F>().policy_sets.pods.set(index_of(kFriends), set);
    }
    /// Friends may use TCP port 80.
    static std::shared_ptr<const CompiledPolicy> policy(const char* name) {
        auto made = std::make_shared<CompiledPolicy>();
        made->name = name;
        CompiledRule rule;
        rule.peers = {kFriends};
        rule.ports = {{kTcp, 80, 80, {}}};
        made->ingress = made->egress = {rule};
        return made;
    }
    void select(PortId port, bool ingress, bool egress) {
        PodPolicies made{"default/web", {}, {}};
        if (ingress) made.ingress = {policy("default/in"), policy("default/too")};
        if (egress) made.egress = {policy("default/out")};
        net.snapshot->pod_policies.set(index_of(port), std::make_shared<PodPolicies>(made));
    }
    Drop judge(const char* src, const char* dst, uint16_t port, bool late = false,
               uint16_t src_port = 40000) {
        NoTrace none;
        FlowKey<F> key = Network<F>::query(PortKind::kPod, src, dst, port).key;
        key.src_port = be16(src_port);
        auto query = policy_query_of<F>(*net.snapshot, key, PortKind::kPod);
        query.is_late = late;
        return judge_policies(*net.snapshot, query, none);
    }
    PathDecision<F> decide_from_pod(PortId port, const char* src, const char* dst, uint16_t to) {
        auto query = Network<F>::query(PortKind::kPod, src, dst, to);
        query.in_port = port;
        return net.ask(query);
    }

    Network<F> net;
};
using Families = ::testing::Types<V4, V6>;
TYPED_TEST_SUITE(Policies, Families);

TYPED_TEST(Policies, WithoutAnyNobodyIsAsked) {
    using N = Names<TypeParam>;
    EXPECT_EQ(this->judge(N::kOtherPod, N::kPod, 22), Drop::kNone);
    const auto decision = this->decide_from_pod(kPeerPort, N::kOtherPod, N::kPod, 22);
    EXPECT_EQ(decision.verdict, PathVerdict::kForward);
    EXPECT_FALSE(decision.isolated);
    EXPECT_THAT(this->net.steps(), Not(Contains(HasSubstr("policy"))));
}

TYPED_TEST(Policies, BothEndsMustAllowIt) {
    using N = Names<TypeParam>;
    this->select(kPodPort, true, false);
    EXPECT_EQ(this->judge(N::kOtherPod, N::kPod, 80), Drop::kNone);
    EXPECT_EQ(this->judge(N::kOtherPod, N::kPod, 81), Drop::kPolicyIngress);
    EXPECT_EQ(this->judge(N::kNeighbour, N::kPod, 80), Drop::kPolicyIngress);
    EXPECT_EQ(this->judge(N::kPod, N::kOtherPod, 81), Drop::kNone) << "egress is open";
    this->select(kPeerPort, false, true);
    EXPECT_EQ(this->judge(N::kOtherPod, N::kPod, 80), Drop::kPolicyEgress)
        << "the asked pod is no friend of the asking one";
    this->befriend({N::kPod, N::kOtherPod});
    EXPECT_EQ(this->judge(N::kOtherPod, N::kPod, 80), Drop::kNone);
    EXPECT_EQ(this->judge(N::kOtherPod, N::kPod, 81), Drop::kPolicyEgress);
}

TYPED_TEST(Policies, APodReachesItselfAndItsNodeReachesIt) {
    using N = Names<TypeParam>;
    using Net = Network<TypeParam>;
    this->select(kPodPort, true, true);
    EXPECT_EQ(this->judge(N::kPod, N::kPod, 9), Drop::kNone);
    EXPECT_EQ(this->judge(N::kPod, N::kNode, 9), Drop::kNone);
    EXPECT_EQ(this->judge(N::kNode, N::kPod, 9), Drop::kPolicyIngress) << "by its address alone";
    const auto decision = this->net.ask(PortKind::kHost, N::kNode, N::kPod, 9);
    EXPECT_EQ(decision.verdict, PathVerdict::kForward);
    EXPECT_TRUE(decision.isolated);
    EXPECT_THAT(this->net.steps(), Contains(HasSubstr("between a pod and its own node")));
    this->net.serve(
        Net::frontend(FrontendKind::kClusterIp, N::kClusterIp, 8, {Net::endpoint(N::kPod, 9)}));
    EXPECT_EQ(this->decide_from_pod(kPodPort, N::kPod, N::kClusterIp, 8).verdict,
              PathVerdict::kForward)
        << "hairpin";
    EXPECT_THAT(this->net.steps(), Contains(HasSubstr("a pod always reaches itself")));
}

TYPED_TEST(Policies, TheEndpointCountsAndTheClientBeforeMasquerading) {
    using N = Names<TypeParam>;
    using Net = Network<TypeParam>;
    this->select(kPodPort, true, false);
    this->net.serve(
        Net::frontend(FrontendKind::kNodePort, nullptr, 30080, {Net::endpoint(N::kPod, 80)}));
    const auto let_in = this->net.ask(PortKind::kUplink, N::kOutside, N::kNode, 30080);
    EXPECT_EQ(let_in.verdict, PathVerdict::kForward);
    EXPECT_TRUE(let_in.masquerade && let_in.isolated);
    EXPECT_THAT(this->net.steps(), Contains("policy: allowed (ingress of default/web: policy "
                                            "default/in allows it)"));
    const auto refused = this->net.ask(PortKind::kUplink, N::kOtherOutside, N::kNode, 30080);
    EXPECT_EQ(refused.verdict, PathVerdict::kDrop);
    EXPECT_EQ(refused.reason, Drop::kPolicyIngress);
    EXPECT_THAT(this->net.steps(),
                Contains("policy: drop (ingress of default/web: none of its policies allows it: "
                         "default/in, default/too)"));
}

// Anybody on the wire can write a pod's address. Pods behind the tunnel come out of it, and what
// they send to a node itself without it proves nothing.
TYPED_TEST(Policies, APodsAddressFromTheWireIsNobodys) {
    using N = Names<TypeParam>;
    using Net = Network<TypeParam>;
    using Sources = Lpm<TypeParam, NodeNumber>;
    FamilyState<TypeParam>& state = this->net.snapshot->template family<TypeParam>();
    state.tunnel_sources = std::make_shared<const Sources>(
        std::vector{std::pair(Net::prefix(N::kRemoteCidr), NodeNumber{2}),
                    std::pair(Net::host(N::kOutside), NodeNumber{2})});
    state.tunnel_peers = std::make_shared<const Sources>(
        std::vector{std::pair(Net::host(N::kOutside), NodeNumber{2})});
    this->net.serve(
        Net::frontend(FrontendKind::kNodePort, nullptr, 30080, {Net::endpoint(N::kPod, 80)}));
    const auto ask = [&](const char* client, bool overlay) {
        auto query = Net::query(PortKind::kUplink, client, N::kNode, 30080);
        query.overlay = overlay;
        return this->net.ask(query).reason;
    };
    EXPECT_EQ(ask(N::kRemotePod, false), Drop::kNone) << "no policy selects the endpoint";
    this->select(kPodPort, true, false);
    EXPECT_EQ(ask(N::kRemotePod, false), Drop::kPolicyIngress);
    EXPECT_EQ(ask(N::kRemotePod, true), Drop::kNone) << "out of the tunnel it is the pod";
    EXPECT_EQ(ask(N::kOutside, false), Drop::kNone) << "a Node's own address is on the wire";
    // The same once the connection exists.
    const FlowKey<TypeParam> key = Net::query(PortKind::kUplink, N::kRemotePod, N::kPod, 80).key;
    NoTrace none;
    const auto again = [&](PortKind from) {
        return judge_policies(*this->net.snapshot,
                              policy_query_of<TypeParam>(*this->net.snapshot, key, from), none);
    };
    EXPECT_EQ(again(PortKind::kUplink), Drop::kPolicyIngress);
    EXPECT_EQ(again(PortKind::kPod), Drop::kNone);
    // A rule for everybody is for nobodies as well.
    auto open = std::make_shared<CompiledPolicy>(*this->policy("default/open"));
    open->ingress[0].any_peer = true;
    this->net.snapshot->pod_policies.set(
        index_of(kPodPort), std::make_shared<PodPolicies>(PodPolicies{"default/web", {open}, {}}));
    EXPECT_EQ(ask(N::kRemotePod, false), Drop::kNone);
}

TYPED_TEST(Policies, WhatLeavesTheNodeIsAskedAboutBeforeItsNextHopIsResolved) {
    using N = Names<TypeParam>;
    this->select(kPodPort, false, true);
    EXPECT_EQ(this->decide_from_pod(kPodPort, N::kPod, N::kOutside, 80).verdict,
              PathVerdict::kResolve);
    const auto refused = this->decide_from_pod(kPodPort, N::kPod, N::kOtherOutside, 80);
    EXPECT_EQ(refused.reason, Drop::kPolicyEgress);
    EXPECT_EQ(refused.verdict, PathVerdict::kDrop);
}

TYPED_TEST(Policies, ASourceThatIsNotThePodsOwnIsNobody) {
    using N = Names<TypeParam>;
    this->select(kPodPort, true, false);
    for (const char* claimed : {N::kRemotePod, N::kOutside, N::kNoPod, N::kNode}) {
        const auto decision = this->decide_from_pod(kPeerPort, claimed, N::kPod, 80);
        EXPECT_EQ(decision.reason, Drop::kPolicyIngress) << claimed;
    }
    EXPECT_THAT(this->net.steps(), Contains(HasSubstr("not the sending pod's own")));
    this->select(kPeerPort, false, true);
    EXPECT_EQ(this->decide_from_pod(kPeerPort, N::kPod, N::kRemotePod, 80).reason,
              Drop::kPolicyEgress);
}

TYPED_TEST(Policies, ALateAnswerNeedsThatItsClientMayAsk) {
    using N = Names<TypeParam>;
    this->select(kPodPort, true, false);
    this->befriend({N::kRemotePod});
    EXPECT_EQ(this->judge(N::kPod, N::kOtherPod, 40000, true, 80), Drop::kPolicyIngress);
    EXPECT_EQ(this->judge(N::kPod, N::kOtherPod, 40000, false, 80), Drop::kNone);
    EXPECT_EQ(this->judge(N::kPod, N::kRemotePod, 40000, true, 80), Drop::kNone);
    EXPECT_EQ(this->judge(N::kPod, N::kOtherPod, 80, true, 40000), Drop::kNone)
        << "by its ports it is the client's";
}

TYPED_TEST(Policies, PodsAreFoundByTheirAddresses) {
    using N = Names<TypeParam>;
    using Net = Network<TypeParam>;
    const auto port_of = [&](const char* text) {
        return pod_port_of<TypeParam>(*this->net.snapshot, Net::address(text));
    };
    EXPECT_EQ(port_of(N::kPod), kPodPort);
    EXPECT_EQ(port_of(N::kOtherPod), kPeerPort);
    for (const char* text : {N::kRemotePod, N::kNode, N::kNoPod, N::kOutside}) {
        EXPECT_EQ(port_of(text), kNoPort) << text;
    }
}

}  // namespace
}  // namespace podlane::test
