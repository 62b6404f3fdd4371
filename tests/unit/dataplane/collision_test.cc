// Clients that reach one endpoint by several ways from one source port: replies are never mixed up.
#include <map>
#include <random>

#include "tests/support/seed.h"
#include "tests/unit/dataplane/frames_of.h"

namespace podlane::dataplane {
namespace {

template <class F>
class CollisionTest : public testing::Test {
  protected:
    using Here = World<F>;

    /// A way from a client to pod B, port 8080.
    struct Way {
        Rig::Who from;
        MacAddress src_mac, dst_mac;
        const char* src;
        const char* dst;
        uint16_t port;
    };
    static inline const std::vector<Way> kWays = {
        {Rig::kPodA, Names::kPodAMac, Names::kGatewayMac, Here::kPodA, Here::kService, 80},
        {Rig::kPodA, Names::kPodAMac, Names::kPodBMac, Here::kPodA, Here::kPodB, 8080},
        {Rig::kPodA, Names::kPodAMac, Names::kGatewayMac, Here::kPodA, Here::kNode, 30080},
        {Rig::kUplink, Names::kPeerMac, Names::kUplinkMac, Here::kPeer, Here::kNode, 30080},
        {Rig::kUplink, Names::kPeerMac, Names::kUplinkMac, Here::kPeer, Here::kPodB, 8080},
    };

    static Frame packet(const MacAddress& src_mac, const MacAddress& dst_mac,
                        const FlowKey<F>& key) {
        auto frame = test::frame().eth(src_mac, dst_mac).ip(IpAddress(key.src), IpAddress(key.dst));
        if (key.protocol == kProtocolTcp) {
            frame.tcp(key.src_port.host(), key.dst_port.host(), kTcpAck);
        } else {
            frame.udp(key.src_port.host(), key.dst_port.host());
        }
        return frame.payload(20).build();
    }
    static FlowKey<F> asked(const Way& way, uint16_t source_port, uint8_t protocol) {
        return key_of<F>(way.src, source_port, way.dst, way.port, protocol);
    }
    /// Sends a request to pod B; returns its key as pod B sees it.
    FlowKey<F> ask(const Way& way, uint16_t source_port, uint8_t protocol) {
        rig.send(way.from, packet(way.src_mac, way.dst_mac, asked(way, source_port, protocol)));
        const auto seen = look<F>(rig.take_one(Rig::kPodB));
        EXPECT_TRUE(seen.checksums_ok);
        EXPECT_EQ(seen.key.dst, ip<F>(Here::kPodB));
        EXPECT_EQ(seen.key.dst_port, be16(8080));
        return seen.key;
    }
    /// Pod B replies to what it saw; returns the reply's key at the client's port.
    FlowKey<F> answer(const Way& way, const FlowKey<F>& seen) {
        const bool neighbour = seen.src == ip<F>(Here::kPodA);
        rig.send(Rig::kPodB,
                 packet(Names::kPodBMac, neighbour ? Names::kPodAMac : Names::kGatewayMac,
                        seen.reversed()));
        const auto got = look<F>(rig.take_one(way.from));
        EXPECT_TRUE(got.checksums_ok);
        return got.key;
    }

