// Records of connections that begin, end and are denied, and when there are none.
#include "dataplane/flow_recorder.h"

#include <array>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "lib/border/flow_records.h"
#include "tests/unit/dataplane/frames_of.h"

namespace podlane::dataplane {
namespace {

template <class F>
class FlowRecorderTest : public testing::Test {
  protected:
    using Here = World<F>;
    void open(uint16_t source_port) {
        rig_.send(Rig::kPodA, tcp<F>(Names::kPodAMac, Names::kGatewayMac, Here::kPodA, source_port,
                                     Here::kService, 80, kTcpSyn));
    }
    FlowRecorder& recorder() { return rig_.shared().recorder; }
    std::vector<FlowRecord> told() {
        std::array<FlowRecord, 64> out;
        const size_t count = recorder().take(out);
        return {out.begin(), out.begin() + static_cast<std::ptrdiff_t>(count)};
    }
    static std::string text(const RawAddress& address) { return to_string(address.to_ip()); }
    Rig rig_;
};
using Families = testing::Types<V4, V6>;
TYPED_TEST_SUITE(FlowRecorderTest, Families);

TYPED_TEST(FlowRecorderTest, NothingIsToldUnlessItIsAskedFor) {
    this->open(4000);
    EXPECT_TRUE(this->told().empty());
    EXPECT_FALSE(this->recorder().wants(0));
    this->recorder().record(kAllFlows);
    EXPECT_TRUE(this->recorder().wants(0xffffffff));
    this->recorder().record(0);
    this->open(4001);
    EXPECT_TRUE(this->told().empty());
    EXPECT_EQ(this->recorder().lost(), 0u);
}

TYPED_TEST(FlowRecorderTest, AConnectionIsToldWhenItBeginsAndWhenItEnds) {
    using W = World<TypeParam>;
    this->recorder().record(kAllFlows);
    this->open(4000);
    const auto opened = this->told();
    ASSERT_EQ(opened.size(), 1u);
    EXPECT_EQ(opened[0].kind, FlowRecordKind::kOpened);
    EXPECT_EQ(opened[0].protocol, kProtocolTcp);
    EXPECT_EQ(this->text(opened[0].src), W::kPodA);
    EXPECT_EQ(this->text(opened[0].dst), W::kService);
    EXPECT_EQ(opened[0].src_port, 4000);
    EXPECT_EQ(opened[0].dst_port, 80);
    EXPECT_EQ(this->text(opened[0].reply_src), W::kPodB);
    EXPECT_EQ(opened[0].reply_src_port, 8080);
    EXPECT_EQ(opened[0].service, ServiceId{7});
    EXPECT_EQ(opened[0].in_port, this->rig_.port(Rig::kPodA));
    EXPECT_GT(opened[0].time_ms, 1'600'000'000'000u) << "since 1970";
    this->rig_.pass(200'000);  // longer than the timeout of SYN_SENT
    for (int i = 0; i < 50; ++i) this->rig_.turn();
    const auto closed = this->told();
    ASSERT_EQ(closed.size(), 1u);
    EXPECT_EQ(closed[0].kind, FlowRecordKind::kClosed);
    EXPECT_EQ(closed[0].end, FlowEnd::kExpired);
    EXPECT_EQ(closed[0].tcp_state, TcpState::kSynSent);
    EXPECT_FALSE(closed[0].replied);
    EXPECT_EQ(closed[0].mark, opened[0].mark);
    EXPECT_GE(closed[0].time_ms, closed[0].last_ms);
}

TYPED_TEST(FlowRecorderTest, AnEndHasWhatWasCarriedWhereThatIsCounted) {
    using W = World<TypeParam>;
    Rig rig(1, 1024, false, RigMemory{{}, 0, {}, true});
    rig.shared().recorder.record(kAllFlows);
    const auto frame = tcp<TypeParam>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 4000,
                                      W::kService, 80, kTcpSyn);
    for (int i = 0; i < 3; ++i) rig.send(Rig::kPodA, frame);
    rig.pass(200'000);
    for (int i = 0; i < 50; ++i) rig.turn();
    std::array<FlowRecord, 8> records;
    const size_t count = rig.shared().recorder.take(records);
    ASSERT_EQ(count, 2u);
    EXPECT_FALSE(records[0].is_counted);
    ASSERT_TRUE(records[1].is_counted);
    const uint64_t l3_bytes = frame.size() - sizeof(EthernetHeader);
    EXPECT_EQ(records[1].traffic, (FlowTraffic{{3, 0}, {3 * l3_bytes, 0}}));
}

TYPED_TEST(FlowRecorderTest, WhatIsRefusedIsToldWithItsReason) {
    using W = World<TypeParam>;
    this->recorder().record(kAllFlows);
    this->rig_.send(Rig::kPodA, tcp<TypeParam>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 4000,
                                               W::kService, 4444, kTcpSyn));
    const auto denied = this->told();
    ASSERT_EQ(denied.size(), 1u);
    EXPECT_EQ(denied[0].kind, FlowRecordKind::kDenied);
    EXPECT_NE(denied[0].reason, Drop::kNone);
    EXPECT_EQ(this->rig_.drops(denied[0].reason), 1u);
    EXPECT_EQ(denied[0].dst_port, 4444);
    EXPECT_EQ(this->text(denied[0].dst), W::kService);
}

TYPED_TEST(FlowRecorderTest, AFullRingLosesAndCountsAndHoldsNobodyUp) {
    this->recorder().record(kAllFlows);
    const auto ctx = std::make_unique<WorkerCtx>();
    std::array<uint8_t, 128> frame{};
    Packet packet{};
    packet.headers.ip_version = TypeParam::kVersion;
    packet.headers.l3_offset = 14;
    packet.headers.l4_offset = 54;
    packet.frame = frame.data();
    for (size_t i = 0; i < FlowRecorder::kSlots + 10; ++i) {
        this->recorder().denied(*ctx, packet);
    }
    EXPECT_EQ(this->recorder().lost(), 10u);
    EXPECT_EQ(this->told().size(), 64u);
}

TYPED_TEST(FlowRecorderTest, ASampleIsTheSameForBeginningAndEnd) {
    this->recorder().record(sample_one_in(4));
    size_t opened = 0;
    for (uint16_t port = 4000; port < 4200; ++port) this->open(port);
    std::set<uint32_t> marks;
    for (auto records = this->told(); !records.empty(); records = this->told()) {
        for (const FlowRecord& record : records) {
            EXPECT_LT(record.mark, sample_one_in(4));
            marks.insert(record.mark);
            ++opened;
        }
    }
    EXPECT_GT(opened, 20u);
    EXPECT_LT(opened, 90u);
    this->rig_.pass(200'000);
    for (int i = 0; i < 50; ++i) this->rig_.turn();
    size_t closed = 0;
    for (auto records = this->told(); !records.empty(); records = this->told()) {
        for (const FlowRecord& record : records) {
            EXPECT_TRUE(marks.contains(record.mark));
            ++closed;
        }
    }
    EXPECT_EQ(closed, opened);
}

}  // namespace
}  // namespace podlane::dataplane
