// Probes on a whole worker: what captures and traces record of packets.
#include "dataplane/probe/probe.h"

#include <gmock/gmock.h>

#include "control/capture/filter.h"
#include "dataplane/probe/observer.h"
#include "dataplane/probe/probes.h"
#include "lib/border/probe.h"
#include "tests/unit/dataplane/frames_of.h"

namespace podlane::dataplane {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

template <class F>
class Probed : public testing::Test {
  protected:
    using Here = World<F>;

    ProbeId start(ProbeRequest request) {
        const auto id = probes_.start_probe(std::move(request));
        EXPECT_TRUE(id.ok()) << id.error().message;
        return *id;
    }
    static std::vector<FilterInstruction> filter(const std::string& text) {
        auto compiled = control::compile_filter(text);
        EXPECT_TRUE(compiled.ok()) << compiled.error().message;
        return std::move(compiled).value();
    }
    std::vector<ProbeRecord> read(ProbeId id) { return probes_.read_probe(id).records; }
    [[nodiscard]] static Frame to_service(uint16_t source_port = 4000) {
        return udp<F>(Names::kPodAMac, Names::kGatewayMac, Here::kPodA, source_port, Here::kService,
                      80);
    }
    /// "in pod_a", "drop", ...
    [[nodiscard]] static std::vector<std::string> points(const std::vector<ProbeRecord>& records) {
        std::vector<std::string> out;
        for (const ProbeRecord& each : records) {
            out.emplace_back(to_string(static_cast<ProbePoint>(each.point)));
        }
        return out;
    }

    Rig rig_;
    Probes probes_{rig_.shared()};
};
using Families = testing::Types<V4, V6>;
TYPED_TEST_SUITE(Probed, Families);

TYPED_TEST(Probed, CaptureHasAPacketBeforeAndAfterTheRewriteWithWhatBecameOfIt) {
    const ProbeId id = this->start({.points = kProbeIn | kProbeOut});
    const Frame sent = this->to_service();
    this->rig_.send(Rig::kPodA, sent);
    const Frame received = this->rig_.take_one(Rig::kPodB);
    const auto records = this->read(id);
    ASSERT_THAT(this->points(records), ElementsAre("in", "out"));
    EXPECT_EQ(records[0].bytes, sent);
    EXPECT_EQ(records[1].bytes, received);
    EXPECT_EQ(records[0].wire_bytes, sent.size());
    EXPECT_EQ(records[0].packet, records[1].packet);
    for (const ProbeRecord& each : records) {
        EXPECT_EQ(each.verdict, "send");
        EXPECT_EQ(each.slow, "no flow yet");
        EXPECT_EQ(each.in_port, this->rig_.port(Rig::kPodA));
        EXPECT_EQ(each.out_port, this->rig_.port(Rig::kPodB));
        ASSERT_TRUE(each.flow && each.reply);
        EXPECT_EQ(to_string(each.flow->dst), std::string(World<TypeParam>::kService));
        EXPECT_EQ(each.flow->dst_port, 80);
        EXPECT_EQ(to_string(each.reply->src), std::string(World<TypeParam>::kPodB));
        EXPECT_EQ(each.reply->src_port, 8080);
    }
    EXPECT_GE(records[1].time_ns, records[0].time_ns);
    EXPECT_THAT(this->read(id), IsEmpty());
}

TYPED_TEST(Probed, TunnelIsSeenFromInsideAndOutside) {
    using W = World<TypeParam>;
    const ProbeId id = this->start({.points = kProbeInside | kProbeOut});
    this->rig_.send(Rig::kPodA, udp<TypeParam>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 4000,
                                               W::kRemotePod, 53));
    const Frame outside = this->rig_.take_one(Rig::kUplink);
    const auto records = this->read(id);
    ASSERT_THAT(this->points(records), ElementsAre("inside", "out"));
    EXPECT_EQ(records[1].bytes, outside);
    const size_t tunnel = outside.size() - records[0].bytes.size();
    EXPECT_GE(tunnel, 50u);
    EXPECT_EQ(records[0].bytes,
              Frame(outside.begin() + static_cast<ptrdiff_t>(tunnel), outside.end()));
}

