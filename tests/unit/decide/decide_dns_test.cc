// Packets to the cluster's DNS server.
#include <gmock/gmock.h>

#include "lib/decide/decide.h"
#include "lib/dns/zone.h"
#include "tests/unit/decide/network.h"

namespace podlane::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

template <class F>
class DecideDns : public ::testing::Test {
  protected:
    DecideDns() {
        DnsZoneIdentity identity;
        const IpAddress server = *parse_ip(Names<F>::kClusterIp);
        if constexpr (std::same_as<F, V4>) {
            identity.servers.v4 = {server.as<V4>()};
        } else {
            identity.servers.v6 = {server.as<V6>()};
        }
        net_.snapshot->dns = std::make_shared<const DnsZone>(identity);
        Route<F> route;
        route.kind = RouteKind::kAdjacency;
        route.port = kDnsServer;
        route.adjacency = kToOtherPod;
        net_.routes.emplace_back(Network<F>::host(Names<F>::kClusterIp), route);
        net_.install_routes();
    }
    static constexpr PortId kDnsServer{9};
    Network<F> net_;
};
using Families = ::testing::Types<V4, V6>;
TYPED_TEST_SUITE(DecideDns, Families);

TYPED_TEST(DecideDns, Port53IsTheServersWhateverServiceHasItsAddress) {
    using N = Names<TypeParam>;
    using Net = Network<TypeParam>;
    this->net_.serve(
        Net::frontend(FrontendKind::kClusterIp, N::kClusterIp, 53, {Net::endpoint(N::kPod, 53)}));
    const auto decision = this->net_.ask(PortKind::kPod, N::kOtherPod, N::kClusterIp, 53);
    EXPECT_EQ(decision.verdict, PathVerdict::kForward);
    EXPECT_EQ(decision.port, this->kDnsServer);
    EXPECT_FALSE(decision.translated || decision.masquerade);
    EXPECT_THAT(this->net_.steps().front(), HasSubstr("dns: to the cluster's DNS server"));
    const auto other = this->net_.ask(PortKind::kPod, N::kOtherPod, N::kClusterIp, 54);
    EXPECT_EQ(other.verdict, PathVerdict::kReject) << "other ports are the Service's";
}

TYPED_TEST(DecideDns, StrangersAreDropped) {
    using N = Names<TypeParam>;
    const auto decision = this->net_.ask(PortKind::kUplink, N::kOutside, N::kClusterIp, 53);
    EXPECT_EQ(decision.verdict, PathVerdict::kDrop);
    EXPECT_EQ(decision.reason, Drop::kDnsStranger);
    EXPECT_THAT(this->net_.steps(), ElementsAre(HasSubstr("neither a pod's nor a node's")));
    const auto pod = this->net_.ask(PortKind::kUplink, N::kRemotePod, N::kClusterIp, 53);
    EXPECT_EQ(pod.verdict, PathVerdict::kForward) << "a pod of another node";
}

TYPED_TEST(DecideDns, WithoutAZoneItIsAnAddressLikeOthers) {
    using N = Names<TypeParam>;
    const auto ask = [&] {
        return this->net_.ask(PortKind::kPod, N::kPod, N::kClusterIp, 53, kProtocolUdp).verdict;
    };
    EXPECT_EQ(ask(), PathVerdict::kDns);
    this->net_.snapshot->dns = nullptr;
    EXPECT_EQ(ask(), PathVerdict::kForward);
}

TYPED_TEST(DecideDns, AQueryOverUdpMakesNoFlowAndLosesNoTtl) {
    using N = Names<TypeParam>;
    auto query = this->net_.query(PortKind::kPod, N::kPod, N::kClusterIp, 53, kProtocolUdp);
    query.ttl = 1;
    const auto decision = this->net_.ask(query);
    EXPECT_EQ(decision.verdict, PathVerdict::kDns);
    EXPECT_EQ(decision.port, this->kDnsServer);
    EXPECT_FALSE(decision.makes_flow || decision.masquerade || decision.forwarded);
    // Without a server the worker answers what it knows.
    this->net_.routes.pop_back();
    this->net_.install_routes();
    const auto alone = this->net_.ask(query);
    EXPECT_EQ(alone.verdict, PathVerdict::kDns);
    EXPECT_EQ(alone.adjacency, kNoAdjacency);
    EXPECT_NE(alone.reason, Drop::kNone);
}

TYPED_TEST(DecideDns, WhatTheServerAnswersOverUdpIsRoutedAsItIs) {
    using N = Names<TypeParam>;
    auto query = this->net_.query(PortKind::kDns, N::kClusterIp, N::kOtherPod, 40000, kProtocolUdp);
    query.key.src_port = be16(53);
    const auto answer = this->net_.ask(query);
    EXPECT_EQ(answer.verdict, PathVerdict::kForward);
    EXPECT_FALSE(answer.makes_flow);
    query.key.src_port = be16(54);
    EXPECT_TRUE(this->net_.ask(query).makes_flow);
}

}  // namespace
}  // namespace podlane::test
