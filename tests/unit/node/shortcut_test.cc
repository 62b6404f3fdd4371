// Which connections the kernel gets, and when it no longer has them.
#include "control/node/shortcut.h"

#include <cstring>

#include "control/node/explain_remarks.h"
#include "lib/flow/rewrite.h"
#include "lib/proto/ip_protocol.h"
#include "tests/unit/node/node_fixture.h"

namespace podlane::control {
namespace {

constexpr PortId kOne{3}, kTwo{4};
constexpr FlowRef kFlow{7, 1, false};
constexpr MacAddress kMacOne{{2, 0, 0, 0, 0, 1}}, kMacTwo{{2, 0, 0, 0, 0, 2}};

/// Maps that are only memory.
class FakeKernel final : public KernelFlows {
  public:
    std::vector<std::pair<shortcut_key, shortcut_rewrite>> entries;
    unsigned room = 16;

    bool put(const shortcut_key& key, const shortcut_rewrite& rewrite) override {
        if (entries.size() == room) return false;
        std::erase_if(entries, [&](const auto& each) { return is_same(each.first, key); });
        entries.emplace_back(key, rewrite);
        return true;
    }
    void erase(const shortcut_key& key, uint32_t slot) override {
        std::erase_if(entries, [&](const auto& each) {
            return is_same(each.first, key) && each.second.slot == slot;
        });
    }
    void clear() override { entries.clear(); }
    shortcut_state& state(uint32_t slot) override { return states_.at(slot); }
    shortcut_epochs& epochs() override { return epochs_; }
    uint32_t slots() const override { return static_cast<uint32_t>(states_.size()); }

    /// What the program does with a packet: whether it carries it.
    bool carries(size_t entry) {
        const shortcut_state& state = states_.at(entries.at(entry).second.slot);
        const bool is_allowed = state.epoch == epochs_.topology || state.epoch == epochs_.isolated;
        const bool has_service = state.service == 0 || static_cast<uint32_t>(state.service) ==
                                                           epochs_.services[state.service >> 32];
        return epochs_.paused == 0 && state.stopped == 0 && is_allowed && has_service;
    }

  private:
    static bool is_same(const shortcut_key& one, const shortcut_key& other) {
        return std::memcmp(&one, &other, sizeof(one)) == 0;
    }

    std::array<shortcut_state, 4> states_{};
    shortcut_epochs epochs_{.paused = 2};  // what a former process has left
};

CarriedWay way(PortId in, PortId out, uint32_t epoch) {
    CarriedWay made;
    made.in = in;
    made.out = out;
    made.src = RawAddress::from(address(in == kOne ? "10.244.1.10" : "10.244.1.11"));
    made.dst = RawAddress::from(address(in == kOne ? "10.244.1.11" : "10.244.1.10"));
    made.to_src = made.src;
    made.to_dst = made.dst;
    made.epoch = epoch;
    made.is_valid = true;
    return made;
}

class ShortcutTest : public testing::Test {
  protected:
    void SetUp() override {
        publish(1);
        shortcut_.begin(now_ms_);
        shortcut_.add_port(kOne, 11, kMacOne);
        shortcut_.add_port(kTwo, 12, kMacTwo);
        say(1);
    }
    /// The flow table says that the connection is allowed under this epoch.
    void say(uint32_t epoch) {
        dataplane_.to_carry[kFlow] = {.protocol = kProtocolTcp,
                                      .ways = {way(kOne, kTwo, epoch), way(kTwo, kOne, epoch)}};
    }
    void publish(uint32_t topology, size_t service = 0, uint32_t service_epoch = 0) {
        auto next = std::make_shared<Snapshot>(*dataplane_.current());
        next->topology_epoch = topology;
        if (service_epoch != 0) next->service_epochs.set(service, service_epoch);
        shortcut_.before(*next);
        dataplane_.publish(std::move(next));
    }
    void offer() { shortcut_.offered(kFlow, now_ms_); }
    void pass_a_second() { shortcut_.tick(now_ms_ += 1100); }
    bool carries_both() { return kernel_.carries(0) && kernel_.carries(1); }