TYPED_TEST(Probed, DropsAreSeenByTheirReasonAlone) {
    using W = World<TypeParam>;
    const ProbeId all = this->start({.points = kProbeDrop});
    const ProbeId one = this->start({.points = kProbeDrop, .reason = Drop::kServiceNoEndpoints});
    const auto to = [](const char* address) {
        return udp<TypeParam>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 4000, address, 80);
    };
    this->rig_.send(Rig::kPodA, to(W::kEmptyService));
    this->rig_.send(Rig::kPodA, to(W::kUnallocated));
    this->rig_.send(Rig::kPodA, this->to_service());
    const auto seen = this->read(all);
    ASSERT_EQ(seen.size(), 2u);
    EXPECT_EQ(seen[0].reason, Drop::kServiceNoEndpoints);
    EXPECT_EQ(seen[1].reason, Drop::kServiceUnallocated);
    EXPECT_EQ(seen[0].verdict, "drop");
    const auto chosen = this->read(one);
    ASSERT_EQ(chosen.size(), 1u);
    EXPECT_EQ(chosen[0].bytes, seen[0].bytes);
}

TYPED_TEST(Probed, FilterIsAskedOfTheFrameAtThePoint) {
    const ProbeId before =
        this->start({.points = kProbeIn | kProbeOut, .filter = this->filter("udp dst port 80")});
    const ProbeId behind =
        this->start({.points = kProbeIn | kProbeOut, .filter = this->filter("udp dst port 8080")});
    this->rig_.send(Rig::kPodA, this->to_service());
    EXPECT_THAT(this->points(this->read(before)), ElementsAre("in"));
    EXPECT_THAT(this->points(this->read(behind)), ElementsAre("out"));
}

TYPED_TEST(Probed, PortLimitsBothWays) {
    const ProbeId id =
        this->start({.points = kProbeIn | kProbeOut, .port = this->rig_.port(Rig::kPodB)});
    this->rig_.send(Rig::kPodA, this->to_service());
    EXPECT_THAT(this->points(this->read(id)), ElementsAre("out"));
}

TYPED_TEST(Probed, WhatPodlaneAnswersItselfLeavesAsWell) {
    using W = World<TypeParam>;
    const ProbeId id = this->start({.points = kProbeOut});
    this->rig_.send(Rig::kPodA, udp<TypeParam>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 4000,
                                               W::kEmptyService, 80));
    const Frame refusal = this->rig_.take_one(Rig::kPodA);
    const auto records = this->read(id);
    ASSERT_THAT(this->points(records), ElementsAre("out"));
    EXPECT_EQ(records[0].bytes, refusal);
}

TYPED_TEST(Probed, FramesAreCutAndPacketsBounded) {
    const ProbeId id = this->start({.points = kProbeIn, .snap_bytes = 60, .packets_per_second = 3});
    std::vector<Frame> frames(5, this->to_service());
    this->rig_.send_burst(Rig::kPodA, frames);
    const ProbeBatch batch = this->probes_.read_probe(id);
    ASSERT_EQ(batch.records.size(), 3u);
    EXPECT_EQ(batch.missed, 2u);
    EXPECT_EQ(batch.records[0].bytes.size(), 60u);
    EXPECT_EQ(batch.records[0].wire_bytes, frames[0].size());
    this->rig_.pass(1000);
    this->rig_.send(Rig::kPodA, frames[0]);
    EXPECT_EQ(this->read(id).size(), 1u);
}

TYPED_TEST(Probed, OneInSoManyIsTaken) {
    const ProbeId id = this->start({.points = kProbeIn, .one_in = 4});
    this->rig_.send_burst(Rig::kPodA, std::vector<Frame>(10, this->to_service()));
    const ProbeBatch batch = this->probes_.read_probe(id);
    EXPECT_EQ(batch.records.size(), 2u);
    EXPECT_EQ(batch.missed, 0u);
}

TYPED_TEST(Probed, FullRingCountsWhatItMissesAndDisturbsNoPacket) {
    const ProbeId id = this->start({.points = kProbeIn, .buffer_bytes = 1024});
    for (unsigned i = 0; i < 20; ++i) this->rig_.send(Rig::kPodA, this->to_service());
    EXPECT_EQ(this->rig_.take(Rig::kPodB).size(), 20u);
    const ProbeBatch batch = this->probes_.read_probe(id);
    EXPECT_GT(batch.records.size(), 1u);
    EXPECT_EQ(batch.records.size() + batch.missed, 20u);
}