    Rig rig;
};
using Families = testing::Types<V4, V6>;
TYPED_TEST_SUITE(CollisionTest, Families);

TYPED_TEST(CollisionTest, DirectlyAndThroughAClusterIpFromOneSourcePort) {
    const auto& through = this->kWays[0];
    const auto& direct = this->kWays[1];
    const auto first = this->ask(through, 4000, kProtocolTcp);
    const auto second = this->ask(direct, 4000, kProtocolTcp);
    EXPECT_EQ(first.src_port, be16(4000));
    EXPECT_NE(second.src_port, be16(4000)) << "the endpoint can tell them apart";
    EXPECT_EQ(second.src, first.src) << "by the port alone";
    EXPECT_EQ(text(this->answer(direct, second)),
              text(this->asked(direct, 4000, kProtocolTcp).reversed()));
    EXPECT_EQ(text(this->answer(through, first)),
              text(this->asked(through, 4000, kProtocolTcp).reversed()));
}

TYPED_TEST(CollisionTest, ADirectConnectionThatIsUnderWayKeepsItsPort) {
    const auto& through = this->kWays[0];
    const auto& direct = this->kWays[1];
    (void)this->ask(through, 3999, kProtocolTcp);
    const auto first = this->ask(direct, 4000, kProtocolTcp);
    const auto second = this->ask(through, 4000, kProtocolTcp);
    EXPECT_EQ(first.src_port, be16(4000));
    EXPECT_NE(second.src_port, be16(4000));
    EXPECT_EQ(text(this->answer(through, second)),
              text(this->asked(through, 4000, kProtocolTcp).reversed()));
    EXPECT_EQ(text(this->answer(direct, first)),
              text(this->asked(direct, 4000, kProtocolTcp).reversed()));
}

TYPED_TEST(CollisionTest, ABridgedFlowKeepsItsTtlAndAPodThatAskedNobodyMakesNone) {
    using F = TypeParam;
    using W = World<F>;
    const Frame direct =
        udp<F>(Names::kPodAMac, Names::kPodBMac, W::kPodA, 4000, W::kPodB, 9, 20, 1);
    this->rig.send(Rig::kPodA, direct);
    EXPECT_EQ(look<F>(this->rig.take_one(Rig::kPodB)).ttl, 1);
    EXPECT_EQ(this->rig.shared().template flows_of<F>().counters().created, 0u);
    (void)this->ask(this->kWays[0], 4000, kProtocolUdp);
    this->rig.send(Rig::kPodA, direct);
    EXPECT_EQ(look<F>(this->rig.take_one(Rig::kPodB)).ttl, 1);
    EXPECT_EQ(this->rig.shared().template flows_of<F>().counters().created, 2u);
}

// The model: the endpoint sees each connection by a tuple of its own for good, and its reply to
// that tuple reaches the client from the address that the client had sent to.
TYPED_TEST(CollisionTest, ABridgedFlowThatNothingMustTellApartLeavesFramesAsTheyCame) {
    const auto& direct = this->kWays[1];
    this->ask(this->kWays[0], 4000, kProtocolTcp);
    const auto key = this->asked(direct, 4001, kProtocolTcp);
    const Frame frame = this->packet(direct.src_mac, direct.dst_mac, key);
    for (const char* when : {"the first", "and the next"}) {
        this->rig.send(Rig::kPodA, frame);
        EXPECT_EQ(this->rig.take_one(Rig::kPodB), frame) << when;
    }
    const Frame back = this->packet(Names::kPodBMac, Names::kPodAMac, key.reversed());
    this->rig.send(Rig::kPodB, back);
    EXPECT_EQ(this->rig.take_one(Rig::kPodA), back);
}

TYPED_TEST(CollisionTest, NoAnswerIsEverMixedUp) {
    using F = TypeParam;
    const uint64_t seed = test::test_seed();
    SCOPED_TRACE("PODLANE_TEST_SEED=" + std::to_string(seed));
    std::mt19937_64 random(seed);
    (void)this->ask(this->kWays[0], 3999, kProtocolUdp);
    std::map<std::string, FlowKey<F>> seen_by_endpoint;
    std::map<std::string, std::string> asked_by_seen;
    for (int step = 0; step < 2000; ++step) {
        const auto& way = this->kWays[random() % this->kWays.size()];
        const auto port = static_cast<uint16_t>(4000 + random() % 8);
        const uint8_t protocol = random() % 2 == 0 ? kProtocolTcp : kProtocolUdp;
        const std::string question = text(this->asked(way, port, protocol));
        const FlowKey<F> seen = this->ask(way, port, protocol);
        const auto [known, is_new] = seen_by_endpoint.emplace(question, seen);
        ASSERT_EQ(text(known->second), text(seen)) << "step " << step << ": " << question;
        const auto [owner, free] = asked_by_seen.emplace(text(seen), question);
        ASSERT_EQ(owner->second, question) << "step " << step << ": one tuple for two";
        ASSERT_EQ(text(this->answer(way, seen)), text(this->asked(way, port, protocol).reversed()))
            << "step " << step;
    }
    EXPECT_EQ(asked_by_seen.size(), this->kWays.size() * 8 * 2);
    EXPECT_EQ(this->rig.all_drops(), 0u);
}

}  // namespace
}  // namespace podlane::dataplane