    FakeDataplane dataplane_;
    FakeKernel kernel_;
    Shortcut shortcut_{dataplane_, &kernel_};
    uint64_t now_ms_ = 1000;
};

TEST_F(ShortcutTest, AnOfferPutsBothDirectionsIntoTheMaps) {
    offer();
    ASSERT_EQ(kernel_.entries.size(), 2u);
    EXPECT_TRUE(carries_both());
    EXPECT_TRUE(shortcut_.carries(kFlow));
    const auto& [key, rewrite] = kernel_.entries[0];
    EXPECT_EQ(key.ifindex, 11u);
    EXPECT_EQ(rewrite.target, 12u);
    EXPECT_EQ(rewrite.reverse_slot, kernel_.entries[1].second.slot);
    EXPECT_EQ(std::memcmp(rewrite.from_mac, kMacOne.bytes.data(), 6), 0);
}

TEST_F(ShortcutTest, WhatIsNotValidBothWaysOrLeadsElsewhereIsNotCarried) {
    dataplane_.to_carry[kFlow].ways[1].is_valid = false;
    offer();
    EXPECT_TRUE(kernel_.entries.empty());
    say(1);
    dataplane_.to_carry[kFlow].ways[0].out = PortId{9};
    offer();
    EXPECT_TRUE(kernel_.entries.empty());
    dataplane_.to_carry.clear();
    offer();
    EXPECT_TRUE(kernel_.entries.empty());
}

TEST_F(ShortcutTest, ANewEpochStopsItBeforeTheSnapshotIsPublished) {
    offer();
    auto next = std::make_shared<Snapshot>(*dataplane_.current());
    next->topology_epoch = 2;
    shortcut_.before(*next);
    EXPECT_FALSE(kernel_.carries(0));
    EXPECT_FALSE(shortcut_.carries(kFlow));
    dataplane_.publish(std::move(next));
    dataplane_.to_carry[kFlow].ways[0].is_valid = dataplane_.to_carry[kFlow].ways[1].is_valid =
        false;
    pass_a_second();
    EXPECT_FALSE(kernel_.carries(0));
    say(2);
    offer();  // its packet was allowed by a worker
    EXPECT_TRUE(carries_both());
    EXPECT_EQ(kernel_.entries.size(), 2u);
}

TEST_F(ShortcutTest, AUdpFlowWaitsUntilItsServiceWasLookedAt) {
    CarriedFlow& flow = dataplane_.to_carry[kFlow];
    flow.checks_service = true;
    for (CarriedWay& each : flow.ways) each.service = ServiceId{200};
    offer();
    EXPECT_TRUE(carries_both());
    publish(1, 201, 5);
    EXPECT_TRUE(carries_both()) << "another Service has changed";
    EXPECT_TRUE(shortcut_.carries(kFlow));
    publish(1, 200, 5);
    EXPECT_FALSE(shortcut_.carries(kFlow));
    EXPECT_FALSE(kernel_.carries(0));
    pass_a_second();
    EXPECT_TRUE(carries_both());
}

TEST_F(ShortcutTest, AStoppedConnectionIsTakenOutAndItsSlotsRest) {
    offer();
    kernel_.state(kernel_.entries[0].second.slot).stopped = 1;
    pass_a_second();
    EXPECT_TRUE(kernel_.entries.empty());
    // Of four slots two are used and two are left; then none before the first ones have rested.
    offer();
    EXPECT_EQ(kernel_.entries.size(), 2u);
    dataplane_.to_carry.clear();
    pass_a_second();
    EXPECT_TRUE(kernel_.entries.empty()) << "the connection has ended";
    say(1);
    offer();
    EXPECT_EQ(kernel_.entries.size(), 2u);
}

TEST_F(ShortcutTest, AnEndedConnectionDoesNotTakeItsSuccessorOnTheSamePortsAlong) {
    offer();
    kernel_.state(kernel_.entries[0].second.slot).stopped = 1;
    const FlowRef successor{7, 2, false};
    dataplane_.to_carry[successor] = dataplane_.to_carry[kFlow];
    dataplane_.to_carry.erase(kFlow);
    shortcut_.offered(successor, now_ms_);
    pass_a_second();
    EXPECT_EQ(kernel_.entries.size(), 2u);
    EXPECT_TRUE(carries_both());
    EXPECT_TRUE(shortcut_.carries(successor));
    EXPECT_FALSE(shortcut_.carries(kFlow));
}

TEST_F(ShortcutTest, APodThatGoesTakesItsConnectionsAlong) {
    offer();
    const uint32_t slot = kernel_.entries[0].second.slot;
    shortcut_.remove_port(kTwo);
    EXPECT_TRUE(kernel_.entries.empty());
    EXPECT_EQ(kernel_.state(slot).stopped, 1u);
    offer();
    EXPECT_TRUE(kernel_.entries.empty()) << "a worker has offered it once more";
}

TEST_F(ShortcutTest, CountsAndTimesComeBackOnce) {
    offer();
    shortcut_state& state = kernel_.state(kernel_.entries[0].second.slot);
    state.packets = 10;
    state.bytes = 5000;
    state.last_ns = 77'500'000'000;
    dataplane_.noted.clear();
    pass_a_second();
    ASSERT_EQ(dataplane_.noted.size(), 1u);
    EXPECT_EQ(dataplane_.noted[0].second.packets[0], 10u);
    EXPECT_EQ(dataplane_.noted[0].second.last_seen_s, 77u);
    state.packets = 12;
    pass_a_second();
    EXPECT_EQ(dataplane_.noted.back().second.packets[0], 2u);
    EXPECT_EQ(shortcut_.traffic(kOne).from_packets, 12u);
    EXPECT_EQ(shortcut_.traffic(kTwo).to_bytes, 5000u);
}

TEST_F(ShortcutTest, PausesAddUpAndAnotherProcessIsNotDisturbed) {
    offer();
    EXPECT_EQ(kernel_.epochs().paused, 0u) << "what the former process had set";
    shortcut_.pause(ShortcutPause::kProbing, true);
    EXPECT_FALSE(shortcut_.carries(kFlow));
    shortcut_.rest();
    shortcut_.pause(ShortcutPause::kProbing, false);
    EXPECT_NE(kernel_.epochs().paused, 0u);
    kernel_.clear();
    publish(9);
    offer();
    pass_a_second();
    EXPECT_TRUE(kernel_.entries.empty());
    EXPECT_EQ(kernel_.epochs().topology, 1u);
    shortcut_.begin(now_ms_);
    EXPECT_EQ(kernel_.epochs().topology, 9u);
    EXPECT_FALSE(shortcut_.carries(kFlow));
}

TEST_F(ShortcutTest, ExplainSaysWhichConnectionsTheKernelCarries) {
    StepTrace trace;
    remark_carrier(shortcut_, kProtocolTcp, kOne, PortId{9}, trace);
    remark_carrier(shortcut_, kProtocolTcp, kOne, kOne, trace);
    remark_carrier(shortcut_, kProtocolIcmp, kOne, kTwo, trace);
    EXPECT_TRUE(trace.steps.empty());
    remark_carrier(shortcut_, kProtocolUdp, kOne, kTwo, trace);
    ASSERT_EQ(trace.steps.size(), 1u);
    EXPECT_EQ(trace.steps[0].what, "the node's kernel");
}

TEST_F(ShortcutTest, WithoutRoomNothingIsLeftInTheMaps) {
    kernel_.room = 1;
    offer();
    EXPECT_TRUE(kernel_.entries.empty());
    EXPECT_FALSE(shortcut_.carries(kFlow));
}

/// Also between a pod and an uplink.
class UplinkShortcutTest : public ShortcutTest {
  protected:
    static constexpr PortId kUplink{5};
    static constexpr uint32_t kHop = 6;