TYPED_TEST(Probed, TraceFollowsAPacketThroughEveryStage) {
    const ProbeId id = this->start({});
    const Frame sent = this->to_service();
    this->rig_.send(Rig::kPodA, sent);
    const auto records = this->read(id);
    std::vector<std::string> stages;
    for (const ProbeRecord& each : records) stages.emplace_back(each.stage);
    ASSERT_THAT(stages,
                ElementsAre("", "parse", "decap", "lookup", "slow_path", "join", "forward", "tx"));
    EXPECT_EQ(records[0].bytes, sent);
    EXPECT_EQ(records[3].verdict, "slow path");
    EXPECT_EQ(records[3].slow, "no flow yet");
    EXPECT_EQ(records[4].verdict, "forward");
    EXPECT_TRUE(records[4].flow);
    EXPECT_EQ(records[4].bytes, sent);
    EXPECT_EQ(records[6].bytes, this->rig_.take_one(Rig::kPodB));
    EXPECT_EQ(records[7].out_port, this->rig_.port(Rig::kPodB));
    EXPECT_THAT(records[7].bytes, IsEmpty());
    for (const ProbeRecord& each : records) EXPECT_EQ(each.packet, records[0].packet);
    EXPECT_EQ(records[6].burst, 1u);
}

TYPED_TEST(Probed, TraceOfADropReasonHasNoOtherPackets) {
    using W = World<TypeParam>;
    const ProbeId id = this->start({.reason = Drop::kServiceUnallocated});
    std::vector<Frame> frames{
        this->to_service(),
        udp<TypeParam>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 4000, W::kUnallocated, 80)};
    this->rig_.send_burst(Rig::kPodA, frames);
    const auto records = this->read(id);
    std::vector<std::string> stages;
    for (const ProbeRecord& each : records) stages.emplace_back(each.stage);
    // A dropped packet goes no further.
    ASSERT_THAT(stages, ElementsAre("", "parse", "decap", "lookup", "slow_path"));
    EXPECT_EQ(records[0].bytes, frames[1]);
    EXPECT_EQ(records.back().reason, Drop::kServiceUnallocated);
}

TYPED_TEST(Probed, TraceFindsATunnelsPacketByItsInnerFrame) {
    using W = World<TypeParam>;
    const ProbeId id = this->start({.filter = this->filter("udp port 4444")});
    const auto inner = [](test::Frame& frame) {
        frame.eth(Names::kPeerVtepMac, Names::kVtepMac)
            .ip(W::kRemotePod, W::kPodB)
            .udp(4444, 53)
            .payload(64);
    };
    test::Frame alone = test::frame();
    inner(alone);
    test::Frame whole = test::frame()
                            .eth(Names::kPeerMac, Names::kUplinkMac)
                            .ip(World<V4>::kPeer, World<V4>::kNode)
                            .udp(50000, 8472)
                            .vxlan(1);
    inner(whole);
    this->rig_.send(Rig::kUplink, whole.build());
    const auto records = this->read(id);
    ASSERT_GE(records.size(), 5u);
    EXPECT_EQ(records[0].stage, "");
    EXPECT_EQ(records[0].bytes, alone.build());
    EXPECT_EQ(records.back().stage, "tx");
}

TYPED_TEST(Probed, PiecesOfALargeFrameAreSeenAsTheyLeaveUnderItsNumber) {
    using W = World<TypeParam>;
    const ProbeId id = this->start({.points = kProbeIn | kProbeInside | kProbeOut});
    const Frame sent = test::frame()
                           .eth(Names::kPodAMac, Names::kGatewayMac)
                           .ip(W::kPodA, W::kRemotePod)
                           .df()
                           .tcp(4000, 80, kTcpAck)
                           .payload(3000)
                           .partial_checksum()
                           .build();
    this->rig_.send_large(Rig::kPodA, sent, 1000);
    const auto left = this->rig_.take(Rig::kUplink);
    ASSERT_EQ(left.size(), 3u);
    const auto records = this->read(id);
    ASSERT_THAT(this->points(records),
                ElementsAre("in", "inside", "out", "inside", "out", "inside", "out"));
    EXPECT_EQ(records[0].bytes, sent);
    EXPECT_EQ(records[0].verdict, "send in pieces");
    EXPECT_EQ(records[0].out_port, this->rig_.port(Rig::kUplink));
    for (size_t i = 0; i < left.size(); ++i) {
        const ProbeRecord& inside = records[1 + 2 * i];
        const ProbeRecord& out = records[2 + 2 * i];
        EXPECT_EQ(out.bytes, left[i]);
        EXPECT_TRUE(std::equal(inside.bytes.rbegin(), inside.bytes.rend(), left[i].rbegin()));
        EXPECT_EQ(out.packet, records[0].packet);
        EXPECT_TRUE(out.flow);
    }
}

