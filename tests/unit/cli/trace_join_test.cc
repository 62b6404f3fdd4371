// Packets of several nodes, joined by what both nodes see of them.
#include "control/cli/trace_join.h"

#include <gtest/gtest.h>

#include "control/kube/base64.h"
#include "tests/support/frames.h"

namespace podlane::control {
namespace {

using Json = nlohmann::ordered_json;
using test::frame;

/// A datagram from 10.244.1.10 to this port, as it is sent, or with what routers left of its TTL.
test::Frame datagram(uint16_t port, uint8_t ttl = 64) {
    return frame().eth().ip("10.244.1.10", "10.244.2.10").ttl(ttl).udp(7, port);
}
/// The same in the tunnel, behind the first node.
test::Frame tunnelled(uint16_t port) {
    return frame()
        .eth()
        .ip("192.168.50.1", "192.168.50.2")
        .udp(50000, 8472)
        .vxlan(1)
        .eth()
        .ip("10.244.1.10", "10.244.2.10")
        .ttl(63)
        .udp(7, port);
}

template <class Bytes>
Json record(const Bytes& bytes, const char* stage, const char* verdict) {
    Json out{{"packet", 1U},
             {"timeNs", 1'000'000'000U},
             {"worker", 0U},
             {"inPort", "in"},
             {"wireBytes", bytes.size()},
             {"bytes", to_base64({reinterpret_cast<const char*>(bytes.data()), bytes.size()})}};
    if (*stage == '\0') return out;
    out["stage"] = stage;
    out["verdict"] = verdict;
    return out;
}

/// A packet that came as one frame and left as another; the last stage no longer has a frame.
NodeTrace passed(const char* node, test::Frame came, test::Frame left) {
    Json last = record(left.build(), "tx", "send");
    last["bytes"] = "";
    return {node, {record(came.build(), "", ""), record(left.build(), "forward", "send"), last}};
}

std::string nodes_of(const TracedWay& way) {
    std::string out;
    for (const NodeTrace& each : way) out += each.node;
    return out;
}

class TraceJoinerTest : public testing::Test {
  protected:
    TraceJoiner joiner_;
    TraceJoiner::Clock::time_point now_{};
};

TEST_F(TraceJoinerTest, APacketIsFollowedThroughTheTunnelWhoeverTellsOfItFirst) {
    joiner_.add(passed("b", tunnelled(80), datagram(80, 62)), now_);
    joiner_.add(passed("b", tunnelled(81), datagram(81, 62)), now_);
    joiner_.add(passed("a", datagram(81), tunnelled(81)), now_);
    joiner_.add(passed("a", datagram(80), tunnelled(80)), now_);
    EXPECT_TRUE(joiner_.take(now_, false).empty()) << "more may come";
    const auto ways = joiner_.take(now_ + TraceJoiner::kWait, false);
    ASSERT_EQ(ways.size(), 2u);
    EXPECT_EQ(nodes_of(ways[0]), "ab");
    EXPECT_EQ(nodes_of(ways[1]), "ab");
    EXPECT_NE(way_text(ways[0], 1).find(":80,"), std::string::npos) << way_text(ways[0], 1);
    EXPECT_TRUE(joiner_.take(now_, true).empty());
}

TEST_F(TraceJoinerTest, APacketThatIsDroppedIsFollowedNoFurther) {
    NodeTrace dropped = passed("a", datagram(80), datagram(80));
    dropped.packet = {record(datagram(80).build(), "", ""),
                      record(datagram(80).build(), "slow_path", "drop")};
    joiner_.add(std::move(dropped), now_);
    joiner_.add(passed("b", tunnelled(80), datagram(80, 62)), now_);
    const auto ways = joiner_.take(now_, true);
    ASSERT_EQ(ways.size(), 2u);
    EXPECT_EQ(nodes_of(ways[0]), "a");
    EXPECT_EQ(nodes_of(ways[1]), "b");
}

TEST_F(TraceJoinerTest, ACircleEnds) {
    joiner_.add(passed("a", datagram(80), datagram(80)), now_);
    joiner_.add(passed("b", datagram(80), datagram(80)), now_);
    const auto ways = joiner_.take(now_, true);
    ASSERT_EQ(ways.size(), 1u);
    EXPECT_EQ(ways[0].size(), 2u);
}

TEST_F(TraceJoinerTest, WhatWaitsIsBounded) {
    for (size_t i = 0; i < TraceJoiner::kMost + 5; ++i) {
        joiner_.add(passed("a", datagram(80), datagram(80)), now_);
    }
    EXPECT_EQ(joiner_.take(now_, false).size(), 5u);
}

TEST_F(TraceJoinerTest, AWayIsOnePacketWithItsNodes) {
    joiner_.add(passed("a", datagram(80), tunnelled(80)), now_);
    joiner_.add(passed("b", tunnelled(80), datagram(80, 62)), now_);
    const auto ways = joiner_.take(now_, true);
    ASSERT_EQ(ways.size(), 1u);
    const std::string text = way_text(ways[0], 3);
    EXPECT_EQ(text.find("node a  packet 3  "), 0u) << text;
    EXPECT_NE(text.find("then node b  packet 3  "), std::string::npos) << text;
    const Json json = way_json(ways[0]);
    ASSERT_EQ(json["way"].size(), 2u);
    EXPECT_EQ(json["way"][0]["node"], "a");
    EXPECT_EQ(json["way"][1]["node"], "b");
    EXPECT_TRUE(json["way"][1].contains("stages"));
}

}  // namespace
}  // namespace podlane::control
