// The parts of a worker, each by itself.
#include <sys/socket.h>
#include <unistd.h>

#include <vector>

#include "dataplane/checksum_offload.h"
#include "dataplane/clock.h"
#include "dataplane/flow_targets.h"
#include "dataplane/handoff.h"
#include "dataplane/packet.h"
#include "dataplane/pipeline.h"
#include "dataplane/ports/port.h"
#include "dataplane/ports/tap_io.h"
#include "dataplane/ports/tx_buffers.h"
#include "dataplane/runtime.h"
#include "dataplane/slowpath/hold.h"
#include "dataplane/slowpath/purge.h"
#include "dataplane/slowpath/slow_path.h"
#include "dataplane/stages/bridge.h"
#include "dataplane/stages/decap.h"
#include "dataplane/stages/encap.h"
#include "dataplane/stages/forward.h"
#include "dataplane/stages/lookup.h"
#include "dataplane/stages/parse.h"
#include "dataplane/stages/rewrite.h"
#include "dataplane/stages/stage.h"
#include "dataplane/stages/tx.h"
#include "dataplane/worker_ctx.h"
#include "lib/decide/answer.h"
#include "tests/unit/dataplane/frames_of.h"

namespace podlane::dataplane {
namespace {

static_assert(Stage<Parse> && Stage<Decap> && Stage<Lookup> && Stage<SlowPath> && Stage<Forward> &&
              Stage<Tx>);

TEST(HoldQueue, GivesBackInOrderAndKnowsWhatIsOverdue) {
    auto queue = std::make_unique<HoldQueue>();
    EXPECT_TRUE(queue->empty());
    for (uint64_t i = 0; i < 3; ++i) {
        HeldPacket held{};
        held.until_ms = 100 + i;
        held.in_port = PortId{static_cast<uint16_t>(i)};
        ASSERT_TRUE(queue->add(held));
    }
    EXPECT_FALSE(queue->overdue(99));
    EXPECT_TRUE(queue->overdue(100));
    std::vector<HeldPacket> out(HoldQueue::kSlots);
    ASSERT_EQ(queue->take_all(out.data()), 3u);
    EXPECT_EQ(out[2].in_port, PortId{2});
    EXPECT_EQ(queue->size(), 0u);
}

TEST(Packet, TheLastWordOnItsVerdictCounts) {
    Packet packet{};
    packet.to_slow(SlowReason::kTtl);
    packet.drop(Drop::kIpTtlExpired);
    EXPECT_EQ(packet.verdict, Verdict::kDrop);
    packet.send_to(PortId{4});
    EXPECT_EQ(packet.verdict, Verdict::kSend);
    EXPECT_EQ(packet.out_port, PortId{4});
    packet.flags = kToRouter;
    EXPECT_TRUE(packet.is(kToRouter));
    EXPECT_FALSE(packet.is(kFromOverlay));
}

TEST(PortTable, AChangeRaisesTheVersion) {
    auto table = std::make_unique<PortTable>();
    const uint32_t before = table->version();
    Port port;
    table->set(PortId{3}, &port);
    EXPECT_EQ(table->get(PortId{3}), &port);
    EXPECT_EQ(table->get(kNoPort), nullptr);
    EXPECT_NE(table->version(), before);
}

TEST(FlowTargets, AreRememberedByPortUntilItIsForgotten) {
    FlowTargets targets;
    targets.add(PortId{3});
    targets.add(kNoPort);
    EXPECT_TRUE(targets.has(PortId{3}));
    EXPECT_FALSE(targets.has(PortId{4}));
    targets.forget(PortId{3});
    EXPECT_FALSE(targets.has(PortId{3}));
}

TEST(TxBuffers, ListEachPortOnceAndForgetAfterDraining) {
    auto buffers = std::make_unique<TxBuffers>();
    buffers->lane(PortId{1}).count = 2;
    (void)buffers->lane(PortId{2});
    (void)buffers->lane(PortId{1});
    unsigned flushed = 0;
    const auto flush_lane = [&](PortId, TxBuffers::Lane& lane) {
        ++flushed;
        lane.count = 0;
    };
    buffers->drain(flush_lane);
    EXPECT_EQ(flushed, 1u) << "an empty lane is passed over";
    buffers->drain(flush_lane);
    EXPECT_EQ(flushed, 1u);
}

TEST(TxBuffers, ALaneIsAsOldAsTheOldestOfItsFrames) {
    auto buffers = std::make_unique<TxBuffers>();
    buffers->receive_at(100);
    TxBuffers::Lane& lane = buffers->lane(PortId{1});
    lane.count = 5;
    buffers->receive_at(200);
    EXPECT_EQ(buffers->lane(PortId{1}).since_tsc, 100u);
    EXPECT_EQ(buffers->lane(PortId{2}).since_tsc, 200u);
    buffers->reset(lane);
    EXPECT_EQ(lane.count, 0u);
    EXPECT_EQ(lane.since_tsc, 200u) << "what follows came in with the last look";
}

TEST(Clock, TellsMillisecondsOfTheBootClockAndNanosecondsOfIntervals) {
    const uint64_t before = boot_clock_ms();
    Clock clock;
    EXPECT_GE(clock.milliseconds(clock.start_tsc), before);
    EXPECT_LE(clock.milliseconds(clock.start_tsc), boot_clock_ms());
    clock.start_ms = 1000;
    EXPECT_EQ(clock.milliseconds(clock.start_tsc + 2500 * clock.tsc_per_ms), 3500u);
    EXPECT_EQ(clock.seconds(clock.start_tsc + 2500 * clock.tsc_per_ms), 3u);
    EXPECT_NEAR(static_cast<double>(clock.nanoseconds(clock.tsc_per_ms)), 1e6, 10);
    EXPECT_NEAR(static_cast<double>(clock.nanoseconds(3'000'000 * clock.tsc_per_ms)), 3e12, 3e7);
}

TEST(Clock, AnotherProcessGoesOnWithTheSameTime) {
    const Clock first;
    const Clock second;
    const uint64_t tsc = rte_rdtsc();
    const auto apart = static_cast<int64_t>(first.milliseconds(tsc) - second.milliseconds(tsc));
    EXPECT_LE(std::abs(apart), 20) << "they read two clocks one after the other";
}

TEST(Latency, IsCountedOfWhatLeftAndOfNothingElse) {
    Rig rig;
    using W = World<V4>;
    const LatencyHistogram& latency = rig.shared().counters[0]->latency;
    const auto counted = [&] {
        uint64_t packets = 0;
        for (size_t i = 0; i < LatencyHistogram::kBuckets; ++i) packets += latency.packets(i);
        return packets;
    };
    for (uint16_t port = 1; port <= 3; ++port) {
        rig.send(Rig::kPodA,
                 udp<V4>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, port, W::kService, 80));
    }
    EXPECT_EQ(counted(), 3u);
    rig.send(Rig::kPodA, udp<V4>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 1, "0.0.0.0", 80));
    EXPECT_EQ(rig.all_drops(), 1u);
    EXPECT_EQ(counted(), 3u);
    EXPECT_GT(latency.quantile_ns(0.5), 0u);
    EXPECT_LT(latency.quantile_ns(1), LatencyHistogram::kLongestNs);
}