    void SetUp() override {
        ShortcutTest::SetUp();
        shortcut_.add_uplink(kUplink, 99);
        set_next_hop({{2, 0, 0, 0, 1, 1}});
        say_remote(1);
    }
    void set_next_hop(const MacAddress& mac, uint32_t topology = 1) {
        auto next = std::make_shared<Snapshot>(*dataplane_.current());
        Adjacency hop;
        hop.kind = AdjacencyKind::kEthernet;
        hop.port = kUplink;
        hop.dst = mac;
        next->adjacencies.set(kHop, hop);
        next->topology_epoch = topology;
        next_hop_ = mac;
        shortcut_.before(*next);
        dataplane_.publish(std::move(next));
    }
    void say_remote(uint32_t epoch) {
        CarriedWay there = way(kOne, kUplink, epoch), back = way(kUplink, kOne, epoch);
        there.adjacency = kHop;
        there.dst_mac = next_hop_;
        there.src_mac = kMacTwo;
        there.into_tunnel = back.out_of_tunnel = true;
        dataplane_.to_carry[kFlow] = {.protocol = kProtocolTcp, .ways = {there, back}};
    }
    MacAddress next_hop_{};
};

TEST_F(UplinkShortcutTest, BothDirectionsAreInTheMapsByTheNic) {
    offer();
    ASSERT_EQ(kernel_.entries.size(), 2u);
    EXPECT_TRUE(carries_both());
    const auto& [key, rewrite] = kernel_.entries[0];
    const auto& [back_key, back] = kernel_.entries[1];
    EXPECT_EQ(key.ifindex, 11u);
    EXPECT_EQ(rewrite.target, 99u);
    EXPECT_EQ(rewrite.flags, SHORTCUT_MACS | SHORTCUT_LEAVES | SHORTCUT_ENCAP);
    EXPECT_EQ(back_key.ifindex, 99u);
    EXPECT_EQ(back_key.tunnelled, 1);
    EXPECT_EQ(back.target, 11u);
    EXPECT_EQ(back.flags, SHORTCUT_MACS | SHORTCUT_COMES);
    EXPECT_EQ(std::memcmp(back.router_mac, kMacTwo.bytes.data(), 6), 0);
}

TEST_F(UplinkShortcutTest, WhatPassesThroughTheNodeIsNotCarried) {
    const PortId other{6};
    shortcut_.add_uplink(other, 98);
    dataplane_.to_carry[kFlow].ways = {way(kUplink, other, 1), way(other, kUplink, 1)};
    offer();
    EXPECT_TRUE(kernel_.entries.empty());
}

TEST_F(UplinkShortcutTest, ANextHopWithAnotherMacStopsItAtOnceAndIsUsedFromTheNextLookOn) {
    offer();
    set_next_hop({{2, 0, 0, 0, 1, 2}});
    EXPECT_FALSE(kernel_.carries(0));
    EXPECT_TRUE(kernel_.carries(1)) << "only one way leads there";
    say_remote(1);
    pass_a_second();
    ASSERT_EQ(kernel_.entries.size(), 2u);
    EXPECT_TRUE(carries_both());
    EXPECT_EQ(std::memcmp(kernel_.entries[0].second.dst_mac, next_hop_.bytes.data(), 6), 0);
}

TEST_F(UplinkShortcutTest, AnUplinkThatGoesTakesItsConnectionsAlong) {
    offer();
    shortcut_.remove_port(kUplink);
    EXPECT_TRUE(kernel_.entries.empty());
}

TEST_F(UplinkShortcutTest, ThePortOfTheTunnelIsToldToTheKernel) {
    auto next = std::make_shared<Snapshot>(*dataplane_.current());
    next->overlay.enabled = true;
    next->overlay.port = be16(8472);
    shortcut_.before(*next);
    EXPECT_EQ(kernel_.epochs().tunnel_port, be16(8472).raw);
}

/// Also between a pod and the node's own kernel.
class HostShortcutTest : public ShortcutTest {
  protected:
    static constexpr PortId kHost{5}, kUplink{6};
    static constexpr MacAddress kHostMac{{2, 0, 0, 0, 0, 5}};

