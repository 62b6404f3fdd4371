// Connections through Services and to the outside, one packet at a time.
#include <array>
#include <set>

#include "tests/unit/dataplane/frames_of.h"

namespace podlane::dataplane {
namespace {

template <class F>
class ServiceTest : public testing::Test {
  protected:
    Rig rig;
};
using Families = testing::Types<V4, V6>;
TYPED_TEST_SUITE(ServiceTest, Families);

TYPED_TEST(ServiceTest, AClusterIpIsTranslatedToItsEndpointAndBack) {
    using F = TypeParam;
    using W = World<F>;
    this->rig.send(Rig::kPodA,
                   udp<F>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 4000, W::kService, 80));
    const auto out = look<F>(this->rig.take_one(Rig::kPodB));
    EXPECT_EQ(text(out.key), text(key_of<F>(W::kPodA, 4000, W::kPodB, 8080)));
    EXPECT_EQ(out.dst, Names::kPodBMac);
    EXPECT_EQ(out.src, Names::kGatewayMac);
    EXPECT_EQ(out.ttl, 63);
    EXPECT_TRUE(out.checksums_ok);

    // The endpoint replies to its neighbour on the bridge directly, by MAC.
    this->rig.send(Rig::kPodB,
                   udp<F>(Names::kPodBMac, Names::kPodAMac, W::kPodB, 8080, W::kPodA, 4000));
    const auto reply = look<F>(this->rig.take_one(Rig::kPodA));
    EXPECT_EQ(text(reply.key), text(key_of<F>(W::kService, 80, W::kPodA, 4000)));
    EXPECT_TRUE(reply.checksums_ok);
    EXPECT_EQ(this->rig.all_drops(), 0u);
}

TYPED_TEST(ServiceTest, TheSecondPacketTakesTheFastPath) {
    using F = TypeParam;
    using W = World<F>;
    const Frame packet =
        udp<F>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 4000, W::kService, 80);
    this->rig.send(Rig::kPodA, packet);
    const uint64_t slow = this->rig.shared().counters[0]->at(PipelineStage::kSlowPath).in.get();
    this->rig.send(Rig::kPodA, packet);
    EXPECT_EQ(this->rig.shared().counters[0]->at(PipelineStage::kSlowPath).in.get(), slow);
    EXPECT_EQ(this->rig.take(Rig::kPodB).size(), 2u);
}

TYPED_TEST(ServiceTest, ANodePortFromOutsideIsMasqueradedAndTheReplyFindsTheClient) {
    using F = TypeParam;
    using W = World<F>;
    this->rig.send(Rig::kUplink, tcp<F>(Names::kPeerMac, Names::kUplinkMac, W::kPeer, 5000,
                                        W::kNode, 30080, kTcpSyn));
    const auto out = look<F>(this->rig.take_one(Rig::kPodB));
    EXPECT_EQ(text(out.key), text(key_of<F>(W::kGateway, 5000, W::kPodB, 8080, kProtocolTcp)));
    EXPECT_TRUE(out.checksums_ok);
    this->rig.send(Rig::kPodB, tcp<F>(Names::kPodBMac, Names::kGatewayMac, W::kPodB, 8080,
                                      W::kGateway, 5000, kTcpSyn | kTcpAck));
    const auto reply = look<F>(this->rig.take_one(Rig::kUplink));
    EXPECT_EQ(text(reply.key), text(key_of<F>(W::kNode, 30080, W::kPeer, 5000, kProtocolTcp)));
    EXPECT_EQ(reply.dst, Names::kPeerMac);
    EXPECT_TRUE(reply.checksums_ok);
}

TYPED_TEST(ServiceTest, TwoClientsWithOneSourcePortGetTwoPortsBehindTheMasquerade) {
    using F = TypeParam;
    using W = World<F>;
    for (const char* client : {W::kPeer, W::kOutside}) {
        this->rig.send(Rig::kUplink, tcp<F>(Names::kPeerMac, Names::kUplinkMac, client, 5000,
                                            W::kNode, 30080, kTcpSyn));
    }
    const auto frames = this->rig.take(Rig::kPodB);
    ASSERT_EQ(frames.size(), 2u);
    const auto first = look<F>(frames[0]), second = look<F>(frames[1]);
    EXPECT_EQ(first.key.src, second.key.src);
    EXPECT_NE(first.key.src_port, second.key.src_port);
}

