// Full, used up or impossible: each case ends in its own drop reason.
#include "tests/unit/dataplane/frames_of.h"

#include "dataplane/checksum_offload.h"
#include "dataplane/memory_plan.h"
#include "dataplane/pipeline.h"
#include "dataplane/stages/defer.h"

namespace podlane::dataplane {
namespace {

class LimitsTest : public testing::Test {
  protected:
    using W = World<V4>;

    /// A second context beside the worker's, for calling a stage by hand.
    WorkerCtx& context() {
        ctx_ = std::make_unique<WorkerCtx>();
        Shared& shared = rig.shared();
        ctx_->counters = shared.counters[0].get();
        ctx_->flows_v4 = shared.flows_v4.get();
        ctx_->flows_v6 = shared.flows_v6.get();
        ctx_->pool = shared.pool;
        ctx_->ports = &shared.ports;
        ctx_->flow_targets = &shared.flow_targets;
        ctx_->recorder = &shared.recorder;
        ctx_->handoff = &shared.handoff;
        ctx_->doorbells = shared.doorbells.data();
        ctx_->control_doorbell = &shared.control_doorbell;
        ctx_->events = shared.events[0].get();
        ctx_->snapshot = &rig.snapshot();
        return *ctx_;
    }
    /// `frame` in a buffer from the pool, as if it had come from pod A.
    Packet packet_of(const Frame& frame) {
        rte_mbuf* mbuf = rte_pktmbuf_alloc(rig.shared().pool);
        std::copy(frame.begin(), frame.end(),
                  reinterpret_cast<uint8_t*>(
                      rte_pktmbuf_append(mbuf, static_cast<uint16_t>(frame.size()))));
        return make_packet(mbuf, rig.port(Rig::kPodA));
    }
    Rig rig;
    std::unique_ptr<WorkerCtx> ctx_;
};

TEST_F(LimitsTest, AProtocolWithoutPortsCannotShareOneMasqueradedAddress) {
    rig.change(
        [](Snapshot& next) { next.v4.keep_source = std::make_shared<const Lpm<V4, uint8_t>>(); });
    for (const char* pod : {W::kPodA, "10.244.1.77"}) {
        rig.send(Rig::kPodA, test::frame()
                                 .eth(Names::kPodAMac, Names::kGatewayMac)
                                 .ip(pod, W::kPeer)
                                 .payload(20)
                                 .protocol(47)
                                 .build());
    }
    EXPECT_EQ(rig.take(Rig::kUplink).size(), 1u);
    EXPECT_EQ(rig.drops(Drop::kSnatPortsExhausted), 1u);
}

TEST_F(LimitsTest, ANextHopTooNarrowForAnyFragmentLosesThePacket) {
    rig.change([](Snapshot& next) {
        Adjacency narrow = next.adjacencies[kToRemotePods];
        narrow.mtu = 24;
        next.adjacencies.set(kToRemotePods, narrow);
    });
    rig.send(Rig::kPodA,
             udp<V4>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 1, W::kRemotePod, 2, 500));
    EXPECT_EQ(rig.drops(Drop::kFragmentFailed), 1u);
}

TEST_F(LimitsTest, AReceiverThatDoesNotReadLosesFramesAndNobodyElse) {
    for (int i = 0; i < 2000 && rig.drops(Drop::kTxFull) == 0; ++i) {
        rig.send(Rig::kPodA,
                 udp<V4>(Names::kPodAMac, Names::kPodBMac, W::kPodA, 1, W::kPodB, 2, 1400));
    }
    EXPECT_GT(rig.drops(Drop::kTxFull), 0u);
    rig.take(Rig::kPodB);
    rig.send(Rig::kPodB, ping<V4>(Names::kPodBMac, Names::kGatewayMac, W::kPodB, W::kGateway, 1));
    EXPECT_EQ(rig.take(Rig::kPodB).size(), 1u);
}

TEST_F(LimitsTest, AnErrorThatQuotesNothingOrIsCorruptedIsDroppedByName) {
    const Frame good =
        icmp_error_about<V4>(udp<V4>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 1, W::kPodB, 2),
                             Names::kPodBMac, Names::kGatewayMac, W::kPodB);
    Frame corrupted = good;
    corrupted.back() ^= 0xff;
    rig.send(Rig::kPodB, corrupted);
    EXPECT_EQ(rig.drops(Drop::kL4BadChecksum), 1u);
    rig.send(Rig::kPodB, test::frame()
                             .eth(Names::kPodBMac, Names::kGatewayMac)
                             .ip(W::kPodB, W::kPodA)
                             .icmp(kIcmpUnreachable, 1, 0, std::span<const uint8_t>())
                             .build());
    EXPECT_EQ(rig.drops(Drop::kIcmpErrorBad), 1u);
}

TEST_F(LimitsTest, APacketThatNoRoundOfTheSlowPathSettlesIsGivenUp) {
    WorkerCtx& ctx = context();
    Packet packet =
        packet_of(udp<V4>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 1, W::kPodB, 2));
    parse_packet(ingress_of(ctx, packet.in_port), packet);
    packet.to_slow(SlowReason::kNone);
    handle_ip<V4>(ctx, packet);
    EXPECT_EQ(packet.reason, Drop::kFlowBusy);
    Tx::run(ctx, {&packet, 1});
    EXPECT_EQ(rig.drops(Drop::kFlowBusy), 1u);
}

