#include "lib/flow/tcp_state.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <utility>

namespace podlane {
namespace {

constexpr auto kOut = FlowDirection::kOriginal;
constexpr auto kBack = FlowDirection::kReply;
constexpr uint8_t kSynAck = kTcpSyn | kTcpAck;
constexpr uint8_t kFinAck = kTcpFin | kTcpAck;

struct Segment {
    FlowDirection direction;
    uint8_t flags;
};

TcpState after(std::initializer_list<Segment> segments) {
    TcpState state = TcpState::kNone;
    for (const Segment& s : segments) state = next_state(state, s.direction, s.flags);
    return state;
}

TEST(TcpState, TheThreeWayHandshakeEstablishes) {
    EXPECT_EQ(after({{kOut, kTcpSyn}}), TcpState::kSynSent);
    EXPECT_EQ(after({{kOut, kTcpSyn}, {kBack, kSynAck}}), TcpState::kSynReceived);
    EXPECT_EQ(after({{kOut, kTcpSyn}, {kBack, kSynAck}, {kOut, kTcpAck}}), TcpState::kEstablished);
}

TEST(TcpState, RepeatedSegmentsOfTheHandshakeChangeNothing) {
    EXPECT_EQ(after({{kOut, kTcpSyn}, {kOut, kTcpSyn}}), TcpState::kSynSent);
    EXPECT_EQ(after({{kOut, kTcpSyn}, {kBack, kSynAck}, {kOut, kTcpSyn}, {kBack, kSynAck}}),
              TcpState::kSynReceived);
}

TEST(TcpState, ASimultaneousOpenEstablishes) {
    EXPECT_EQ(after({{kOut, kTcpSyn}, {kBack, kTcpSyn}}), TcpState::kSynSentBoth);
    EXPECT_EQ(after({{kOut, kTcpSyn}, {kBack, kTcpSyn}, {kOut, kSynAck}, {kBack, kSynAck}}),
              TcpState::kSynReceived);
    EXPECT_EQ(after({{kOut, kTcpSyn},
                     {kBack, kTcpSyn},
                     {kOut, kSynAck},
                     {kBack, kSynAck},
                     {kOut, kTcpAck}}),
              TcpState::kEstablished);
}

TEST(TcpState, ACloseFromEitherEndRunsThroughToTimeWait) {
    for (const auto& [first, second] : {std::pair{kOut, kBack}, std::pair{kBack, kOut}}) {
        TcpState state = TcpState::kEstablished;
        state = next_state(state, first, kFinAck);
        EXPECT_EQ(state, TcpState::kFinWait);
        state = next_state(state, second, kTcpAck);
        EXPECT_EQ(state, TcpState::kCloseWait);
        state = next_state(state, second, kFinAck);
        EXPECT_EQ(state, TcpState::kLastAck);
        state = next_state(state, first, kTcpAck);
        EXPECT_EQ(state, TcpState::kTimeWait);
    }
}

TEST(TcpState, AResetClosesFromAnyStateAndLeavesAnEstablishedConnectionInDoubt) {
    for (unsigned s = 0; s < kTcpStates; ++s) {
        const auto state = static_cast<TcpState>(s);
        const bool doubtful = state == TcpState::kEstablished ||
                              state == TcpState::kResetByOriginal ||
                              state == TcpState::kResetByReply;
        EXPECT_EQ(next_state(state, kBack, kTcpRst | kTcpAck),
                  doubtful ? TcpState::kResetByReply : TcpState::kClose);
        EXPECT_EQ(next_state(state, kOut, kTcpRst),
                  doubtful ? TcpState::kResetByOriginal : TcpState::kClose);
    }
}

TEST(TcpState, AnEndThatGoesOnAfterItsResetLives) {
    for (const auto& [end, other] : {std::pair{kOut, kBack}, std::pair{kBack, kOut}}) {
        const TcpState reset = next_state(TcpState::kEstablished, end, kTcpRst);
        EXPECT_EQ(next_state(reset, end, kTcpAck), TcpState::kEstablished);
        EXPECT_EQ(next_state(reset, end, kFinAck), TcpState::kFinWait);
        // Segments that were on their way to the dead end, and its replies to them, prove nothing.
        EXPECT_EQ(next_state(reset, other, kTcpAck), reset);
        EXPECT_EQ(next_state(reset, other, kFinAck), reset);
        EXPECT_EQ(next_state(reset, end, kTcpRst), reset);
        EXPECT_EQ(next_state(reset, other, kSynAck), reset);
    }
}

TEST(TcpState, WhoResetsBothEndsByForgeryLosesToTheOneThatWasNamedLast) {
    TcpState state = next_state(TcpState::kEstablished, kOut, kTcpRst);
    state = next_state(state, kBack, kTcpRst);
    EXPECT_EQ(next_state(state, kOut, kTcpAck), state);
    EXPECT_EQ(next_state(state, kBack, kTcpAck), TcpState::kEstablished);
}

TEST(TcpState, AResetConnectionIsBegunAnewByItsOwnEndAlone) {
    for (const TcpState reset : {TcpState::kResetByOriginal, TcpState::kResetByReply}) {
        EXPECT_EQ(next_state(reset, kOut, kTcpSyn), TcpState::kSynSent);
        EXPECT_EQ(next_state(reset, kBack, kTcpSyn), reset);
    }
}

TEST(TcpState, AConnectionIsPickedUpInItsMiddle) {
    EXPECT_EQ(after({{kOut, kTcpAck}}), TcpState::kEstablished);
    EXPECT_EQ(after({{kOut, kFinAck}}), TcpState::kFinWait);
}

TEST(TcpState, AnAckOfTheReplierDoesNotEstablish) {
    EXPECT_EQ(after({{kOut, kTcpSyn}, {kBack, kTcpAck}}), TcpState::kSynSent);
    EXPECT_EQ(after({{kOut, kTcpSyn}, {kBack, kSynAck}, {kBack, kTcpAck}}), TcpState::kSynReceived);
}

TEST(TcpState, OnlyAClosedOrWaitingTupleIsReplacedByASyn) {
    for (unsigned s = 0; s < kTcpStates; ++s) {
        const auto state = static_cast<TcpState>(s);
        const bool replaced = state == TcpState::kTimeWait || state == TcpState::kClose ||
                              state == TcpState::kResetByOriginal ||
                              state == TcpState::kResetByReply;
        EXPECT_EQ(may_be_replaced(state), replaced);
        if (replaced) {
            EXPECT_EQ(next_state(state, kOut, kTcpSyn), TcpState::kSynSent);
        }
    }
    EXPECT_EQ(next_state(TcpState::kEstablished, kOut, kTcpSyn), TcpState::kEstablished);
}

TEST(TcpState, NoSegmentLeadsBackToNone) {
    for (unsigned s = 0; s < kTcpStates; ++s) {
        for (unsigned flags = 0; flags < 64; ++flags) {
            for (const auto direction : {kOut, kBack}) {
                EXPECT_NE(
                    next_state(static_cast<TcpState>(s), direction, static_cast<uint8_t>(flags)),
                    TcpState::kNone);
            }
        }
    }
}

TEST(TcpState, SteadyMeansThatNoSegmentWithoutSynFinRstChangesIt) {
    for (unsigned s = 0; s < kTcpStates; ++s) {
        const auto state = static_cast<TcpState>(s);
        if (!is_steady(state)) continue;
        for (unsigned flags = 0; flags < 64; ++flags) {
            if (can_change_state(static_cast<uint8_t>(flags))) continue;
            EXPECT_EQ(next_state(state, kOut, static_cast<uint8_t>(flags)), state);
            EXPECT_EQ(next_state(state, kBack, static_cast<uint8_t>(flags)), state);
        }
    }
}

TEST(TcpState, HasNfConntracksNames) {
    EXPECT_STREQ(to_string(TcpState::kTimeWait), "TIME_WAIT");
    for (const TcpState reset : {TcpState::kResetByOriginal, TcpState::kResetByReply}) {
        EXPECT_STREQ(to_string(reset), "CLOSE");
    }
}

}  // namespace
}  // namespace podlane