TYPED_TEST(ServiceTest, APodThatIsItsOwnEndpointSeesTheGateway) {
    using F = TypeParam;
    using W = World<F>;
    this->rig.send(Rig::kPodB, tcp<F>(Names::kPodBMac, Names::kGatewayMac, W::kPodB, 4000,
                                      W::kService, 80, kTcpSyn));
    const auto out = look<F>(this->rig.take_one(Rig::kPodB));
    EXPECT_EQ(text(out.key), text(key_of<F>(W::kGateway, 4000, W::kPodB, 8080, kProtocolTcp)));
    this->rig.send(Rig::kPodB, tcp<F>(Names::kPodBMac, Names::kGatewayMac, W::kPodB, 8080,
                                      W::kGateway, 4000, kTcpSyn | kTcpAck));
    const auto reply = look<F>(this->rig.take_one(Rig::kPodB));
    EXPECT_EQ(text(reply.key), text(key_of<F>(W::kService, 80, W::kPodB, 4000, kProtocolTcp)));
}

TYPED_TEST(ServiceTest, APodsTrafficToOutsideIsMasqueradedToTheUplink) {
    using F = TypeParam;
    using W = World<F>;
    this->rig.change([this](Snapshot& next) {
        auto routes =
            std::make_shared<Lpm<F, Route<F>>>(std::vector<std::pair<Prefix<F>, Route<F>>>{
                {Prefix<F>{{}, 0}, Route<F>{RouteKind::kAdjacency,
                                            this->rig.port(Rig::kUplink),
                                            AdjacencyId{kToPeer},
                                            {},
                                            ""}},
                {Prefix<F>{ip<F>(W::kPodA), F::kAddressBits}, Route<F>{RouteKind::kAdjacency,
                                                                       this->rig.port(Rig::kPodA),
                                                                       AdjacencyId{kToPodA},
                                                                       {},
                                                                       ""}}});
        next.template family<F>().routes = routes;
    });
    this->rig.send(Rig::kPodA,
                   udp<F>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 4000, W::kOutside, 53));
    const auto out = look<F>(this->rig.take_one(Rig::kUplink));
    EXPECT_EQ(text(out.key), text(key_of<F>(W::kNode, 4000, W::kOutside, 53)));
    EXPECT_TRUE(out.checksums_ok);
    this->rig.send(Rig::kUplink,
                   udp<F>(Names::kPeerMac, Names::kUplinkMac, W::kOutside, 53, W::kNode, 4000));
    const auto reply = look<F>(this->rig.take_one(Rig::kPodA));
    EXPECT_EQ(text(reply.key), text(key_of<F>(W::kOutside, 53, W::kPodA, 4000)));
}

TYPED_TEST(ServiceTest, PingToOutsideIsMasqueradedByItsIdentifier) {
    using F = TypeParam;
    using W = World<F>;
    this->rig.change([](Snapshot& next) {
        next.template family<F>().uplink_source = ip<F>(W::kNode);
        next.template family<F>().keep_source = std::make_shared<const Lpm<F, uint8_t>>();
    });
    this->rig.send(Rig::kPodA,
                   ping<F>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, W::kPeer, 77));
    const auto out = look<F>(this->rig.take_one(Rig::kUplink));
    EXPECT_EQ(out.key.src, ip<F>(W::kNode));
    EXPECT_EQ(out.key.src_port, be16(77));
    EXPECT_TRUE(out.checksums_ok);
}

TYPED_TEST(ServiceTest, AServiceWithoutEndpointsResetsTcp) {
    using F = TypeParam;
    using W = World<F>;
    this->rig.send(Rig::kPodA, tcp<F>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 4000,
                                      W::kEmptyService, 80, kTcpSyn));
    const auto reset = look<F>(this->rig.take_one(Rig::kPodA));
    EXPECT_EQ(text(reset.key), text(key_of<F>(W::kEmptyService, 80, W::kPodA, 4000, kProtocolTcp)));
    EXPECT_TRUE(reset.headers.tcp_flags & kTcpRst);
    EXPECT_TRUE(reset.checksums_ok);
    EXPECT_EQ(this->rig.drops(Drop::kServiceNoEndpoints), 1u);
}

