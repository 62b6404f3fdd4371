#include "lib/flow/entry.h"

#include <gtest/gtest.h>

#include "tests/unit/flow/support.h"

namespace podlane {
namespace {

using namespace test;

constexpr auto kOriginal = FlowDirection::kOriginal;
constexpr auto kReply = FlowDirection::kReply;
constexpr uint8_t kSynAckFlags = kTcpSyn | kTcpAck;
constexpr uint8_t kFinAckFlags = kTcpFin | kTcpAck;

TEST(Hop, EpochAndIndexSurviveAWord) {
    const Hop hop{0xfedcba98, 0x00034567, 0x2abc};
    EXPECT_EQ(Hop::unpacked(hop.packed()), hop);
    FlowEntry<V4> entry{};
    EXPECT_EQ(entry.current_hop(), (Hop{0, 0, 0}));
    entry.set_hop(hop);
    EXPECT_EQ(entry.current_hop(), hop);
}

template <class F>
class ConnectionTest : public ::testing::Test {};
TYPED_TEST_SUITE(ConnectionTest, Families, FamilyName);

TYPED_TEST(ConnectionTest, EachEntryLeadsToItsConnectionAndTheOtherEntry) {
    std::array<Connection<TypeParam>, 3> blocks{};
    for (auto& block : blocks) {
        block.reply().flags = kEntryReply;
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
    EXPECT_NE(c.note_packet(kOriginal, kTcpSyn, {}), Noted::kReplaced);
    EXPECT_NE(c.note_packet(kReply, kSynAckFlags, {}), Noted::kReplaced);
    EXPECT_TRUE(c.reply().needs_state(kTcpAck));
    EXPECT_NE(c.note_packet(kOriginal, kTcpAck, {}), Noted::kReplaced);
    EXPECT_FALSE(c.original().needs_state(kTcpAck | kTcpPsh));
    EXPECT_NE(c.note_packet(kReply, kTcpAck, {}), Noted::kReplaced);
    EXPECT_FALSE(c.reply().needs_state(kTcpAck));
    EXPECT_TRUE(c.reply().needs_state(kFinAckFlags));
    EXPECT_NE(c.note_packet(kReply, kFinAckFlags, {}), Noted::kReplaced);
    EXPECT_EQ(c.state.tcp_state.load(), TcpState::kFinWait);
    EXPECT_TRUE(c.original().needs_state(kTcpAck));
}

TEST(NotePacket, EachDirectionOfAUdpFlowNeedsItsStateOnce) {
    Connection<V6> c{};
    EXPECT_NE(c.note_packet(kOriginal, 0, {}), Noted::kReplaced);
    EXPECT_FALSE(c.original().needs_state(0));
    EXPECT_TRUE(c.reply().needs_state(0));
    EXPECT_FALSE(c.state.replied());
    EXPECT_NE(c.note_packet(kReply, 0, {}), Noted::kReplaced);
    EXPECT_TRUE(c.state.replied());
    EXPECT_FALSE(c.original().needs_state(0));
    EXPECT_FALSE(c.reply().needs_state(0));
}

TEST(NotePacket, ASynOnAFinishedConnectionAsksForANewOneAndChangesNothing) {
    Connection<V4> c{};
    c.state.tcp_state = TcpState::kTimeWait;
    EXPECT_EQ(c.note_packet(kOriginal, kTcpSyn, {}), Noted::kReplaced);
    EXPECT_EQ(c.state.tcp_state.load(), TcpState::kTimeWait);
    EXPECT_NE(c.note_packet(kReply, kTcpSyn | kTcpAck, {}), Noted::kReplaced);
    c.state.tcp_state = TcpState::kEstablished;
    EXPECT_NE(c.note_packet(kOriginal, kTcpSyn, {}), Noted::kReplaced);
}

TEST(NotePacket, ShorterTimeoutsAreTold) {
    Connection<V4> c{};
    c.state.protocol = kProtocolTcp;
    c.state.tcp_state = TcpState::kSynSent;
    EXPECT_EQ(c.note_packet(kReply, kTcpSyn | kTcpAck, {}), Noted::kShorterTimeout);
    EXPECT_EQ(c.note_packet(kOriginal, kTcpAck, {}), Noted::kNothing);
    EXPECT_EQ(c.state.tcp_state.load(), TcpState::kEstablished);
    EXPECT_EQ(c.note_packet(kOriginal, kTcpAck, {}), Noted::kNothing);
    EXPECT_EQ(c.note_packet(kOriginal, kTcpRst, {}), Noted::kShorterTimeout);
}

}  // namespace
}  // namespace podlane
