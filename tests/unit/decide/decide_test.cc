#include "lib/decide/decide.h"

#include <gmock/gmock.h>

#include "tests/unit/decide/network.h"

namespace podlane::test {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

template <class F>
class Decide : public ::testing::Test {
  protected:
    static std::string text(const typename F::Address& address) {
        return to_string(IpAddress(address));
    }
    Network<F> net_;
};
using Families = ::testing::Types<V4, V6>;
TYPED_TEST_SUITE(Decide, Families);

// Routes ------------------------------------------------------------------------------------------

TYPED_TEST(Decide, APodReachesAPodOfThisNodeUntranslated) {
    using N = Names<TypeParam>;
    const auto decision = this->net_.ask(PortKind::kPod, N::kPod, N::kOtherPod, 80);
    EXPECT_EQ(decision.verdict, PathVerdict::kForward);
    EXPECT_EQ(decision.adjacency, kToOtherPod);
    EXPECT_EQ(decision.reply_adjacency, kToPod);
    EXPECT_EQ(decision.port, PortId{3});
    EXPECT_FALSE(decision.translated || decision.masquerade);
    EXPECT_EQ(decision.to, this->net_.query(PortKind::kPod, N::kPod, N::kOtherPod, 80).key);
}

TYPED_TEST(Decide, APodReachesAnotherNodesPodWithItsOwnAddress) {
    using N = Names<TypeParam>;
    const auto decision = this->net_.ask(PortKind::kPod, N::kPod, N::kRemotePod, 80);
    EXPECT_EQ(decision.verdict, PathVerdict::kForward);
    EXPECT_EQ(decision.adjacency, kToRemote);
    EXPECT_FALSE(decision.masquerade);
    EXPECT_THAT(this->net_.steps(),
                ElementsAre("service: none (the destination is no Service's)",
                            "route: forward (" + std::string(N::kRemotePod) + " is in " +
                                N::kRemoteCidr + " (adjacency, node b))"));
}

TYPED_TEST(Decide, TheNodesAddressLeadsToItsKernelIfThereIsAHostInterface) {
    using N = Names<TypeParam>;
    const auto decision = this->net_.ask(PortKind::kPod, N::kPod, N::kNode, 22);
    EXPECT_EQ(decision.verdict, PathVerdict::kForward);
    EXPECT_EQ(decision.adjacency, kToHost);
    EXPECT_EQ(decision.port, kHost);
    EXPECT_FALSE(decision.masquerade);

    this->net_.routes.back().second.adjacency = kNoAdjacency;
    this->net_.install_routes();
    const auto absent = this->net_.ask(PortKind::kPod, N::kPod, N::kNode, 22);
    EXPECT_EQ(absent.verdict, PathVerdict::kDrop);
    EXPECT_EQ(absent.reason, Drop::kHostAbsent);
}

TYPED_TEST(Decide, AnUnknownNeighbourIsAskedForItself) {
    using N = Names<TypeParam>;
    const auto decision = this->net_.ask(PortKind::kHost, N::kNode, N::kNeighbour, 80);
    EXPECT_EQ(decision.verdict, PathVerdict::kResolve);
    EXPECT_EQ(decision.port, kUplink);
    EXPECT_EQ(this->text(decision.next_hop), N::kNeighbour);
    EXPECT_EQ(decision.adjacency, kNoAdjacency);
}

TYPED_TEST(Decide, OutsideIsReachedByAskingForTheGateway) {
    using N = Names<TypeParam>;
    const auto decision = this->net_.ask(PortKind::kHost, N::kNode, N::kOutside, 80);
    EXPECT_EQ(decision.verdict, PathVerdict::kResolve);
    EXPECT_EQ(this->text(decision.next_hop), N::kDefaultGateway);
    EXPECT_FALSE(decision.masquerade) << "the node's own traffic has the node's address";
}

TYPED_TEST(Decide, ThePodGatewayAnswersItself) {
    using N = Names<TypeParam>;
    const auto decision = this->net_.ask(PortKind::kPod, N::kPod, N::kGateway, 0, kIcmp);
    EXPECT_EQ(decision.verdict, PathVerdict::kLocal);
    EXPECT_EQ(decision.reason, Drop::kGatewayUnhandled);
}

TYPED_TEST(Decide, AnAddressOfNoPodIsUnreachable) {
    using N = Names<TypeParam>;
    const auto decision = this->net_.ask(PortKind::kPod, N::kPod, N::kNoPod, 80);
    EXPECT_EQ(decision.verdict, PathVerdict::kNoRoute);
    EXPECT_EQ(decision.reason, Drop::kNoRoute);
}

TYPED_TEST(Decide, WithoutAnyRouteThereIsNoRoute) {
    using N = Names<TypeParam>;
    this->net_.routes.clear();
    this->net_.install_routes();
    const auto decision = this->net_.ask(PortKind::kHost, N::kNode, N::kOutside, 80);
    EXPECT_EQ(decision.verdict, PathVerdict::kNoRoute);
    EXPECT_THAT(this->net_.steps(), Contains(HasSubstr("no route to " + std::string(N::kOutside))));
}

TYPED_TEST(Decide, AnAddressOfTheServiceCidrThatNoServiceHasIsDropped) {
    using N = Names<TypeParam>;
    const auto decision = this->net_.ask(PortKind::kPod, N::kPod, N::kUnallocated, 80);
    EXPECT_EQ(decision.verdict, PathVerdict::kDrop);
    EXPECT_EQ(decision.reason, Drop::kServiceUnallocated);
}

TYPED_TEST(Decide, AddressesThatNoRouterForwardsAreDropped) {
    using N = Names<TypeParam>;
    const auto reason = [&](const char* src, const char* dst) {
        const auto decision = this->net_.ask(PortKind::kPod, src, dst, 80);
        EXPECT_EQ(decision.verdict, PathVerdict::kDrop) << src << " to " << dst;
        return decision.reason;
    };
    EXPECT_EQ(reason(N::kPod, N::kMulticast), Drop::kMulticastUnrouted);
    EXPECT_EQ(reason(N::kPod, N::kLoopback), Drop::kIpBadAddress);
    EXPECT_EQ(reason(N::kPod, N::kZero), Drop::kIpBadAddress);
    EXPECT_EQ(reason(N::kZero, N::kOtherPod), Drop::kIpBadAddress);
    EXPECT_EQ(reason(N::kPod, N::kNeverForwarded), Drop::kIpBadAddress);
    EXPECT_EQ(reason(N::kNeverForwarded, N::kOtherPod), Drop::kIpBadAddress);
}

// Services ----------------------------------------------------------------------------------------

TYPED_TEST(Decide, AClusterIpIsTranslatedToItsEndpoint) {
    using N = Names<TypeParam>;
    auto& net = this->net_;
    net.serve(net.frontend(FrontendKind::kClusterIp, N::kClusterIp, 80,
                           {net.endpoint(N::kRemotePod, 8080)}));
    const auto decision = net.ask(PortKind::kPod, N::kPod, N::kClusterIp, 80);
    EXPECT_EQ(decision.verdict, PathVerdict::kForward);
    EXPECT_EQ(decision.adjacency, kToRemote);
    EXPECT_EQ(this->text(decision.to.dst), N::kRemotePod);
    EXPECT_EQ(decision.to.dst_port.host(), 8080);
    EXPECT_EQ(this->text(decision.to.src), N::kPod);
    EXPECT_TRUE(decision.translated);
    EXPECT_FALSE(decision.masquerade);
    EXPECT_EQ(decision.service, ServiceId{7});
    EXPECT_THAT(
        net.steps(),
        Contains("service: to endpoint " + to_string(IpAddress(net.address(N::kRemotePod)), 8080) +
                 " (ClusterIP of Service default/web:http, its only endpoint)"));
}

TYPED_TEST(Decide, TheServicesEpochComesWithTheDecision) {
    using N = Names<TypeParam>;
    auto& net = this->net_;
    net.serve(net.frontend(FrontendKind::kClusterIp, N::kClusterIp, 80,
                           {net.endpoint(N::kRemotePod, 8080)}));
    net.snapshot->service_epochs.set(7, 42);
    EXPECT_EQ(net.ask(PortKind::kPod, N::kPod, N::kClusterIp, 80).service_epoch, 42u);
}

TYPED_TEST(Decide, AConnectionGetsOneEndpointAndManyGetThemAll) {
    using N = Names<TypeParam>;
    auto& net = this->net_;
    net.serve(net.frontend(FrontendKind::kClusterIp, N::kClusterIp, 80,
                           {net.endpoint(N::kRemotePod, 8080), net.endpoint(N::kOtherPod, 8080)}));
    std::map<std::string, int> chosen;
    for (uint16_t port = 1000; port < 2000; ++port) {
        auto query = net.query(PortKind::kPod, N::kPod, N::kClusterIp, 80);
        query.key.src_port = be16(port);
        query.hash = service_hash(query.key);
        NoTrace none;
        const auto first = decide<TypeParam>(*net.snapshot, query, none);
        const auto again = decide<TypeParam>(*net.snapshot, query, none);
        EXPECT_EQ(first.to, again.to);
        ++chosen[this->text(first.to.dst)];
    }
    EXPECT_GT(chosen[N::kRemotePod], 400);
    EXPECT_GT(chosen[N::kOtherPod], 400);
}

TYPED_TEST(Decide, AServiceWithoutEndpointsRejects) {
    using N = Names<TypeParam>;
    auto& net = this->net_;
    net.serve(net.frontend(FrontendKind::kClusterIp, N::kClusterIp, 80, {}));
    const auto decision = net.ask(PortKind::kPod, N::kPod, N::kClusterIp, 80);
    EXPECT_EQ(decision.verdict, PathVerdict::kReject);
    EXPECT_EQ(decision.reason, Drop::kServiceNoEndpoints);
    EXPECT_THAT(net.steps(),
                ElementsAre("service: reject (Service default/web has no endpoint for this "
                            "traffic)"));
}

TYPED_TEST(Decide, AnUndefinedPortOrProtocolOfAClusterIpIsRejected) {
    using N = Names<TypeParam>;
    auto& net = this->net_;
    net.serve(net.frontend(FrontendKind::kClusterIp, N::kClusterIp, 80,
                           {net.endpoint(N::kRemotePod, 8080)}));
    for (const auto& [port, protocol] :
         {std::pair{81, kTcp}, std::pair{80, kUdp}, std::pair{80, kSctp}, std::pair{0, kIcmp}}) {
        const auto decision =
            net.ask(PortKind::kPod, N::kPod, N::kClusterIp, static_cast<uint16_t>(port), protocol);
        EXPECT_EQ(decision.verdict, PathVerdict::kReject) << port << "/" << int{protocol};
        EXPECT_EQ(decision.reason, Drop::kServiceUndefinedPort);
    }
    EXPECT_THAT(net.steps(), ElementsAre(HasSubstr("belongs to a Service that has no such port")));
}

TYPED_TEST(Decide, ANodePortOnThisNodeIsTheServicesAndTheNodesOtherPortsAreNot) {
    using N = Names<TypeParam>;
    auto& net = this->net_;
    net.serve(
        net.frontend(FrontendKind::kNodePort, nullptr, 30080, {net.endpoint(N::kOtherPod, 8080)}));
    const auto decision = net.ask(PortKind::kUplink, N::kOutside, N::kNode, 30080);
    EXPECT_EQ(decision.verdict, PathVerdict::kForward);
    EXPECT_EQ(this->text(decision.to.dst), N::kOtherPod);
    EXPECT_TRUE(decision.masquerade);
    EXPECT_EQ(this->text(decision.to.src), N::kGateway) << "towards pods: the gateway's address";
    EXPECT_THAT(net.steps(), Contains(HasSubstr("(externalTrafficPolicy Cluster)")));
    EXPECT_EQ(net.ask(PortKind::kUplink, N::kOutside, N::kNode, 22).adjacency, kToHost);
    EXPECT_EQ(net.ask(PortKind::kUplink, N::kOutside, N::kNeighbour, 30080).translated, false)
        << "another node's NodePort is its own";
}

TYPED_TEST(Decide, ANodePortIsServedAtTheAddressesThatAreForItAndAHostPortAtAll) {
    using N = Names<TypeParam>;
    auto& net = this->net_;
    auto& state = net.snapshot->template family<TypeParam>();
    state.node_addresses.push_back(net.address(N::kVip));
    net.serve(
        net.frontend(FrontendKind::kNodePort, nullptr, 30080, {net.endpoint(N::kOtherPod, 8080)}));
    auto host_port =
        net.frontend(FrontendKind::kHostPort, N::kZero, 8080, {net.endpoint(N::kOtherPod, 8080)});
    host_port.any_address = true;
    net.serve(host_port);
    EXPECT_TRUE(net.ask(PortKind::kUplink, N::kOutside, N::kNode, 30080).translated);
    EXPECT_FALSE(net.ask(PortKind::kUplink, N::kOutside, N::kVip, 30080).translated);
    EXPECT_TRUE(net.ask(PortKind::kUplink, N::kOutside, N::kVip, 8080).translated);
}

TYPED_TEST(Decide, PodsAndTheKernelKeepTheirSourceAtANodePort) {
    using N = Names<TypeParam>;
    auto& net = this->net_;
    net.serve(
        net.frontend(FrontendKind::kNodePort, nullptr, 30080, {net.endpoint(N::kRemotePod, 8080)}));
    EXPECT_FALSE(net.ask(PortKind::kPod, N::kPod, N::kNode, 30080).masquerade);
    EXPECT_FALSE(net.ask(PortKind::kHost, N::kNode, N::kNode, 30080).masquerade);
}

TYPED_TEST(Decide, PolicyLocalKeepsTheSourceAndDropsWithoutALocalEndpoint) {
    using N = Names<TypeParam>;
    auto& net = this->net_;
    auto frontend =
        net.frontend(FrontendKind::kNodePort, nullptr, 30080, {net.endpoint(N::kRemotePod, 8080)});
    frontend.masquerade_outside = false;
    frontend.drop_when_empty = true;
    frontend.outside = net.set({});
    net.serve(frontend);
    const auto dropped = net.ask(PortKind::kUplink, N::kOutside, N::kNode, 30080);
    EXPECT_EQ(dropped.verdict, PathVerdict::kDrop);
    EXPECT_EQ(dropped.reason, Drop::kServiceNoLocalEndpoints);
    EXPECT_EQ(net.ask(PortKind::kPod, N::kPod, N::kNode, 30080).verdict, PathVerdict::kForward)
        << "this node's pods get the cluster's endpoints";

    frontend.outside = net.set({net.endpoint(N::kOtherPod, 8080)});
    net.serve(frontend);
    const auto kept = net.ask(PortKind::kUplink, N::kOutside, N::kNode, 30080);
    EXPECT_EQ(kept.verdict, PathVerdict::kForward);
    EXPECT_FALSE(kept.masquerade);
    EXPECT_EQ(this->text(kept.to.src), N::kOutside);
}

TYPED_TEST(Decide, WhatComesOutOfTheTunnelIsFromElsewhere) {
    using N = Names<TypeParam>;
    auto& net = this->net_;
    auto frontend =
        net.frontend(FrontendKind::kNodePort, nullptr, 30080, {net.endpoint(N::kRemotePod, 8080)});
    frontend.outside = net.set({net.endpoint(N::kOtherPod, 8080)});
    net.serve(frontend);
    auto query = net.query(PortKind::kUplink, N::kRemotePod, N::kNode, 30080);
    query.overlay = true;
    EXPECT_EQ(this->text(net.ask(query).to.dst), N::kOtherPod);
}

TYPED_TEST(Decide, SourceRangesKeepOthersFromALoadBalancer) {
    using N = Names<TypeParam>;
    auto& net = this->net_;
    auto frontend =
        net.frontend(FrontendKind::kLoadBalancer, N::kVip, 80, {net.endpoint(N::kOtherPod, 8080)});
    frontend.source_ranges = std::make_shared<const std::vector<Prefix<TypeParam>>>(
        std::vector<Prefix<TypeParam>>{net.prefix(N::kOutsideRange)});
    net.serve(frontend);
    EXPECT_EQ(net.ask(PortKind::kUplink, N::kOutside, N::kVip, 80).verdict, PathVerdict::kForward);
    const auto refused = net.ask(PortKind::kUplink, N::kOtherOutside, N::kVip, 80);
    EXPECT_EQ(refused.verdict, PathVerdict::kDrop);
    EXPECT_EQ(refused.reason, Drop::kServiceSourceRange);
    EXPECT_THAT(net.steps(), ElementsAre(HasSubstr("outside loadBalancerSourceRanges")));
    EXPECT_EQ(net.ask(PortKind::kPod, N::kPod, N::kVip, 80).reason, Drop::kServiceSourceRange);
    EXPECT_EQ(net.ask(PortKind::kHost, N::kNode, N::kVip, 80).reason, Drop::kServiceSourceRange);
}

TYPED_TEST(Decide, PortlessProtocolsBelongToNoService) {
    using N = Names<TypeParam>;
    auto& net = this->net_;
    net.serve(
        net.frontend(FrontendKind::kNodePort, nullptr, 30080, {net.endpoint(N::kOtherPod, 8080)}));
    EXPECT_FALSE(net.ask(PortKind::kUplink, N::kOutside, N::kNode, 30080, kIcmp).translated);
}

// Masquerade --------------------------------------------------------------------------------------

TYPED_TEST(Decide, AHairpinIsMasqueradedToTheGateway) {
    using N = Names<TypeParam>;
    auto& net = this->net_;
    net.serve(
        net.frontend(FrontendKind::kClusterIp, N::kClusterIp, 80, {net.endpoint(N::kPod, 8080)}));
    const auto decision = net.ask(PortKind::kPod, N::kPod, N::kClusterIp, 80);
    EXPECT_EQ(decision.verdict, PathVerdict::kForward);
    EXPECT_EQ(decision.adjacency, kToPod);
    EXPECT_TRUE(decision.masquerade);
    EXPECT_EQ(this->text(decision.to.src), N::kGateway);
    EXPECT_THAT(net.steps(), Contains("masquerade: source becomes " + std::string(N::kGateway) +
                                      " (hairpin: the pod is its own endpoint)"));
}

TYPED_TEST(Decide, APodsTrafficThatLeavesTheClusterTakesTheNodesAddress) {
    using N = Names<TypeParam>;
    auto& net = this->net_;
    for (const char* outside : {N::kOutside, N::kNeighbour}) {
        const auto decision = net.ask(PortKind::kPod, N::kPod, outside, 443);
        EXPECT_TRUE(decision.masquerade) << outside;
        EXPECT_EQ(this->text(decision.to.src), N::kNode);
        EXPECT_EQ(decision.reply_adjacency, kToPod);
    }
    EXPECT_THAT(net.steps(), Contains(HasSubstr("a pod's traffic leaves the cluster")));
    EXPECT_FALSE(net.ask(PortKind::kPod, N::kOutside, N::kOtherOutside, 443).masquerade)
        << "what is no pod's address is not ours to hide";
}

TYPED_TEST(Decide, AServiceWhoseEndpointIsOutsideIsMasqueradedToo) {
    using N = Names<TypeParam>;
    auto& net = this->net_;
    net.serve(net.frontend(FrontendKind::kClusterIp, N::kClusterIp, 80,
                           {net.endpoint(N::kOutside, 443)}));
    EXPECT_TRUE(net.ask(PortKind::kPod, N::kPod, N::kClusterIp, 80).masquerade);
}

TYPED_TEST(Decide, AClientOutsideTheClusterThatUsesAClusterIpIsMasqueraded) {
    using N = Names<TypeParam>;
    auto& net = this->net_;
    net.serve(net.frontend(FrontendKind::kClusterIp, N::kClusterIp, 80,
                           {net.endpoint(N::kOtherPod, 8080)}));
    EXPECT_TRUE(net.ask(PortKind::kUplink, N::kOutside, N::kClusterIp, 80).masquerade);
    EXPECT_FALSE(net.ask(PortKind::kUplink, N::kRemotePod, N::kClusterIp, 80).masquerade);
    EXPECT_TRUE(net.ask(PortKind::kUplink, N::kNode, N::kClusterIp, 80).masquerade)
        << "a node is no pod: the endpoint would answer it directly";
}

TYPED_TEST(Decide, AnEndpointThatIsThisNodeKnowsItsClientAndItselfByTheGateway) {
    using N = Names<TypeParam>;
    auto& net = this->net_;
    net.serve(
        net.frontend(FrontendKind::kClusterIp, N::kClusterIp, 443, {net.endpoint(N::kNode, 6443)}));
    net.serve(
        net.frontend(FrontendKind::kNodePort, nullptr, 30443, {net.endpoint(N::kNode, 6443)}));
    const auto from_outside = net.ask(PortKind::kUplink, N::kOutside, N::kNode, 30443);
    EXPECT_EQ(from_outside.adjacency, kToHost);
    EXPECT_FALSE(from_outside.masquerade) << "it would come from the kernel's own address";
    EXPECT_FALSE(net.ask(PortKind::kPod, N::kPod, N::kClusterIp, 443).masquerade);
    const auto from_itself = net.ask(PortKind::kHost, N::kNode, N::kClusterIp, 443);
    EXPECT_EQ(from_itself.adjacency, kToHost);
    EXPECT_EQ(this->text(from_itself.to.src), N::kGateway);
    EXPECT_THAT(net.steps(), Contains(HasSubstr("(hairpin: the node is its own endpoint)")));
}

TYPED_TEST(Decide, WithoutAnAddressToMasqueradeToThePacketIsDropped) {
    using N = Names<TypeParam>;
    auto& state = this->net_.snapshot->template family<TypeParam>();
    state.has_uplink_source = false;
    const auto by_gateway = this->net_.ask(PortKind::kPod, N::kPod, N::kOutside, 443);
    EXPECT_EQ(this->text(by_gateway.to.src), N::kGateway);
    state.gateways.clear();
    const auto decision = this->net_.ask(PortKind::kPod, N::kPod, N::kOutside, 443);
    EXPECT_EQ(decision.verdict, PathVerdict::kDrop);
    EXPECT_EQ(decision.reason, Drop::kNoSnatAddress);
}

// Helpers -----------------------------------------------------------------------------------------

TYPED_TEST(Decide, TheAdjacencyTowardsIsNoneWhereOneMustAskFirst) {
    using N = Names<TypeParam>;
    const auto towards = [&](const char* text) {
        return adjacency_towards<TypeParam>(*this->net_.snapshot, this->net_.address(text));
    };
    EXPECT_EQ(towards(N::kPod), kToPod);
    EXPECT_EQ(towards(N::kNode), kToHost);
    EXPECT_EQ(towards(N::kOutside), kNoAdjacency);
    EXPECT_EQ(towards(N::kNeighbour), kNoAdjacency);
    EXPECT_EQ(towards(N::kNoPod), kNoAdjacency);
}

TYPED_TEST(Decide, AFlowMayKeepAnEndpointThatServesAnybody) {
    using N = Names<TypeParam>;
    auto& net = this->net_;
    auto frontend =
        net.frontend(FrontendKind::kNodePort, nullptr, 30080, {net.endpoint(N::kRemotePod, 8080)});
    frontend.outside = net.set({net.endpoint(N::kOtherPod, 8080)});
    net.serve(frontend);
    const auto key = net.query(PortKind::kUplink, N::kOutside, N::kNode, 30080).key;
    const auto keeper = [&](const char* text, uint16_t port = 30080,
                            ServiceId service = ServiceId{77}) {
        auto place = key;
        place.dst_port = be16(port);
        return service_that_keeps<TypeParam>(*net.snapshot, place, service,
                                             net.endpoint(text, 8080));
    };
    EXPECT_EQ(keeper(N::kRemotePod), frontend.service);
    EXPECT_EQ(keeper(N::kOtherPod), frontend.service);
    EXPECT_EQ(keeper(N::kPod), std::nullopt);
    // It is terminating, and new flows go elsewhere.
    frontend.serving = std::make_shared<const std::vector<Endpoint<TypeParam>>>(
        std::vector{net.endpoint(N::kPod, 8080)});
    net.serve(frontend);
    EXPECT_EQ(keeper(N::kPod), frontend.service);
    // Where there is no Service (any more), only flows that never belonged to one go on.
    EXPECT_EQ(keeper(N::kOtherPod, 30081), std::nullopt);
    EXPECT_EQ(keeper(N::kOtherPod, 30081, kNoService), kNoService);
    EXPECT_EQ(keeper(N::kOutside, 30080, kNoService), std::nullopt);
}

TEST(ServiceHash, IsTheSameEverywhereAndForever) {
    const FlowKey<V4> key{parse_ip("10.244.1.10")->as<V4>(),
                          parse_ip("10.96.0.10")->as<V4>(),
                          be16(40000),
                          be16(80),
                          kTcp,
                          0,
                          0};
    EXPECT_EQ(service_hash(key), service_hash(key));
    FlowKey<V4> other = key;
    other.src_port = be16(40001);
    EXPECT_NE(service_hash(key), service_hash(other));
    other = key;
    other.kind = static_cast<uint8_t>(FlowKind::kFragment);
    EXPECT_EQ(service_hash(key), service_hash(other)) << "only the five-tuple counts";
}

}  // namespace
}  // namespace podlane::test