TYPED_TEST(ServiceTest, AServiceWithoutEndpointsTellsUdpPortUnreachable) {
    using F = TypeParam;
    using W = World<F>;
    this->rig.send(Rig::kPodA, udp<F>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 4000,
                                      W::kEmptyService, 80));
    const auto error = look<F>(this->rig.take_one(Rig::kPodA));
    EXPECT_TRUE(error.headers.has(Headers::kIcmpError));
    EXPECT_TRUE(error.checksums_ok);
    EXPECT_EQ(this->rig.drops(Drop::kServiceNoEndpoints), 1u);
}

TYPED_TEST(ServiceTest, TheNodesKernelIsToldByTheGatewayNotByItsOwnAddress) {
    using F = TypeParam;
    using W = World<F>;
    this->rig.send(Rig::kHost, udp<F>(Names::kUplinkMac, Names::kGatewayMac, W::kNode, 4000,
                                      W::kEmptyService, 80));
    const auto error = look<F>(this->rig.take_one(Rig::kHost));
    EXPECT_TRUE(error.headers.has(Headers::kIcmpError));
    EXPECT_EQ(error.key.src, ip<F>(W::kGateway));
}

TYPED_TEST(ServiceTest, AnUndefinedPortOfAClusterIpIsRejectedAndAFreeAddressIsDropped) {
    using F = TypeParam;
    using W = World<F>;
    this->rig.send(Rig::kPodA, tcp<F>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 4000,
                                      W::kService, 81, kTcpSyn));
    EXPECT_EQ(this->rig.drops(Drop::kServiceUndefinedPort), 1u);
    EXPECT_EQ(this->rig.take(Rig::kPodA).size(), 1u);
    this->rig.send(Rig::kPodA, tcp<F>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 4000,
                                      W::kUnallocated, 80, kTcpSyn));
    EXPECT_EQ(this->rig.drops(Drop::kServiceUnallocated), 1u);
    EXPECT_TRUE(this->rig.take(Rig::kPodA).empty());
}

TYPED_TEST(ServiceTest, UdpIsGivenAnotherEndpointWhenItsOwnGoes) {
    using F = TypeParam;
    using W = World<F>;
    const Frame packet =
        udp<F>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 4000, W::kService, 80);
    this->rig.send(Rig::kPodA, packet);
    EXPECT_EQ(this->rig.take(Rig::kPodB).size(), 1u);
    this->rig.change([](Snapshot& next) {
        auto& frontends = next.template family<F>().frontends;
        const FrontendKey<F> key{ip<F>(W::kService), be16(80), kProtocolUdp};
        Frontend<F> moved = *frontends.find(key);
        auto set = std::make_shared<EndpointSet<F>>();
        set->endpoints = {{ip<F>(W::kRemotePod), be16(8080)}};
        moved.inside = moved.outside = set;
        frontends.set(key, std::make_shared<Frontend<F>>(moved));
        next.service_epochs.set(7, 1);
    });
    this->rig.send(Rig::kPodA, packet);
    EXPECT_TRUE(this->rig.take(Rig::kPodB).empty());
    EXPECT_EQ(this->rig.take(Rig::kUplink).size(), 1u);
}

TYPED_TEST(ServiceTest, AUdpFlowBegunBeforeItsServiceIsGivenAnEndpoint) {
    using F = TypeParam;
    using W = World<F>;
    const Frame packet = udp<F>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 4000, W::kPeer, 53);
    this->rig.send(Rig::kPodA, packet);
    EXPECT_EQ(this->rig.take(Rig::kUplink).size(), 1u);
    this->rig.change([](Snapshot& next) { next.service_epochs.set(0, 1); });
    this->rig.send(Rig::kPodA, packet);
    EXPECT_EQ(this->rig.take(Rig::kUplink).size(), 1u) << "another place is served";
    this->rig.change([](Snapshot& next) {
        auto& frontends = next.template family<F>().frontends;
        Frontend<F> made = *frontends.find({ip<F>(W::kService), be16(80), kProtocolUdp});
        made.address = ip<F>(W::kPeer);
        made.port = be16(53);
        frontends.set({made.address, made.port, kProtocolUdp}, std::make_shared<Frontend<F>>(made));
        next.service_epochs.set(0, 2);
    });
    this->rig.send(Rig::kPodA, packet);
    EXPECT_EQ(look<F>(this->rig.take_one(Rig::kPodB)).key.dst, ip<F>(W::kPodB));
}

