// How the rest of the table is shared: half-open connections, holders with much and with little.
#include "lib/flow/shares.h"

#include <gtest/gtest.h>

#include "tests/unit/flow/support.h"

namespace podlane {
namespace {

using namespace test;

TEST(HeldCounts, NobodyIsNotCounted) {
    HeldCounts held;
    held.add(kNoHolder, 1);
    held.add(kPortHolders + 3, 2);
    held.add(kPortHolders + 3, -1);
    EXPECT_EQ(held.get(kPortHolders + 3), 1);
}

template <class F>
class SharesTest : public ::testing::Test {
  protected:
    static constexpr uint32_t kCapacity = 4096;
    static constexpr uint32_t kRoom = kCapacity + kCapacity / 8;

    SharesTest() {
        FlowTableOptions options;
        options.capacity = kCapacity;
        options.seed = 1;
        options.shares = true;
        table = FlowTable<F>::create(options, domain).value();
        domain.online(0);
    }
    InsertResult<F> open(uint32_t n, uint16_t port, uint16_t service = kNoHolder) {
        auto spec = client_connection<F>(n, 1, kProtocolTcp, kTcpSyn);
        spec.holders[0] = port;
        spec.holders[1] = service;
        return table->insert(0, spec, 100);
    }
    void establish(FlowEntry<F>& entry) {
        Connection<F>& connection = connection_of(entry);
        (void)connection.note_packet(FlowDirection::kReply, kTcpSyn | kTcpAck, {});
        (void)connection.note_packet(FlowDirection::kOriginal, kTcpAck, {});
    }
    bool has(uint32_t n) { return find<F>(*table, client_key<F>(n, kProtocolTcp)) != nullptr; }
    void turn() {
        table->maintain(0, 100);
        domain.quiescent(0);
    }

    QuiescentDomain domain;
    std::unique_ptr<FlowTable<F>> table;
};
TYPED_TEST_SUITE(SharesTest, Families, FamilyName);

TYPED_TEST(SharesTest, AFloodOfHalfOpenConnectionsEndsTheFloodersAlone) {
    ASSERT_EQ(this->open(0, 1).status, InsertStatus::kInserted);
    const auto proven = this->open(1, 2);
    this->establish(*proven.entry);
    for (uint32_t n = 10; n < 20'010; ++n) {
        ASSERT_EQ(this->open(n, 2).status, InsertStatus::kInserted) << n;
        if (n % 32 == 0) this->turn();
    }
    EXPECT_TRUE(this->has(0)) << "half open, of one who has little";
    EXPECT_TRUE(this->has(1)) << "both ends have shown themselves";
    EXPECT_FALSE(this->has(10));
    EXPECT_TRUE(this->has(20'009));
    EXPECT_GE(this->table->counters().active, this->kCapacity * 7 / 8);
    EXPECT_LE(this->table->counters().active, this->kRoom * 15 / 16);
    EXPECT_EQ(this->table->counters().refused, 0u);
}

TYPED_TEST(SharesTest, NothingGoesWhileThereIsRoom) {
    for (uint32_t n = 0; n < this->kCapacity * 15 / 16; ++n) {
        ASSERT_EQ(this->open(n, 2).status, InsertStatus::kInserted) << n;
        this->turn();
    }
    EXPECT_EQ(this->table->counters().evicted, 0u);
}

TYPED_TEST(SharesTest, AConnectionOfWhichOneEndAloneWasSeenIsHalfOpenWhateverItSays) {
    // A pod that sends segments of connections that were never opened.
    auto spec = client_connection<TypeParam>(0, 1, kProtocolTcp, kTcpAck);
    const auto made = this->table->insert(0, spec, 100);
    EXPECT_EQ(connection_of(*made.entry).state.tcp_state.load(), TcpState::kEstablished);
    EXPECT_TRUE(this->table->give_up(0, connection_of(*made.entry)));
    EXPECT_FALSE(this->has(0));
    const auto proven = this->open(1, 1);
    this->establish(*proven.entry);
    EXPECT_FALSE(this->table->give_up(0, connection_of(*proven.entry)));
}

TYPED_TEST(SharesTest, WhoHasMuchLeavesSomethingForWhoHasLittle) {
    uint32_t n = 0;
    // One holder takes all that it can get: its capacity, and not more.
    for (;; ++n) {
        const auto made = this->open(n, 7);
        if (made.status != InsertStatus::kInserted) {
            EXPECT_EQ(made.status, InsertStatus::kShare);
            break;
        }
        this->establish(*made.entry);
        this->turn();
    }
    EXPECT_GE(n, this->kCapacity);
    EXPECT_LT(n, this->kRoom);
    // Another holder's connections go on, and so do a third's while that one takes all it can get.
    for (uint32_t i = 0; i < 150; ++i, ++n) {
        const auto made = this->open(n, 8);
        ASSERT_EQ(made.status, InsertStatus::kInserted) << i;
        this->establish(*made.entry);
    }
    EXPECT_EQ(this->open(n, 9).status, InsertStatus::kInserted);
    EXPECT_EQ(this->open(n + 1, 7).status, InsertStatus::kShare);
    EXPECT_EQ(this->table->counters().evicted, 0u) << "nobody established had to go";
}

TYPED_TEST(SharesTest, OnePortsConnectionsToAServiceLeaveRoomForAnothersToIt) {
    constexpr uint16_t kService = kPortHolders + 3;
    uint32_t n = 0;
    for (;; ++n) {
        const auto made = this->open(n, 7, kService);
        if (made.status != InsertStatus::kInserted) break;
        this->establish(*made.entry);
        this->turn();
    }
    EXPECT_GE(n, this->kCapacity);
    // Other ports get on with the same Service, but not without bound.
    for (uint32_t i = 0; i < 50; ++i, ++n) {
        const auto made = this->open(n, 8, kService);
        ASSERT_EQ(made.status, InsertStatus::kInserted) << i;
        this->establish(*made.entry);
    }
    EXPECT_EQ(this->open(n, 7, kNoHolder).status, InsertStatus::kShare);
    EXPECT_EQ(this->open(n, 9, kService + 1).status, InsertStatus::kInserted);
}

TYPED_TEST(SharesTest, AHandshakeInATableOfEstablishedConnectionsIsLeftToEnd) {
    uint32_t n = 0;
    for (;; ++n) {
        const auto made = this->open(n, 7);
        if (made.status != InsertStatus::kInserted) break;
        this->establish(*made.entry);
    }
    const auto other = this->open(++n, 8);
    ASSERT_EQ(other.status, InsertStatus::kInserted);
    for (int i = 0; i < 8; ++i) {
        EXPECT_EQ(this->open(n + 1, 7).status, InsertStatus::kShare);
        this->turn();
    }
    EXPECT_TRUE(this->has(n));
}

TYPED_TEST(SharesTest, WhatIsOverMakesRoomForItsHolder) {
    uint32_t n = 0;
    for (;; ++n) {
        const auto made = this->open(n, 7);
        if (made.status != InsertStatus::kInserted) break;
        this->establish(*made.entry);
        (void)connection_of(*made.entry)
            .note_packet(FlowDirection::kOriginal, kTcpFin | kTcpAck, {});
        (void)connection_of(*made.entry).note_packet(FlowDirection::kReply, kTcpFin | kTcpAck, {});
        (void)connection_of(*made.entry).note_packet(FlowDirection::kOriginal, kTcpAck, {});
    }
    for (int i = 0; i < 8; ++i) this->turn();
    EXPECT_EQ(this->open(n, 7).status, InsertStatus::kInserted);
}

}  // namespace
}  // namespace podlane
