// Source ports: what happens when one destination has run out of them.
#include <rte_cycles.h>

#include "tests/unit/dataplane/frames_of.h"

namespace podlane::dataplane {
namespace {

constexpr uint32_t kCapacity = 131072;
constexpr uint16_t kFirstPort = 1024;
constexpr unsigned kPorts = 65536 - kFirstPort;

template <class F>
class SourcePortsTest : public testing::Test {
  protected:
    using Here = World<F>;

    /// Connections of one client through the NodePort take all source ports towards pod B.
    void take_all_ports(bool half_open = false) {
        FlowTable<F>& flows = rig.shared().template flows_of<F>();
        const auto now_s = static_cast<uint32_t>(now_ms() / 1000);
        for (unsigned port = kFirstPort; port < 65536; ++port) {
            NewConnection<F> spec{};
            const auto number = static_cast<uint16_t>(port);
            spec.original = key_of<F>(Here::kOutside, number, Here::kNode, 30080, kProtocolTcp);
            spec.reply = key_of<F>(Here::kPodB, 8080, Here::kGateway, number, kProtocolTcp);
            spec.tcp_flags = kTcpAck;
            const InsertResult<F> made = flows.insert(0, spec, now_s);
            ASSERT_EQ(made.status, InsertStatus::kInserted) << port;
            if (!half_open) {
                (void)connection_of(*made.entry).note_packet(FlowDirection::kReply, kTcpAck, {});
            }
        }
    }
    /// Another client opens a connection; returns whether it reached pod B.
    bool knock(uint16_t port) {
        rig.send(Rig::kUplink, tcp<F>(Names::kPeerMac, Names::kUplinkMac, Here::kPeer, port,
                                      Here::kNode, 30080, kTcpSyn));
        return !rig.take(Rig::kPodB).empty();
    }
    [[nodiscard]] const WorkerCounters& counters() { return *rig.shared().counters[0]; }
    [[nodiscard]] uint64_t now_ms() { return rig.shared().clock.milliseconds(rte_rdtsc()); }

    Rig rig{1, kCapacity};
};
using Families = testing::Types<V4, V6>;
TYPED_TEST_SUITE(SourcePortsTest, Families);

TYPED_TEST(SourcePortsTest, ADestinationThatRanOutIsNamedAndItsRefusalsAreCounted) {
    using F = TypeParam;
    using W = World<F>;
    this->take_all_ports();
    for (uint16_t port = 5000; port < 5003; ++port) EXPECT_FALSE(this->knock(port));
    EXPECT_EQ(this->rig.drops(Drop::kSnatPortsExhausted), 3u);
    const auto shortage = this->counters().snat_shortages.read(0);
    ASSERT_TRUE(shortage);
    EXPECT_EQ(shortage->target,
              (SnatTarget{ip<F>(W::kGateway), ip<F>(W::kPodB), 8080, kProtocolTcp}));
    EXPECT_EQ(shortage->refused, 3u);
    EXPECT_FALSE(this->counters().snat_shortages.read(1));

    // Other destinations still have ports, and a client with a free port of its own keeps it here.
    this->rig.send(Rig::kUplink,
                   udp<F>(Names::kPeerMac, Names::kUplinkMac, W::kPeer, 5000, W::kNode, 30080));
    EXPECT_EQ(this->rig.take(Rig::kPodB).size(), 1u);
    EXPECT_TRUE(this->knock(80));
    EXPECT_EQ(this->rig.all_drops(), 3u);
}

TYPED_TEST(SourcePortsTest, HalfOpenConnectionsGiveTheirPortsUp) {
    this->take_all_ports(true);
    for (uint16_t port = 5000; port < 5020; ++port) EXPECT_TRUE(this->knock(port));
    EXPECT_EQ(this->rig.all_drops(), 0u);
    EXPECT_EQ(this->rig.shared().template flows_of<TypeParam>().counters().evicted, 20u);
    EXPECT_FALSE(this->counters().snat_shortages.read(0)) << "nothing is short";
}

TYPED_TEST(SourcePortsTest, RefusalsCostNoSearchEach) {
    this->take_all_ports();
    const uint64_t begin_ms = this->now_ms();
    constexpr unsigned kKnocks = 1000;
    for (unsigned i = 0; i < kKnocks; ++i) {
        EXPECT_FALSE(this->knock(static_cast<uint16_t>(5000 + i)));
    }
    const uint64_t searches = 2 + (this->now_ms() - begin_ms) / 50;
    EXPECT_LE(this->counters().snat_tries.get(), searches * 1024);
    EXPECT_GE(this->counters().snat_tries.get(), 1023u);
    EXPECT_EQ(this->counters().snat_shortages.read(0)->refused, kKnocks);
}

TYPED_TEST(SourcePortsTest, ThePortOfAConnectionThatEndsIsFound) {
    using F = TypeParam;
    using W = World<F>;
    this->take_all_ports();
    EXPECT_FALSE(this->knock(5000));
    FlowTable<F>& flows = this->rig.shared().template flows_of<F>();
    const auto ended = key_of<F>(W::kOutside, 33333, W::kNode, 30080, kProtocolTcp);
    FlowEntry<F>* const entry = flows.lookup(ended, flows.hash(ended));
    ASSERT_NE(entry, nullptr);
    ASSERT_TRUE(flows.remove(0, connection_of(*entry)));
    bool through = false;
    for (unsigned i = 0; i < 3000 && !through; ++i) {
        this->rig.pass(51);
        this->rig.send(Rig::kUplink, tcp<F>(Names::kPeerMac, Names::kUplinkMac, W::kPeer, 5000,
                                            W::kNode, 30080, kTcpSyn));
        const auto frames = this->rig.take(Rig::kPodB);
        through = !frames.empty();
        if (through) {
            EXPECT_EQ(look<F>(frames[0]).key.src_port, be16(33333));
        }
    }
    EXPECT_TRUE(through);
    EXPECT_FALSE(this->counters().snat_shortages.lacks(
        {ip<F>(W::kGateway), ip<F>(W::kPodB), 8080, kProtocolTcp}));
}

TYPED_TEST(SourcePortsTest, AllIsWellAgainWhenTheConnectionsHaveAgedOut) {
    using F = TypeParam;
    this->take_all_ports();
    EXPECT_FALSE(this->knock(5000));
    FlowTable<F>& flows = this->rig.shared().template flows_of<F>();
    this->rig.pass(432'001'000);
    for (unsigned turn = 0; turn < kPorts && flows.counters().active > 0; ++turn) this->rig.turn();
    EXPECT_EQ(flows.counters().active, 0u);
    EXPECT_TRUE(this->knock(5000));
    EXPECT_EQ(this->rig.drops(Drop::kSnatPortsExhausted), 1u);
}

}  // namespace
}  // namespace podlane::dataplane