TEST(HandoffRings, EachPairOfWorkersHasItsOwn) {
    HandoffRings rings(3);
    EXPECT_NE(&rings.ring(0, 1), &rings.ring(1, 0));
    ASSERT_TRUE(rings.ring(0, 1).push({nullptr, PortId{7}}));
    Handoff item;
    EXPECT_FALSE(rings.ring(1, 0).pop(item));
    ASSERT_TRUE(rings.ring(0, 1).pop(item));
    EXPECT_EQ(item.port, PortId{7});
}

TEST(WorkerCtx, NoticesAreABurstAndThenOneAMillisecondHalfOfThemForOnePort) {
    auto ctx = std::make_unique<WorkerCtx>();
    unsigned at_once = 0;
    while (ctx->may_notify(PortId{1})) ++at_once;
    EXPECT_EQ(at_once, WorkerCtx::kNoticeBurst / 2);
    while (ctx->may_notify(PortId{2})) ++at_once;
    EXPECT_EQ(at_once, WorkerCtx::kNoticeBurst);
    EXPECT_FALSE(ctx->may_notify(PortId{3}));
    ctx->now_ms += 4;
    for (const PortId port : {PortId{1}, PortId{2}}) {
        EXPECT_TRUE(ctx->may_notify(port));
        EXPECT_TRUE(ctx->may_notify(port));
        EXPECT_FALSE(ctx->may_notify(port));
    }
    EXPECT_NE(ctx->next_random(), ctx->next_random());
}

TEST(Answer, PodsUplinksAndTheHostAreToldDifferentThings) {
    Rig rig;
    auto ctx = std::make_unique<WorkerCtx>();
    ctx->snapshot = &rig.snapshot();
    using W = World<V4>;
    const auto ask = [&](Rig::Who who, const char* target) {
        return answer_for<V4>(rig.snapshot(), rig.port(who), ip<V4>(target));
    };
    EXPECT_EQ(ask(Rig::kPodA, W::kPodB), Names::kPodBMac);
    EXPECT_EQ(ask(Rig::kPodA, W::kNode), Names::kGatewayMac);
    EXPECT_EQ(ask(Rig::kPodA, W::kOutside), std::nullopt);
    EXPECT_EQ(ask(Rig::kUplink, W::kNode), Names::kUplinkMac);
    EXPECT_EQ(ask(Rig::kUplink, W::kGateway), std::nullopt);
    EXPECT_EQ(ask(Rig::kHost, W::kOutside), Names::kGatewayMac);
}

TEST(OpenPorts, ATapsLinkIsKnownByItsDescriptor) {
    int ends[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends), 0);
    TapPortSpec spec;
    spec.queue_fds = {ends[0]};
    const auto port = open_tap_port(std::move(spec), 1).value();
    const std::array<const OpenPort*, 1> ports{port.get()};
    const auto state = [&] { return states_of(ports).at(0).link.state; };
    EXPECT_EQ(state(), LinkState::kUp);
    const std::array<char, 1024> frame{};
    while (write(ends[0], frame.data(), frame.size()) > 0) {
    }
    EXPECT_EQ(state(), LinkState::kDown) << "takes nothing";
    close(ends[1]);
    EXPECT_EQ(state(), LinkState::kGone);
    EXPECT_EQ(losses_of(*port), DeviceLosses{});
}

TEST(Runtime, RefusesANumberOfWorkersThatCannotBe) {
    const auto started = start(RuntimeConfig{});
    ASSERT_FALSE(started.ok());
    EXPECT_EQ(started.error().message, "workers: 0 is not allowed (1-64)");
}

}  // namespace
}  // namespace podlane::dataplane
