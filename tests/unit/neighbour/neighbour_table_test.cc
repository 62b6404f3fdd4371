#include "control/neighbour/neighbour_table.h"

#include <gtest/gtest.h>

#include <string>

namespace podlane::control {
namespace {

constexpr PortId kUplink{0};
constexpr MacAddress kMac{{2, 0, 0, 0, 0, 1}};
constexpr MacAddress kOtherMac{{2, 0, 0, 0, 0, 2}};

NeighbourKey key(const std::string& address, PortId port = kUplink) {
    return {port, *parse_ip(address)};
}

/// The address families behave alike: each test runs with an address of both.
class Neighbours : public testing::TestWithParam<const char*> {
  protected:
    NeighbourKey peer() const { return key(GetParam()); }
    void resolve(uint64_t now_ms) {
        (void)table_.needed(peer(), now_ms);
        (void)table_.seen(peer(), kMac, true, now_ms);
    }
    /// Ticks every 100 ms up to and including `until_ms`; gathers what came out.
    NeighbourOutcome run(uint64_t from_ms, uint64_t until_ms) {
        NeighbourOutcome all;
        for (uint64_t now = from_ms; now <= until_ms; now += 50) all.add(table_.tick(now));
        return all;
    }
    NeighbourState state() const { return table_.find(peer())->state; }