TYPED_TEST(Probed, LargeFrameThatAPortTakesWholeIsSeenWhole) {
    using W = World<TypeParam>;
    const ProbeId id = this->start({.points = kProbeOut});
    const Frame sent = test::frame()
                           .eth(Names::kPodAMac, Names::kPodBMac)
                           .ip(W::kPodA, W::kPodB)
                           .df()
                           .tcp(4000, 80, kTcpAck)
                           .payload(60000)
                           .partial_checksum()
                           .build();
    this->rig_.send_large(Rig::kPodA, sent, 1400);
    EXPECT_EQ(this->rig_.take_one(Rig::kPodB), sent);
    this->rig_.refuse_large(Rig::kPodB);
    this->rig_.send_large(Rig::kPodA, sent, 1400);
    const size_t pieces = this->rig_.take(Rig::kPodB).size();
    EXPECT_GT(pieces, 40u);
    const auto records = this->read(id);
    ASSERT_EQ(records.size(), 1 + pieces);
    EXPECT_EQ(records[0].bytes, sent);
}

TYPED_TEST(Probed, FramesThatAPortDoesNotTakeAreDropsOfIt) {
    const ProbeId id = this->start({.points = kProbeDrop, .reason = Drop::kTxFull});
    while (this->rig_.drops(Drop::kTxFull) == 0) {
        this->rig_.send_burst(Rig::kPodA, std::vector<Frame>(8, this->to_service()));
    }
    const auto records = this->read(id);
    ASSERT_EQ(records.size(), this->rig_.drops(Drop::kTxFull));
    EXPECT_EQ(records[0].verdict, "drop");
    EXPECT_EQ(records[0].reason, Drop::kTxFull);
    EXPECT_EQ(records[0].out_port, this->rig_.port(Rig::kPodB));
    EXPECT_EQ(records[0].wire_bytes, this->to_service().size());
}

TYPED_TEST(Probed, NothingIsSeenWithoutAProbeOrBehindItsEnd) {
    const ProbeId id = this->start({.points = kProbeIn});
    this->probes_.stop_probe(id);
    EXPECT_EQ(this->rig_.shared().probes.load(), nullptr);
    this->rig_.send(Rig::kPodA, this->to_service());
    EXPECT_THAT(this->read(id), IsEmpty());
}

TEST(Probe, ProgramsThatAreNoFiltersAreRefused) {
    // A jump behind the end; no return; too long.
    EXPECT_FALSE(Probe::create({.filter = {{0x15, 9, 9, 0}, {0x06, 0, 0, 0}}}, 1).ok());
    EXPECT_FALSE(Probe::create({.filter = {{0x28, 0, 0, 12}}}, 1).ok());
    EXPECT_FALSE(
        Probe::create({.filter = std::vector<FilterInstruction>(5000, {0x06, 0, 0, 0})}, 1).ok());
    EXPECT_TRUE(Probe::create({.filter = {{0x06, 0, 0, 1}}}, 1).ok());
}

TEST(Probe, ThereAreOnlySoManyAtOnce) {
    const auto shared = std::make_unique<Shared>(1);
    Probes probes(*shared);
    std::vector<ProbeId> ids;
    for (size_t i = 0; i < kMaxProbes; ++i)
        ids.push_back(*probes.start_probe({.points = kProbeIn}));
    EXPECT_FALSE(probes.start_probe({.points = kProbeIn}).ok());
    probes.stop_probe(ids.front());
    EXPECT_TRUE(probes.start_probe({.points = kProbeIn}).ok());
}

}  // namespace
}  // namespace podlane::dataplane
