// DNS over UDP: a query comes in, its answer goes out, and no flow is made.
#include <gmock/gmock.h>

#include "lib/dns/answer.h"
#include "lib/proto/overlay.h"
#include "tests/support/dns_messages.h"
#include "tests/unit/dataplane/frames_of.h"

namespace podlane::dataplane {
namespace {

using test::dns_query;
using test::DnsReply;
using testing::ElementsAre;
using testing::SizeIs;

constexpr auto kServerPort = Rig::kPodB;
constexpr uint32_t kToServer = kToPodB;
constexpr MacAddress kServerMac = Names::kPodBMac;

template <Family F>
struct Dns;
template <>
struct Dns<V4> {
    static constexpr const char* kServer = "10.96.0.10";
    static constexpr const char* kAddress = "A 10.96.0.20";
    static constexpr const char* kType = "A";
};
template <>
struct Dns<V6> {
    static constexpr const char* kServer = "fd96::a";
    static constexpr const char* kAddress = "AAAA fd96::20";
    static constexpr const char* kType = "AAAA";
};

constexpr const char* kWeb = "web.default.svc.cluster.local";

template <class F>
class DnsPathTest : public testing::Test {
  protected:
    DnsPathTest() {
        rig.change([this](Snapshot& snapshot) {
            auto views = std::make_shared<PortViews>(*snapshot.ports);
            (*views)[index_of(rig.port(kServerPort))].kind = PortKind::kDns;
            snapshot.ports = views;
            snapshot.bridge_ports = {rig.port(Rig::kPodA)};
            snapshot.dns = test::dns_world();
            add_server_route(snapshot.family<F>());
            ++snapshot.topology_epoch;
        });
    }

    void add_server_route(FamilyState<F>& state) {
        std::vector<std::pair<Prefix<F>, Route<F>>> routes;
        state.routes->for_each([&](const Prefix<F>& prefix, const Route<F>& route) {
            routes.emplace_back(prefix, route);
        });
        routes.push_back({{ip<F>(Dns<F>::kServer), static_cast<uint8_t>(F::kAddressBits)},
                          {RouteKind::kAdjacency,
                           rig.port(kServerPort),
                           AdjacencyId{kToServer},
                           {},
                           "cluster DNS"}});
        state.routes = std::make_shared<const Lpm<F, Route<F>>>(routes);
    }

    /// A query of pod A.
    static test::Frame asking(const std::vector<uint8_t>& message,
                              const char* from = World<F>::kPodA) {
        return test::frame()
            .eth(Names::kPodAMac, Names::kGatewayMac)
            .ip(from, Dns<F>::kServer)
            .udp(40000, 53)
            .payload(message);
    }
    static test::Frame asking(std::string_view name, std::string_view type) {
        return asking(dns_query(name, type));
    }
    /// The one answer that pod A got.
    DnsReply take_reply(Rig::Who who = Rig::kPodA) {
        const Frame frame = rig.take_one(who);
        if (frame.empty()) return {};
        const auto seen = look<F>(frame);
        EXPECT_TRUE(seen.checksums_ok) << test::describe(frame);
        EXPECT_FALSE(rig.last_was_partial());
        EXPECT_EQ(seen.key.src, ip<F>(Dns<F>::kServer));
        EXPECT_EQ(seen.key.src_port.host(), 53);
        EXPECT_EQ(seen.key.dst_port.host(), 40000);
        return test::read_dns(std::span(frame).subspan(
            seen.headers.payload_offset, seen.headers.l4_bytes() - sizeof(UdpHeader)));
    }
    uint64_t counted(DnsOutcome outcome) {
        return rig.shared().counters[0]->dns[static_cast<size_t>(outcome)].get();
    }
    uint64_t flows() {
        return rig.shared().flows_v4->counters().created +
               rig.shared().flows_v6->counters().created;
    }