TEST_F(LimitsTest, NewFlowsOfACrowdedPortWaitAndThenDropByNameAndKnownOnesGoOn) {
    WorkerCtx& ctx = context();
    const Frame frame = udp<V4>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 1, W::kPodB, 2);
    for (unsigned i = 0; i < kMostDeferred + 3u; ++i) {
        Packet packet = packet_of(frame);
        packet.to_slow(SlowReason::kMiss);
        Defer::run(ctx, {&packet, 1});
        EXPECT_EQ(packet.verdict, i < kMostDeferred ? Verdict::kConsumed : Verdict::kDrop);
        if (packet.verdict == Verdict::kDrop) {
            EXPECT_EQ(packet.reason, Drop::kNewFlowOverload);
            rte_pktmbuf_free(packet.mbuf);
        }
    }
    Packet known = packet_of(frame);
    known.verdict = Verdict::kForward;
    Defer::run(ctx, {&known, 1});
    EXPECT_EQ(known.verdict, Verdict::kForward);
    Packet other = packet_of(frame);
    other.in_port = PortId{77};
    other.to_slow(SlowReason::kMiss);
    Defer::run(ctx, {&other, 1});
    EXPECT_EQ(other.verdict, Verdict::kConsumed) << "another port's share is its own";
    rte_pktmbuf_free(known.mbuf);
    Handoff item;
    while (deferred(ctx).pop(item)) rte_pktmbuf_free(item.mbuf);
}

TEST_F(LimitsTest, AFullBurstOfNewFlowsIsServedInItsTurn) {
    std::vector<Frame> frames;
    for (uint16_t i = 0; i < 2 * kBurst; ++i) {
        frames.push_back(udp<V4>(Names::kPodAMac, Names::kGatewayMac, W::kPodA,
                                 static_cast<uint16_t>(2000 + i), W::kRemotePod, 53));
    }
    rig.send_burst(Rig::kPodA, frames);
    EXPECT_EQ(rig.take(Rig::kUplink).size(), frames.size());
    EXPECT_EQ(rig.drops(Drop::kNewFlowOverload), 0u);
}

TEST_F(LimitsTest, AFullRingToTheQueuesOwnerDropsByName) {
    Port foreign;
    foreign.id = PortId{40};
    foreign.caps.max_frame_bytes = 1514;
    foreign.tx_queue[0] = kNoQueue;
    foreign.tx_owner[0] = 0;
    rig.shared().ports.set(foreign.id, &foreign);
    WorkerCtx& ctx = context();
    const Frame frame = udp<V4>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 1, W::kPodB, 2);
    for (int i = 0; i < 1100; ++i) {
        Packet packet = packet_of(frame);
        packet.send_to(foreign.id);
        Tx::run(ctx, {&packet, 1});
    }
    flush(ctx);
    EXPECT_EQ(rig.drops(Drop::kHandoffFull), 1100u - 1024u);
    Handoff item;
    while (rig.shared().handoff.ring(0, 0).pop(item)) rte_pktmbuf_free(item.mbuf);
    rig.shared().ports.set(foreign.id, nullptr);
}

TEST(MemoryPlan, HoldsThePoolAndBuffersForWholeFramesOfAnUplink) {
    RuntimeConfig config;
    config.mbufs = 4096;
    config.mbuf_bytes = 2176;
    EXPECT_EQ(pool_request(config).mbuf_bytes, 2176u);
    EXPECT_GT(eal_request(config).memory_bytes, uint64_t{4096} * 2176);
    EXPECT_GE(eal_request(config).small_page_bytes, eal_request(config).memory_bytes);
    config.hugepages = HugepageMode::kOff;
    EXPECT_EQ(eal_request(config).hugepages, HugepageUse::kOff);
}

TEST_F(LimitsTest, AnEmptyPoolIsCountedAndPassesOver) {
    std::vector<rte_mbuf*> all;
    while (rte_mbuf* mbuf = rte_pktmbuf_alloc(rig.shared().pool)) all.push_back(mbuf);
    rig.send(Rig::kPodA, ping<V4>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, W::kGateway, 1));
    EXPECT_GT(rig.drops(Drop::kNoMbuf), 0u);
    for (rte_mbuf* mbuf : all) rte_pktmbuf_free(mbuf);
    rig.turn();
    EXPECT_EQ(rig.take(Rig::kPodA).size(), 1u);
}

TEST_F(LimitsTest, ATunnelNeedsRoomBeforeTheFrame) {
    WorkerCtx& ctx = context();
    Packet packet =
        packet_of(udp<V4>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 1, W::kRemotePod, 2));
    parse_packet(ingress_of(ctx, packet.in_port), packet);
    // There is no room left before the frame.
    ASSERT_NE(rte_pktmbuf_prepend(packet.mbuf, RTE_PKTMBUF_HEADROOM), nullptr);
    packet.frame = rte_pktmbuf_mtod(packet.mbuf, uint8_t*);
    packet.adjacency = &ctx.snapshot->adjacencies[kToRemotePods];
    packet.verdict = Verdict::kRouted;
    Forward::run(ctx, {&packet, 1});
    EXPECT_EQ(packet.reason, Drop::kNoHeadroom);
    Tx::run(ctx, {&packet, 1});
}

}  // namespace
}  // namespace podlane::dataplane
