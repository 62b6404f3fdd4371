#include "lib/flow/entry.h"

#include <gtest/gtest.h>

#include "tests/unit/flow/support.h"

namespace podlane {
namespace {

using namespace test;

constexpr auto kOut = FlowDirection::kOriginal;
constexpr auto kBack = FlowDirection::kReply;
constexpr uint8_t kSynAck = kTcpSyn | kTcpAck;
constexpr uint8_t kFinAck = kTcpFin | kTcpAck;

TEST(Hop, EpochAndIndexSurviveAWord) {
    const Hop hop{0xfedcba98, 0x01234567};
    EXPECT_EQ(Hop::unpacked(hop.packed()), hop);
    FlowEntry<V4> entry{};
    EXPECT_EQ(entry.current_hop(), (Hop{0, 0}));
    entry.set_hop(hop);
    EXPECT_EQ(entry.current_hop(), hop);
}

template <class F>
class ConnectionTest : public ::testing::Test {};
TYPED_TEST_SUITE(ConnectionTest, Families, FamilyName);

TYPED_TEST(ConnectionTest, EachEntryLeadsToItsConnectionAndTheOtherEntry) {
    std::array<Connection<TypeParam>, 3> blocks{};
    for (auto& block : blocks) {
        block.reply().direction = 1;
        EXPECT_EQ(&connection_of(block.original()), &block);
        EXPECT_EQ(&connection_of(block.reply()), &block);
        EXPECT_EQ(&opposite_of(block.original()), &block.reply());
        EXPECT_EQ(&opposite_of(block.reply()), &block.original());
    }
}

TYPED_TEST(ConnectionTest, TheLaterDirectionCountsAlsoWhenSecondsWrap) {
    Connection<TypeParam> connection{};
    connection.original().touch(10);
    connection.reply().touch(12);
    EXPECT_EQ(connection.last_seen_s(), 12u);
    connection.original().touch(13);
    EXPECT_EQ(connection.last_seen_s(), 13u);
    connection.original().touch(0xffffffff);
    connection.reply().touch(1);
    EXPECT_EQ(connection.last_seen_s(), 1u);
}

TEST(ConnectionState, OnlyLiveIsLive) {
    ConnectionState state{};
    EXPECT_FALSE(state.is_live());
    for (const Life life : {Life::kFree, Life::kInserting, Life::kLive, Life::kDead}) {
        state.life = 5u << 2 | static_cast<uint32_t>(life);
        EXPECT_EQ(state.is_live(), life == Life::kLive);
        EXPECT_EQ(ConnectionState::life_of(state.life), life);
        EXPECT_EQ(ConnectionState::generation_of(state.life), 5u);
    }
}

TEST(NotePacket, AnEstablishedConnectionNeedsItsStateForSynFinAndRstOnly) {
    Connection<V4> c{};
    c.state.tcp_state = TcpState::kSynSent;
    EXPECT_TRUE(c.original().needs_state(kTcpAck));
    EXPECT_FALSE(c.note_packet(kOut, kTcpSyn));
    EXPECT_FALSE(c.note_packet(kBack, kSynAck));
    EXPECT_TRUE(c.reply().needs_state(kTcpAck));
    EXPECT_FALSE(c.note_packet(kOut, kTcpAck));
    EXPECT_FALSE(c.original().needs_state(kTcpAck | kTcpPsh));
    EXPECT_FALSE(c.note_packet(kBack, kTcpAck));
    EXPECT_FALSE(c.reply().needs_state(kTcpAck));
    EXPECT_TRUE(c.reply().needs_state(kFinAck));
    EXPECT_FALSE(c.note_packet(kBack, kFinAck));
    EXPECT_EQ(c.state.tcp_state.load(), TcpState::kFinWait);
    EXPECT_TRUE(c.original().needs_state(kTcpAck));
}

TEST(NotePacket, EachDirectionOfAUdpFlowNeedsItsStateOnce) {
    Connection<V6> c{};
    EXPECT_FALSE(c.note_packet(kOut, 0));
    EXPECT_FALSE(c.original().needs_state(0));
    EXPECT_TRUE(c.reply().needs_state(0));
    EXPECT_FALSE(c.state.replied());
    EXPECT_FALSE(c.note_packet(kBack, 0));
    EXPECT_TRUE(c.state.replied());
    EXPECT_FALSE(c.original().needs_state(0));
    EXPECT_FALSE(c.reply().needs_state(0));
}

TEST(NotePacket, ASynOnAFinishedConnectionAsksForANewOneAndChangesNothing) {
    Connection<V4> c{};
    c.state.tcp_state = TcpState::kTimeWait;
    EXPECT_TRUE(c.note_packet(kOut, kTcpSyn));
    EXPECT_EQ(c.state.tcp_state.load(), TcpState::kTimeWait);
    EXPECT_FALSE(c.note_packet(kBack, kTcpSyn | kTcpAck));
    c.state.tcp_state = TcpState::kEstablished;
    EXPECT_FALSE(c.note_packet(kOut, kTcpSyn));
}

TEST(NotePacket, AChangeOfStateMakesTheSweepLookAgain) {
    Connection<V4> c{};
    c.state.tcp_state = TcpState::kEstablished;
    c.state.check_at_s = 1000;
    (void)c.note_packet(kOut, kTcpAck);
    EXPECT_EQ(c.state.check_at_s.load(), 1000u);
    (void)c.note_packet(kOut, kTcpRst);
    EXPECT_EQ(c.state.check_at_s.load(), 0u);
}

}  // namespace
}  // namespace podlane