    Rig rig;
};
using Families = testing::Types<V4, V6>;
TYPED_TEST_SUITE(DnsPathTest, Families);

TYPED_TEST(DnsPathTest, APodMayAskOnlyIfItsPoliciesLetIt) {
    using D = Dns<TypeParam>;
    const auto select = [this](bool may_ask) {
        auto policy = std::make_shared<CompiledPolicy>();
        policy->name = "default/out";
        if (may_ask) {
            CompiledRule rule;
            rule.peers = {PolicySetId{1}};
            rule.ports = {{kProtocolUdp, 53, 53, {}}};
            policy->egress = {rule};
        }
        auto made = std::make_shared<PodPolicies>();
        made->egress = {policy};
        this->rig.change([&](Snapshot& snapshot) {
            snapshot.pod_policies.set(index_of(this->rig.port(Rig::kPodA)), made);
            snapshot.template family<TypeParam>().policy_sets.pods.set(
                1, std::make_shared<std::vector<typename TypeParam::Address>>(
                       1, ip<TypeParam>(D::kServer)));
        });
    };
    select(false);
    this->rig.send(Rig::kPodA, this->asking(kWeb, D::kType));
    EXPECT_TRUE(this->rig.take(Rig::kPodA).empty());
    EXPECT_EQ(this->rig.drops(Drop::kPolicyEgress), 1u);
    select(true);
    this->rig.send(Rig::kPodA, this->asking(kWeb, D::kType));
    EXPECT_EQ(this->take_reply().rcode, 0);
    EXPECT_EQ(this->flows(), 0u);
}

TYPED_TEST(DnsPathTest, ANameOfTheClusterIsAnsweredInPlaceAndMakesNoFlow) {
    using D = Dns<TypeParam>;
    this->rig.send(Rig::kPodA, this->asking(kWeb, D::kType));
    const auto frame = this->rig.take(Rig::kPodA);
    ASSERT_EQ(frame.size(), 1u);
    const auto seen = look<TypeParam>(frame[0]);
    EXPECT_EQ(seen.dst, Names::kPodAMac);
    EXPECT_EQ(seen.src, Names::kGatewayMac);
    EXPECT_EQ(seen.key.dst, ip<TypeParam>(World<TypeParam>::kPodA));
    this->rig.send(Rig::kPodA, this->asking(kWeb, D::kType));
    const DnsReply reply = this->take_reply();
    EXPECT_THAT(reply.answer, ElementsAre(std::string(kWeb) + ". 5 IN " + D::kAddress));
    EXPECT_EQ(this->flows(), 0u);
    EXPECT_EQ(this->rig.all_drops(), 0u);
    EXPECT_EQ(this->counted(DnsOutcome::kAnswer), 2u);
    EXPECT_TRUE(this->rig.take(kServerPort).empty());
}

TYPED_TEST(DnsPathTest, WhatIsNotThereIsAnsweredToo) {
    this->rig.send(Rig::kPodA, this->asking("nothing.default.svc.cluster.local", "A"));
    EXPECT_EQ(this->take_reply().rcode, 3);
    this->rig.send(Rig::kPodA, this->asking(kWeb, "MX"));
    EXPECT_EQ(this->take_reply().rcode, 0);
    EXPECT_EQ(this->counted(DnsOutcome::kNxDomain), 1u);
    EXPECT_EQ(this->counted(DnsOutcome::kNoData), 1u);
}

TYPED_TEST(DnsPathTest, AnAnswerComesToAPartialChecksumToo) {
    this->rig.send(Rig::kPodA, this->asking(kWeb, "A").partial_checksum(), true);
    EXPECT_EQ(this->take_reply().rcode, 0);
}

TYPED_TEST(DnsPathTest, AQueryBehindIpOptionsOrATagIsAnswered) {
    auto with_options = this->asking(kWeb, "A");
    if constexpr (std::same_as<TypeParam, V4>) {
        with_options.options(8u);
    } else {
        with_options.extension(60);
    }
    this->rig.send(Rig::kPodA, with_options);
    EXPECT_THAT(this->take_reply().answer, SizeIs(1));
    this->rig.send(Rig::kPodA, test::frame()
                                   .eth(Names::kPodAMac, Names::kGatewayMac)
                                   .vlan(0x2000)
                                   .ip(World<TypeParam>::kPodA, Dns<TypeParam>::kServer)
                                   .udp(40000, 53)
                                   .payload(dns_query(kWeb, "A")));
    EXPECT_THAT(this->take_reply().answer, SizeIs(1));
}

TYPED_TEST(DnsPathTest, OtherNamesGoToTheServerAndItsAnswersComeBackWithoutAFlow) {
    const std::vector<uint8_t> query = dns_query("www.example.com", "A");
    this->rig.send(Rig::kPodA, this->asking(query));
    const Frame at_server = this->rig.take_one(kServerPort);
    const auto seen = look<TypeParam>(at_server);
    EXPECT_EQ(seen.dst, kServerMac);
    EXPECT_EQ(seen.key.src, ip<TypeParam>(World<TypeParam>::kPodA));
    EXPECT_TRUE(seen.checksums_ok);
    this->rig.send(kServerPort, test::frame()
                                    .eth(kServerMac, Names::kGatewayMac)
                                    .ip(Dns<TypeParam>::kServer, World<TypeParam>::kPodA)
                                    .udp(53, 40000)
                                    .payload(query));
    EXPECT_EQ(look<TypeParam>(this->rig.take_one(Rig::kPodA)).dst, Names::kPodAMac);
    EXPECT_EQ(this->flows(), 0u);
    EXPECT_EQ(this->rig.all_drops(), 0u);
    EXPECT_EQ(this->counted(DnsOutcome::kForward), 1u);
}

TYPED_TEST(DnsPathTest, TcpIsTheServersAndHasAFlow) {
    using W = World<TypeParam>;
    this->rig.send(Rig::kPodA, tcp<TypeParam>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 40000,
                                              Dns<TypeParam>::kServer, 53, kTcpSyn));
    const auto seen = look<TypeParam>(this->rig.take_one(kServerPort));
    EXPECT_EQ(seen.key.src, ip<TypeParam>(W::kPodA));
    EXPECT_EQ(seen.key.dst, ip<TypeParam>(Dns<TypeParam>::kServer));
    EXPECT_EQ(this->flows(), 1u);
}

TYPED_TEST(DnsPathTest, OtherPortsAreNotTheServers) {
    using W = World<TypeParam>;
    this->rig.send(Rig::kPodA, udp<TypeParam>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 40000,
                                              Dns<TypeParam>::kServer, 54));
    EXPECT_EQ(this->counted(DnsOutcome::kFormErr), 0u);
}