TYPED_TEST(ServiceTest, AClientWithSessionAffinityGetsOneEndpointForAllItsConnections) {
    using F = TypeParam;
    using W = World<F>;
    const auto serve = [this](uint32_t affinity_seconds) {
        this->rig.change([&](Snapshot& next) {
            auto& frontends = next.template family<F>().frontends;
            const FrontendKey<F> key{ip<F>(W::kService), be16(80), kProtocolTcp};
            Frontend<F> sticky = *frontends.find(key);
            auto set = std::make_shared<EndpointSet<F>>();
            set->endpoints = {{ip<F>(W::kPodB), be16(8080)}, {ip<F>(W::kPodB), be16(8081)}};
            const std::array<uint64_t, 2> identities{1, 2};
            set->maglev = MaglevTable::build(identities);
            sticky.inside = sticky.outside = set;
            sticky.affinity_seconds = affinity_seconds;
            frontends.set(key, std::make_shared<Frontend<F>>(sticky));
        });
    };
    const auto ports = [this](uint16_t first) {
        std::set<uint16_t> seen;
        for (uint16_t port = first; port < first + 30; ++port) {
            this->rig.send(Rig::kPodA, tcp<F>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, port,
                                              W::kService, 80, kTcpSyn));
            seen.insert(look<F>(this->rig.take_one(Rig::kPodB)).key.dst_port.host());
        }
        return seen;
    };
    serve(0);
    EXPECT_EQ(ports(1000).size(), 2u);
    serve(10800);
    EXPECT_EQ(ports(2000).size(), 1u);
    EXPECT_EQ(this->rig.shared().counters[0]->affinity_full.get(), 0u);
}

TYPED_TEST(ServiceTest, TcpKeepsItsEndpointWhenOthersComeAndGo) {
    using F = TypeParam;
    using W = World<F>;
    this->rig.send(Rig::kPodA, tcp<F>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 4000,
                                      W::kService, 80, kTcpSyn));
    this->rig.change([](Snapshot& next) {
        auto& frontends = next.template family<F>().frontends;
        const FrontendKey<F> key{ip<F>(W::kService), be16(80), kProtocolTcp};
        Frontend<F> emptied = *frontends.find(key);
        emptied.inside = emptied.outside = std::make_shared<EndpointSet<F>>();
        frontends.set(key, std::make_shared<Frontend<F>>(emptied));
        next.service_epochs.set(7, 1);
        ++next.topology_epoch;
    });
    this->rig.send(Rig::kPodA, tcp<F>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 4000,
                                      W::kService, 80, kTcpAck));
    EXPECT_EQ(this->rig.take(Rig::kPodB).size(), 2u);
    EXPECT_EQ(this->rig.all_drops(), 0u);
}

TYPED_TEST(ServiceTest, AnIcmpErrorFromTheEndpointIsTranslatedBack) {
    using F = TypeParam;
    using W = World<F>;
    this->rig.send(Rig::kPodA,
                   udp<F>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 4000, W::kService, 80));
    const Frame delivered = this->rig.take_one(Rig::kPodB);
    // The endpoint has no such port: it quotes the packet as it arrived there.
    this->rig.send(Rig::kPodB,
                   icmp_error_about<F>(delivered, Names::kPodBMac, Names::kGatewayMac, W::kPodB));
    const Frame told = this->rig.take_one(Rig::kPodA);
    const auto error = look<F>(told);
    EXPECT_EQ(error.key.src, ip<F>(W::kService));
    EXPECT_EQ(error.key.dst, ip<F>(W::kPodA));
    EXPECT_TRUE(error.checksums_ok);
    Headers quoted;
    ASSERT_EQ(parse_quoted_packet<F>(told, error.headers.payload_offset, quoted), Drop::kNone);
    EXPECT_EQ(text(flow_key<F>(told.data(), quoted)),
              text(key_of<F>(W::kPodA, 4000, W::kService, 80)));
}