    NeighbourTable table_{7};
};
INSTANTIATE_TEST_SUITE_P(Families, Neighbours, testing::Values("192.168.50.2", "fd00::2"));

TEST_P(Neighbours, TheFirstNeedAsksEverybodyAtOnce) {
    const NeighbourOutcome out = table_.needed(peer(), 1000);
    ASSERT_EQ(out.solicitations.size(), 1u);
    EXPECT_EQ(out.solicitations[0].key, peer());
    EXPECT_TRUE(out.solicitations[0].unicast_to.is_zero());
    EXPECT_FALSE(out.changed);
    EXPECT_EQ(state(), NeighbourState::kIncomplete);
}

TEST_P(Neighbours, FurtherNeedsDoNotAskAgain) {
    (void)table_.needed(peer(), 1000);
    EXPECT_TRUE(table_.needed(peer(), 1001).solicitations.empty());
}

TEST_P(Neighbours, AnAnswerResolves) {
    (void)table_.needed(peer(), 1000);
    const NeighbourOutcome out = table_.seen(peer(), kMac, true, 1010);
    EXPECT_TRUE(out.changed);
    EXPECT_EQ(state(), NeighbourState::kReachable);
    EXPECT_EQ(table_.find(peer())->mac, kMac);
    EXPECT_FALSE(table_.seen(peer(), kMac, true, 1020).changed);
}

TEST_P(Neighbours, ThreeRequestsWithoutAnAnswerFail) {
    (void)table_.needed(peer(), 0);
    EXPECT_EQ(run(50, 200).solicitations.size(), 0u);
    EXPECT_EQ(run(250, 250).solicitations.size(), 1u);
    EXPECT_EQ(run(300, 700).solicitations.size(), 0u);
    EXPECT_EQ(run(750, 750).solicitations.size(), 1u);
    EXPECT_FALSE(run(800, 1700).changed);
    EXPECT_TRUE(run(1750, 1750).changed);
    EXPECT_EQ(state(), NeighbourState::kFailed);
}

TEST_P(Neighbours, AFailedOneIsAskedAgainAfterFiveSecondsIfNeeded) {
    (void)table_.needed(peer(), 0);
    (void)run(50, 1750);
    EXPECT_TRUE(table_.needed(peer(), 2000).solicitations.empty());
    EXPECT_TRUE(run(2050, 6750).changed);
    EXPECT_EQ(table_.find(peer()), nullptr);
    EXPECT_EQ(table_.needed(peer(), 6800).solicitations.size(), 1u);
}

TEST_P(Neighbours, AFailedOneThatSpeaksUpIsResolved) {
    (void)table_.needed(peer(), 0);
    (void)run(50, 1750);
    EXPECT_TRUE(table_.seen(peer(), kMac, false, 2000).changed);
    EXPECT_EQ(state(), NeighbourState::kReachable);
}

TEST_P(Neighbours, AWantedOneThatFailedIsAskedAgainAllTheTime) {
    EXPECT_EQ(table_.set_wanted({peer()}, 0).solicitations.size(), 1u);
    (void)run(50, 1750);
    ASSERT_EQ(state(), NeighbourState::kFailed);
    const NeighbourOutcome out = run(1800, 12'000);
    EXPECT_EQ(out.solicitations.size(), 2u);
    EXPECT_FALSE(out.changed);
    EXPECT_EQ(state(), NeighbourState::kFailed);
}

TEST_P(Neighbours, AReachableOneIsProbedByUnicastBeforeItExpires) {
    resolve(0);
    const uint64_t refresh_ms = table_.find(peer())->deadline_ms;
    EXPECT_GE(refresh_ms, NeighbourTable::kReachableMs / 2);
    EXPECT_LT(refresh_ms, NeighbourTable::kReachableMs);
    EXPECT_TRUE(table_.tick(refresh_ms - 1).solicitations.empty());
    const NeighbourOutcome out = table_.tick(refresh_ms);
    ASSERT_EQ(out.solicitations.size(), 1u);
    EXPECT_EQ(out.solicitations[0].unicast_to, kMac);
    EXPECT_FALSE(out.changed);
    EXPECT_TRUE(table_.find(peer())->is_resolved());
}

TEST_P(Neighbours, AnAnsweredProbeChangesNothing) {
    resolve(0);
    const uint64_t refresh_ms = table_.find(peer())->deadline_ms;
    (void)table_.tick(refresh_ms);
    ASSERT_EQ(state(), NeighbourState::kProbing);
    EXPECT_FALSE(table_.seen(peer(), kMac, true, refresh_ms + 5).changed);
    EXPECT_EQ(state(), NeighbourState::kReachable);
}

TEST_P(Neighbours, UnansweredProbesEndWithAskingEverybodyThenFail) {
    resolve(0);
    // When the refresh is due is drawn by lot, and a failure is forgotten after some seconds.
    NeighbourOutcome out;
    for (uint64_t now = 50; state() != NeighbourState::kFailed; now += 50) {
        ASSERT_LE(now, 33'000u);
        out.add(table_.tick(now));
    }
    ASSERT_EQ(out.solicitations.size(),
              NeighbourTable::kUnicastTries + NeighbourTable::kMulticastTries);
    EXPECT_EQ(out.solicitations.front().unicast_to, kMac);
    EXPECT_TRUE(out.solicitations.back().unicast_to.is_zero());
    EXPECT_TRUE(out.changed);
    EXPECT_EQ(state(), NeighbourState::kFailed);
}

TEST_P(Neighbours, WhatNobodyNeedsAnyMoreIsForgotten) {
    resolve(0);
    for (uint64_t now = 0; table_.find(peer()) != nullptr; now += 1000) {
        ASSERT_LE(now, NeighbourTable::kUnusedMs + NeighbourTable::kReachableMs);
        for (const Solicitation& ask : table_.tick(now).solicitations) {
            (void)table_.seen(ask.key, kMac, true, now);
        }
    }
}

TEST_P(Neighbours, AWantedOneIsNeverForgotten) {
    (void)table_.set_wanted({peer()}, 0);
    (void)table_.seen(peer(), kMac, true, 1);
    for (uint64_t now = 0; now < 2 * NeighbourTable::kUnusedMs; now += 1000) {
        const NeighbourOutcome out = table_.tick(now);
        EXPECT_FALSE(out.changed);
        for (const Solicitation& ask : out.solicitations) {
            (void)table_.seen(ask.key, kMac, true, now);
        }
    }
    EXPECT_TRUE(table_.find(peer())->is_resolved());
}

TEST_P(Neighbours, AGratuitousAnnouncementMovesAKnownAddressAtOnce) {
    resolve(0);
    EXPECT_TRUE(table_.seen(peer(), kOtherMac, false, 100).changed);
    EXPECT_EQ(table_.find(peer())->mac, kOtherMac);
}

TEST_P(Neighbours, AnUnsolicitedRepetitionDoesNotPutOffTheProbe) {
    resolve(0);
    const uint64_t before = table_.find(peer())->deadline_ms;
    (void)table_.seen(peer(), kMac, false, 10'000);
    EXPECT_EQ(table_.find(peer())->deadline_ms, before);
}

TEST_P(Neighbours, StrangersAreNotLearned) {
    EXPECT_FALSE(table_.seen(peer(), kMac, false, 0).changed);
    EXPECT_FALSE(table_.seen(peer(), kMac, true, 0).changed);
    EXPECT_TRUE(table_.all().empty());
}

TEST_P(Neighbours, AGroupMacIsNoNeighbours) {
    (void)table_.needed(peer(), 0);
    EXPECT_FALSE(table_.seen(peer(), kBroadcastMac, true, 0).changed);
    EXPECT_FALSE(table_.seen(peer(), {}, true, 0).changed);
    EXPECT_EQ(state(), NeighbourState::kIncomplete);
}

TEST_P(Neighbours, StaticOnesNeverChange) {
    table_.add_static(peer(), kMac);
    EXPECT_FALSE(table_.seen(peer(), kOtherMac, true, 0).changed);
    EXPECT_TRUE(table_.needed(peer(), 0).solicitations.empty());
    EXPECT_TRUE(run(0, 100'000).solicitations.empty());
    EXPECT_EQ(table_.find(peer())->mac, kMac);
    EXPECT_EQ(table_.next_deadline_ms(), UINT64_MAX);
}

TEST(NeighbourTable, AFullPortLosesItsOldestUnusedNeighbour) {
    NeighbourTable table{7};
    (void)table.set_wanted({key("10.0.0.1")}, 0);
    table.add_static(key("10.0.0.2"), kMac);
    const IpAddress base = *parse_ip("10.1.0.0");
    for (uint64_t i = 0; i < NeighbourTable::kMaxPerPort; ++i) {
        (void)table.needed({kUplink, address_plus(base, i)}, 10 + i);
    }
    EXPECT_EQ(table.all().size(), NeighbourTable::kMaxPerPort);
    EXPECT_NE(table.find(key("10.0.0.1")), nullptr);
    EXPECT_NE(table.find(key("10.0.0.2")), nullptr);
    EXPECT_EQ(table.find(key("10.1.0.0")), nullptr);
    EXPECT_EQ(table.find(key("10.1.0.1")), nullptr);
    EXPECT_NE(table.find(key("10.1.0.2")), nullptr);
}

TEST(NeighbourTable, PortsAreLinksOfTheirOwn) {
    NeighbourTable table{7};
    (void)table.needed(key("10.0.0.1", PortId{0}), 0);
    (void)table.needed(key("10.0.0.1", PortId{1}), 0);
    (void)table.seen(key("10.0.0.1", PortId{1}), kMac, true, 0);
    EXPECT_FALSE(table.find(key("10.0.0.1", PortId{0}))->is_resolved());
    EXPECT_TRUE(table.remove_port(PortId{1}));
    EXPECT_EQ(table.find(key("10.0.0.1", PortId{1})), nullptr);
    EXPECT_NE(table.find(key("10.0.0.1", PortId{0})), nullptr);
    EXPECT_FALSE(table.remove_port(PortId{1}));
}

TEST(NeighbourTable, WhatIsNoLongerWantedLivesAsLongAsItIsNeeded) {
    NeighbourTable table{7};
    (void)table.set_wanted({key("10.0.0.1")}, 0);
    (void)table.seen(key("10.0.0.1"), kMac, true, 0);
    (void)table.set_wanted({}, 1'000);
    (void)table.tick(10'000);
    EXPECT_TRUE(table.find(key("10.0.0.1"))->is_resolved());
}

TEST_P(Neighbours, OneThatWasKnownBeforeIsUsedAtOnceAndAskedAtTheNextTick) {
    table_.restore(peer(), kMac, 1000);
    ASSERT_NE(table_.find(peer()), nullptr);
    EXPECT_TRUE(table_.find(peer())->is_resolved());
    EXPECT_EQ(table_.find(peer())->mac, kMac);
    const NeighbourOutcome asked = table_.tick(1000);
    ASSERT_EQ(asked.solicitations.size(), 1u);
    EXPECT_TRUE(asked.solicitations[0].unicast_to.is_zero()) << "its MAC may be another by now";
    // If the neighbour has changed or is gone, it is treated like any other.
    table_.restore(peer(), kOtherMac, 1100);
    EXPECT_EQ(table_.find(peer())->mac, kMac) << "what is known here counts";
    (void)run(1050, 8000);
    EXPECT_EQ(state(), NeighbourState::kFailed);
    table_.restore(key("192.168.50.9"), MacAddress{}, 1000);
    EXPECT_EQ(table_.find(key("192.168.50.9")), nullptr);
}

}  // namespace
}  // namespace podlane::control
