// The BPF program between pods and the node's own kernel: the same packets as a worker's, the same
// bytes. Needs root, and a kernel that takes the program.
#include <random>
#include <tuple>

#include "tests/unit/shortcut/program_rig.h"

namespace podlane::control {
namespace {

/// Between a pod and the node itself nothing loses a hop, and all is routed.
template <Family F>
void compare_with_node(auto put, auto run) {
    std::mt19937_64 random(test::test_seed());
    for (unsigned round = 0; round < 200; ++round) {
        const uint8_t protocol = round % 2 == 0 ? kProtocolTcp : kProtocolUdp;
        const FlowKey<F> from = random_key<F>(random, protocol);
        FlowKey<F> to = from;
        const FlowKey<F> other = random_key<F>(random, protocol);
        if ((round / 2) % 2 != 0)
            std::tie(to.dst, to.dst_port) = std::tie(other.dst, other.dst_port);
        if ((round / 4) % 2 != 0)
            std::tie(to.src, to.src_port) = std::tie(other.src, other.src_port);
        put(way_of<F>(from, to, 0), protocol);
        const Bytes frame = frame_of<F>(random, from, kGateway);
        const auto [out, carried] = run(frame);
        ASSERT_TRUE(carried) << "round " << round;
        EXPECT_EQ(out, by_worker<F>(frame, from, to, 0, true)) << "round " << round;
    }
}

TEST_F(ShortcutProgramTest, BetweenPodAndNodePacketsAreWhatAWorkerMakesThem) {
    const auto to_node = [this](const CarriedWay& way, uint8_t protocol) {
        put(way, protocol, SHORTCUT_NODE | SHORTCUT_MACS);
    };
    const auto from_node = [this](const CarriedWay& way, uint8_t protocol) {
        put(way, protocol, SHORTCUT_LEAVES | SHORTCUT_MACS);
    };
    const auto at_pod = [this](const Bytes& frame) { return run(frame); };
    const auto at_host = [this](const Bytes& frame) { return run(frame, kFromHost); };
    compare_with_node<V4>(to_node, at_pod);
    compare_with_node<V6>(to_node, at_pod);
    compare_with_node<V4>(from_node, at_host);
    compare_with_node<V6>(from_node, at_host);
}

TEST_F(ShortcutProgramTest, WhatOfTheNodesIsNotPlainOrNotValidGoesOnItsWay) {
    std::mt19937_64 random(test::test_seed());
    FlowKey<V4> from = random_key<V4>(random, kProtocolTcp);
    const CarriedWay way = way_of<V4>(from, from, 0);
    const auto tcp = [&](const MacAddress& to, uint8_t flags) {
        return test::frame()
            .eth(kPod, to)
            .ip<V4>(from.src, from.dst)
            .ttl(1)
            .tcp(from.src_port.host(), from.dst_port.host(), flags);
    };
    const Bytes good = tcp(kGateway, kTcpAck).payload(100).build();
    for (const size_t program : {kFromPod, kFromHost}) {
        const bool is_pods = program == kFromPod;
        put(way, kProtocolTcp, SHORTCUT_MACS | (is_pods ? SHORTCUT_NODE : SHORTCUT_LEAVES));
        EXPECT_TRUE(run(good, program).second);
        const auto given_up = [&](const Bytes& frame, const char* what) {
            expect_given_up(frame, what, program);
        };
        given_up(tcp(kOther, kTcpAck).build(), "for the other end's MAC address");
        given_up(tcp(kGateway, kTcpAck).payload(2000).build(), "larger than the MTU");
        Bytes fragment = good;
        fragment[14 + 6] = 0x20;
        given_up(fragment, "a fragment");
        kernel_->epochs().topology = kEpoch + 1;
        given_up(good, "an epoch that has passed");
        kernel_->epochs().topology = kEpoch;
        kernel_->epochs().paused = 1;
        given_up(good, "while it is paused");
        kernel_->epochs().paused = 0;
        given_up(tcp(kGateway, kTcpFin | kTcpAck).build(), "FIN");
        EXPECT_EQ(kernel_->state(2).stopped, 1u) << "the other direction goes on";
        given_up(good, "after FIN");
    }
}

TEST_F(ShortcutProgramTest, TheHostInterfaceHasItAtItsEgress) {
    there_.run([this] {
        EXPECT_FALSE(has_shortcut(two_));
        ASSERT_TRUE(program_->connect_host(two_).ok());
        ASSERT_TRUE(program_->connect_host(two_).ok()) << "once more, as after a restart";
        EXPECT_TRUE(has_shortcut(two_));
        EXPECT_FALSE(has_shortcut(one_)) << "a pod's device has it at its ingress";
        ASSERT_TRUE(Rtnl::open()->remove_ingress(two_).ok());
        EXPECT_FALSE(has_shortcut(two_));
    });
}

}  // namespace
}  // namespace podlane::control