TYPED_TEST(DnsPathTest, TheNodesKernelMayAsk) {
    using W = World<TypeParam>;
    this->rig.send(Rig::kHost, test::frame()
                                   .eth(Names::kUplinkMac, Names::kGatewayMac)
                                   .ip(W::kNode, Dns<TypeParam>::kServer)
                                   .udp(40000, 53)
                                   .payload(dns_query(kWeb, "A")));
    EXPECT_THAT(this->take_reply(Rig::kHost).answer, SizeIs(1));
}

TYPED_TEST(DnsPathTest, NodesAndPodsOfOthersMayAskAndStrangersMayNot) {
    using W = World<TypeParam>;
    const auto from_wire = [](const char* source) {
        return test::frame()
            .eth(Names::kPeerMac, Names::kUplinkMac)
            .ip(source, Dns<TypeParam>::kServer)
            .udp(40000, 53)
            .payload(dns_query(kWeb, "A"));
    };
    this->rig.send(Rig::kUplink, from_wire(W::kPeer));
    EXPECT_THAT(this->take_reply(Rig::kUplink).answer, SizeIs(1));
    this->rig.send(Rig::kUplink, from_wire(W::kOutside));
    EXPECT_TRUE(this->rig.take(Rig::kUplink).empty());
    EXPECT_TRUE(this->rig.take(kServerPort).empty());
    EXPECT_EQ(this->rig.drops(Drop::kDnsStranger), 1u);
}