    void SetUp() override {
        ShortcutTest::SetUp();
        shortcut_.add_host(kHost, 88, kHostMac);
        CarriedWay there = way(kOne, kHost, 1), back = way(kHost, kOne, 1);
        there.dst_mac = kHostMac;
        there.src_mac = back.src_mac = kMacTwo;
        dataplane_.to_carry[kFlow] = {.protocol = kProtocolTcp, .ways = {there, back}};
    }
};

TEST_F(HostShortcutTest, BothDirectionsAreInTheMapsByTheHostInterface) {
    offer();
    ASSERT_EQ(kernel_.entries.size(), 2u);
    EXPECT_TRUE(carries_both());
    const auto& [key, rewrite] = kernel_.entries[0];
    const auto& [back_key, back] = kernel_.entries[1];
    EXPECT_EQ(key.ifindex, 11u);
    EXPECT_EQ(rewrite.target, 88u);
    EXPECT_EQ(rewrite.flags, SHORTCUT_MACS | SHORTCUT_NODE);
    EXPECT_EQ(back_key.ifindex, 88u);
    EXPECT_EQ(back.target, 11u);
    EXPECT_EQ(back.flags, SHORTCUT_MACS | SHORTCUT_LEAVES);
    EXPECT_EQ(std::memcmp(back.from_mac, kHostMac.bytes.data(), 6), 0);
    EXPECT_EQ(std::memcmp(back.router_mac, kMacTwo.bytes.data(), 6), 0);
}

TEST_F(HostShortcutTest, WhatTheNodeSaysToTheOutsideOrToItselfIsNotCarried) {
    shortcut_.add_uplink(kUplink, 99);
    for (const PortId other : {kUplink, kHost}) {
        dataplane_.to_carry[kFlow].ways = {way(kHost, other, 1), way(other, kHost, 1)};
        offer();
        EXPECT_TRUE(kernel_.entries.empty());
        EXPECT_FALSE(shortcut_.joins(kHost, other));
    }
}

TEST_F(HostShortcutTest, APodThatGoesTakesItsConnectionsAlong) {
    offer();
    shortcut_.remove_port(kOne);
    EXPECT_TRUE(kernel_.entries.empty());
}

TEST(ShortcutOff, DoesNothing) {
    FakeDataplane dataplane;
    Shortcut shortcut(dataplane, nullptr);
    shortcut.begin(0);
    shortcut.add_port(kOne, 11, kMacOne);
    shortcut.add_host(kTwo, 12, kMacTwo);
    shortcut.offered(kFlow, 0);
    shortcut.before(*dataplane.current());
    shortcut.tick(5000);
    shortcut.rest();
    shortcut.remove_port(kOne);
    EXPECT_FALSE(shortcut.is_on());
    EXPECT_FALSE(shortcut.carries(kFlow));
}

}  // namespace
}  // namespace podlane::control