TYPED_TEST(ServiceTest, AnIcmpErrorAboutNothingKnownToOutsideIsDroppedByName) {
    using F = TypeParam;
    using W = World<F>;
    const Frame strange =
        udp<F>(Names::kPodBMac, Names::kGatewayMac, W::kUnallocated, 1, W::kPodB, 2);
    this->rig.send(Rig::kPodB,
                   icmp_error_about<F>(strange, Names::kPodBMac, Names::kGatewayMac, W::kPodB));
    EXPECT_EQ(this->rig.drops(Drop::kIcmpErrorUnmatched), 1u);
}

TYPED_TEST(ServiceTest, AFullTableRefusesByNameAndKeepsWhatItHas) {
    using F = TypeParam;
    using W = World<F>;
    this->rig.send(Rig::kPodA, tcp<F>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 999,
                                      W::kService, 80, kTcpSyn));
    this->rig.send(Rig::kPodB, tcp<F>(Names::kPodBMac, Names::kPodAMac, W::kPodB, 8080, W::kPodA,
                                      999, kTcpSyn | kTcpAck));
    this->rig.send(Rig::kPodA, tcp<F>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 999,
                                      W::kService, 80, kTcpAck));
    for (uint16_t port = 1000; port < 3000; ++port) {
        this->rig.send(Rig::kPodA, tcp<F>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, port,
                                          W::kService, 80, kTcpSyn));
        this->rig.take(Rig::kPodB);
    }
    this->rig.send(Rig::kPodA, tcp<F>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 999,
                                      W::kService, 80, kTcpAck));
    EXPECT_EQ(this->rig.take(Rig::kPodB).size(), 1u);
    const auto totals = this->rig.shared().template flows_of<F>().counters();
    EXPECT_GT(totals.evicted + totals.refused, 0u);
    EXPECT_EQ(totals.refused, this->rig.drops(Drop::kFlowTableFull));
}

TEST(HostPorts, OneAtLoopbackIsTheNodesOwnKernelsAlone) {
    using W = World<V4>;
    Rig rig;
    rig.change([](Snapshot& next) {
        auto& frontends = next.family<V4>().frontends;
        Frontend<V4> host_port = *frontends.find({ip<V4>(W::kService), be16(80), kProtocolTcp});
        host_port.kind = FrontendKind::kHostPort;
        host_port.address = ip<V4>("127.0.0.1");
        host_port.port = be16(8089);
        frontends.set({host_port.address, host_port.port, kProtocolTcp},
                      std::make_shared<Frontend<V4>>(host_port));
    });
    const auto ask = [](uint16_t port) {
        return tcp<V4>(Names::kUplinkMac, Names::kGatewayMac, W::kNode, 4000, "127.0.0.1", port,
                       kTcpSyn);
    };
    rig.send(Rig::kHost, ask(8089));
    const auto out = look<V4>(rig.take_one(Rig::kPodB));
    EXPECT_EQ(text(out.key), text(key_of<V4>(W::kNode, 4000, W::kPodB, 8080, kProtocolTcp)));
    EXPECT_TRUE(out.checksums_ok);
    rig.send(Rig::kPodB, tcp<V4>(Names::kPodBMac, Names::kGatewayMac, W::kPodB, 8080, W::kNode,
                                 4000, kTcpSyn | kTcpAck));
    const Frame answer = rig.take_one(Rig::kHost);
    EXPECT_EQ(load<Ipv4Address>(answer.data() + 26), ip<V4>("127.0.0.1"));
    EXPECT_EQ(load<be16>(answer.data() + 34), be16(8089));
    EXPECT_EQ(rig.all_drops(), 0u);

    rig.send(Rig::kHost, ask(8090));
    EXPECT_EQ(rig.drops(Drop::kIpBadAddress), 1u) << "another port there";
    rig.send(Rig::kPodA, tcp<V4>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 4000, "127.0.0.1",
                                 8089, kTcpSyn));
    rig.send(Rig::kUplink, tcp<V4>(Names::kPeerMac, Names::kUplinkMac, W::kPeer, 4000, "127.0.0.1",
                                   8089, kTcpSyn));
    EXPECT_EQ(rig.drops(Drop::kIpBadAddress), 3u);
}

}  // namespace
}  // namespace podlane::dataplane