TYPED_TEST(DnsPathTest, AnAnswerToTheOverlayGoesBackThroughIt) {
    using W = World<TypeParam>;
    this->rig.send(Rig::kUplink, test::frame()
                                     .eth(Names::kPeerMac, Names::kUplinkMac)
                                     .ip(World<V4>::kPeer, World<V4>::kNode)
                                     .udp(50000, 8472)
                                     .vxlan(1)
                                     .eth(Names::kPeerVtepMac, Names::kVtepMac)
                                     .ip(W::kRemotePod, Dns<TypeParam>::kServer)
                                     .udp(40000, 53)
                                     .payload(dns_query(kWeb, "A")));
    const Frame outer = this->rig.take_one(Rig::kUplink);
    constexpr size_t kOuterBytes = 50;
    ASSERT_GT(outer.size(), kOuterBytes);
    const Frame inner(outer.begin() + kOuterBytes, outer.end());
    const auto seen = look<TypeParam>(inner);
    EXPECT_EQ(seen.dst, Names::kPeerVtepMac);
    EXPECT_EQ(seen.key.dst, ip<TypeParam>(W::kRemotePod));
    EXPECT_TRUE(seen.checksums_ok);
}

TYPED_TEST(DnsPathTest, BrokenQueriesAreAnsweredOrDroppedAndNamed) {
    std::vector<uint8_t> cut = dns_query(kWeb, "A");
    cut.resize(20);
    this->rig.send(Rig::kPodA, this->asking(cut));
    EXPECT_EQ(this->take_reply().rcode, 1);
    std::vector<uint8_t> update = dns_query(kWeb, "A");
    update[2] |= 0x28;
    this->rig.send(Rig::kPodA, this->asking(update));
    EXPECT_EQ(this->take_reply().rcode, 4);
    EXPECT_EQ(this->counted(DnsOutcome::kFormErr), 1u);
    EXPECT_EQ(this->counted(DnsOutcome::kNotImp), 1u);
    std::vector<uint8_t> answer = dns_query(kWeb, "A");
    answer[2] |= 0x80;
    this->rig.send(Rig::kPodA, this->asking(answer));
    this->rig.send(Rig::kPodA, this->asking(std::vector<uint8_t>(11)));
    this->rig.send(Rig::kPodA, this->asking(std::vector<uint8_t>()));
    EXPECT_EQ(this->rig.drops(Drop::kDnsBad), 3u);
    this->rig.send(Rig::kPodA, this->asking(kWeb, "A").bad_l4_checksum());
    EXPECT_EQ(this->rig.drops(Drop::kL4BadChecksum), 1u);
    EXPECT_TRUE(this->rig.take(Rig::kPodA).empty());
}

TYPED_TEST(DnsPathTest, ALargeAnswerIsCutToWhatTheClientTakes) {
    this->rig.send(Rig::kPodA, this->asking("many.shop.svc.cluster.local", "A"));
    const DnsReply small = this->take_reply();
    EXPECT_TRUE(small.truncated);
    this->rig.send(Rig::kPodA, this->asking(dns_query("many.shop.svc.cluster.local", "A",
                                                      {.edns_bytes = 4096})));
    const DnsReply large = this->take_reply();
    EXPECT_TRUE(large.truncated);
    EXPECT_GT(large.answer.size(), 2 * small.answer.size());
    EXPECT_EQ(this->rig.shared().counters[0]->dns_truncated.get(), 2u);
}

TYPED_TEST(DnsPathTest, AFragmentIsTheServersToPutTogether) {
    this->rig.change([](Snapshot& snapshot) {  // the address is no Service's
        snapshot.v4.frontends.erase({ip<V4>(Dns<V4>::kServer), be16(0), 0});
    });
    // Its bytes are a multiple of eight, as in all fragments but the last.
    this->rig.send(Rig::kPodA, this->asking("webs.default.svc.cluster.local", "A").frag(0, true));
    EXPECT_TRUE(this->rig.take(Rig::kPodA).empty());
    EXPECT_THAT(this->rig.take(kServerPort), SizeIs(1));
}

TYPED_TEST(DnsPathTest, WithoutAZoneTheAddressIsAnyAddress) {
    this->rig.change([](Snapshot& snapshot) { snapshot.dns = nullptr; });
    this->rig.send(Rig::kPodA, this->asking(kWeb, "A"));
    EXPECT_EQ(this->flows() + this->rig.all_drops(), 1u) << "a Service rejects it, or it is routed";
    EXPECT_EQ(this->counted(DnsOutcome::kAnswer), 0u);
}

}  // namespace
}  // namespace podlane::dataplane
