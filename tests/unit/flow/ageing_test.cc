#include "lib/flow/ageing.h"

#include <gtest/gtest.h>

#include "tests/unit/flow/support.h"

namespace podlane {
namespace {

using namespace test;

template <class F>
class AgeingTest : public ::testing::Test {};
TYPED_TEST_SUITE(AgeingTest, Families, FamilyName);

TYPED_TEST(AgeingTest, AnUnrepliedUdpFlowGoesAfterThirtySeconds) {
    OneWorker<TypeParam> worker(64);
    (void)worker.insert(client_connection<TypeParam>(1), 100);
    worker.sweep(129);
    EXPECT_NE(worker.find(client_key<TypeParam>(1)), nullptr);
    worker.sweep(130);
    EXPECT_EQ(worker.find(client_key<TypeParam>(1)), nullptr);
    EXPECT_EQ(worker.table().counters().expired, 1u);
    EXPECT_EQ(worker.table().counters().active, 0u);
}

TYPED_TEST(AgeingTest, AReplyGivesAUdpFlowTwoMinutesFromItsLastPacket) {
    OneWorker<TypeParam> worker(64);
    auto* entry = worker.insert(client_connection<TypeParam>(1), 100).entry;
    worker.sweep(101);
    worker.note(*entry, FlowDirection::kReply, 0);
    opposite_of(*entry).touch(120);
    for (uint32_t now = 121; now < 240; now += 7) worker.sweep(now);
    EXPECT_NE(worker.find(client_key<TypeParam>(1)), nullptr);
    worker.sweep(240);
    EXPECT_EQ(worker.find(client_key<TypeParam>(1)), nullptr);
}

TYPED_TEST(AgeingTest, AnEstablishedTcpConnectionOutlivesADayOfSilence) {
    OneWorker<TypeParam> worker(64);
    auto* entry =
        worker.insert(client_connection<TypeParam>(1, 1, kProtocolTcp, kTcpSyn), 100).entry;
    auto& connection = connection_of(*entry);
    worker.note(connection.original(), FlowDirection::kReply, kTcpSyn | kTcpAck);
    worker.note(connection.original(), FlowDirection::kOriginal, kTcpAck);
    for (uint32_t now = 101; now < 100 + 86400; now += 3600) worker.sweep(now);
    EXPECT_NE(worker.find(client_key<TypeParam>(1, kProtocolTcp)), nullptr);
    worker.sweep(100 + 86400);
    EXPECT_EQ(worker.find(client_key<TypeParam>(1, kProtocolTcp)), nullptr);
}

/// A connection with a FIN from the client that the server has acknowledged.
template <class F>
void half_close(OneWorker<F>& worker) {
    auto* entry = worker.insert(client_connection<F>(1, 1, kProtocolTcp, kTcpSyn), 100).entry;
    auto& connection = connection_of(*entry);
    worker.note(connection.original(), FlowDirection::kReply, kTcpSyn | kTcpAck);
    worker.note(connection.original(), FlowDirection::kOriginal, kTcpAck);
    worker.note(connection.original(), FlowDirection::kOriginal, kTcpFin | kTcpAck);
    worker.note(connection.original(), FlowDirection::kReply, kTcpAck);
}

TYPED_TEST(AgeingTest, AHalfClosedConnectionWaitsAnHourForItsAnswer) {
    OneWorker<TypeParam> worker(64);
    half_close(worker);
    for (uint32_t now = 101; now < 100 + 3600; now += 7) worker.sweep(now);
    EXPECT_NE(worker.find(client_key<TypeParam>(1, kProtocolTcp)), nullptr);
    worker.sweep(100 + 3600);
    EXPECT_EQ(worker.find(client_key<TypeParam>(1, kProtocolTcp)), nullptr);
}

TYPED_TEST(AgeingTest, TheOperatorsTimeoutsHold) {
    OneWorker<TypeParam> worker(64, {.tcp_close_wait = 5, .udp = 7, .udp_stream = 3});
    half_close(worker);
    (void)worker.insert(client_connection<TypeParam>(2), 100);
    worker.sweep(104);
    EXPECT_NE(worker.find(client_key<TypeParam>(1, kProtocolTcp)), nullptr);
    worker.sweep(106);
    EXPECT_EQ(worker.find(client_key<TypeParam>(1, kProtocolTcp)), nullptr);
    EXPECT_NE(worker.find(client_key<TypeParam>(2)), nullptr);
    worker.sweep(107);
    EXPECT_EQ(worker.find(client_key<TypeParam>(2)), nullptr);
}

TYPED_TEST(AgeingTest, AResetShortensTheTimeoutAtOnce) {
    OneWorker<TypeParam> worker(64);
    auto* entry =
        worker.insert(client_connection<TypeParam>(1, 1, kProtocolTcp, kTcpAck), 100).entry;
    worker.sweep(101);
    worker.note(*entry, FlowDirection::kReply, kTcpRst);
    worker.sweep(219);
    EXPECT_NE(worker.find(client_key<TypeParam>(1, kProtocolTcp)), nullptr);
    worker.sweep(220);
    EXPECT_EQ(worker.find(client_key<TypeParam>(1, kProtocolTcp)), nullptr);
}

TYPED_TEST(AgeingTest, AResetThatIsContradictedShortensNothing) {
    OneWorker<TypeParam> worker(64);
    auto* entry =
        worker.insert(client_connection<TypeParam>(1, 1, kProtocolTcp, kTcpAck), 100).entry;
    worker.note(*entry, FlowDirection::kReply, kTcpRst);
    worker.sweep(150);
    worker.note(*entry, FlowDirection::kReply, kTcpAck, 150);
    worker.sweep(80'000);
    EXPECT_NE(worker.find(client_key<TypeParam>(1, kProtocolTcp)), nullptr);
}

TYPED_TEST(AgeingTest, APacketFromAClockALittleAheadDoesNotAgeAFlow) {
    OneWorker<TypeParam> worker(64);
    auto* entry = worker.insert(client_connection<TypeParam>(1), 100).entry;
    entry->touch(131);
    worker.sweep(130);
    EXPECT_NE(worker.find(client_key<TypeParam>(1)), nullptr);
}

TYPED_TEST(AgeingTest, ASweepKeepsToItsBudgetAndPassesOnceASecond) {
    OneWorker<TypeParam> worker(300);
    for (uint32_t n = 0; n < 300; ++n) (void)worker.insert(client_connection<TypeParam>(n), 100);
    EXPECT_EQ(worker.table().sweep(0, 150, 10), 10u);
    EXPECT_EQ(worker.table().counters().expired, 10u);
    unsigned rest = 0;
    while (const unsigned step = worker.table().sweep(0, 150, 100)) rest += step;
    EXPECT_GE(rest, 290u);
    EXPECT_EQ(worker.table().counters().expired, 300u);
    EXPECT_EQ(worker.table().sweep(0, 150, 100), 0u);
    EXPECT_EQ(worker.table().sweep(0, 149, 100), 0u);
    EXPECT_EQ(worker.table().sweep(0, 151, 100), 100u);
}

TYPED_TEST(AgeingTest, ANewConnectionGetsTheRoomOfTheOldestHalfOpenOne) {
    OneWorker<TypeParam> worker(64);
    for (uint32_t n = 0; n < 64; ++n) {
        (void)worker.insert(client_connection<TypeParam>(n, 1, kProtocolTcp, kTcpSyn),
                            100 + (n + 10) % 64);  // number 54 is the oldest
    }
    EXPECT_EQ(worker.insert(client_connection<TypeParam>(64), 170).status, InsertStatus::kFull);
    worker.settle(170);
    EXPECT_EQ(worker.insert(client_connection<TypeParam>(64), 170).status, InsertStatus::kInserted);
    EXPECT_EQ(worker.find(client_key<TypeParam>(54, kProtocolTcp)), nullptr);
    EXPECT_NE(worker.find(client_key<TypeParam>(53, kProtocolTcp)), nullptr);
    const FlowCounters counters = worker.table().counters();
    EXPECT_EQ(counters.refused, 1u);
    // One batch, not more: the reserve that saves the next connection the wait.
    EXPECT_EQ(counters.evicted, 4u);
}

TYPED_TEST(AgeingTest, ClosedConnectionsGoBeforeHalfOpenOnes) {
    OneWorker<TypeParam> worker(64);
    for (uint32_t n = 0; n < 64; ++n) {
        auto* entry =
            worker.insert(client_connection<TypeParam>(n, 1, kProtocolTcp, kTcpSyn), 100).entry;
        if (n >= 60) {
            entry->touch(150);
            worker.note(*entry, FlowDirection::kReply, kTcpRst);
        }
    }
    worker.settle(150);
    EXPECT_EQ(worker.table().counters().evicted, 4u);
    for (uint32_t n = 0; n < 64; ++n) {
        EXPECT_EQ(worker.find(client_key<TypeParam>(n, kProtocolTcp)) != nullptr, n < 60) << n;
    }
}

TYPED_TEST(AgeingTest, EstablishedConnectionsNeverGoForNewOnes) {
    OneWorker<TypeParam> worker(64);
    for (uint32_t n = 0; n < 64; ++n) {
        const bool tcp = n % 2 == 0;
        auto* entry = worker
                          .insert(client_connection<TypeParam>(
                                      n, 1, tcp ? kProtocolTcp : kProtocolUdp, kTcpSyn),
                                  100)
                          .entry;
        auto& connection = connection_of(*entry);
        worker.note(connection.original(), FlowDirection::kReply, tcp ? kTcpSyn | kTcpAck : 0);
        worker.note(connection.original(), FlowDirection::kOriginal, tcp ? kTcpAck : 0);
    }
    for (int i = 0; i < 100; ++i) {
        EXPECT_EQ(worker.insert(client_connection<TypeParam>(1000), 110).status,
                  InsertStatus::kFull);
        worker.turn(110);
    }
    EXPECT_EQ(worker.table().counters().active, 64u);
    EXPECT_EQ(worker.table().counters().evicted, 0u);
    EXPECT_EQ(worker.table().counters().refused, 100u);
}

TYPED_TEST(AgeingTest, ATableWithRoomEvictsNothing) {
    OneWorker<TypeParam> worker(1000);
    for (uint32_t n = 0; n < 900; ++n) (void)worker.insert(client_connection<TypeParam>(n), 100);
    worker.settle(101);
    EXPECT_EQ(worker.table().counters().evicted, 0u);
}

TEST(Ageing, TheNextLookIsAtTheEndOfTheTimeoutOrAfterAMinute) {
    Connection<V4> connection{};
    connection.state.protocol = kProtocolUdp;
    connection.entry[0].last_seen = 100;
    connection.entry[1].last_seen = 90;
    EXPECT_EQ(next_check_s(connection, {}, 110), 130u);
    connection.state.protocol = kProtocolTcp;
    connection.state.tcp_state = TcpState::kEstablished;
    EXPECT_EQ(next_check_s(connection, {}, 110), 170u);
    EXPECT_EQ(connection.last_seen_s(), 100u);
}

}  // namespace
}  // namespace podlane
