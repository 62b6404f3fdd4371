// TAPs that outlive the process, attached to ahead of being asked for; by the process that
// attaches.
#include "control/node/kept_taps.h"

#include <unistd.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "control/node/pod_interface.h"
#include "tests/unit/netdev/namespaces.h"

namespace podlane::control {
namespace {

TEST(PodInterface, AKeptPodsIsMadeAsItWas) {
    NodeConfig config;
    config.pods.cidrs = {prefix("10.244.1.0/24"), prefix("fd00:10:244:1::/64")};
    config.pods.mtu = 1450;
    KeptPod pod;
    pod.netns = "/run/netns/web";
    pod.ifname = "net1";
    pod.mac = mac("02:00:00:00:00:05");
    pod.addresses = {ip("fd00:10:244:1::5"), ip("10.244.1.5")};
    const auto request = kept_interface(config, pod, 2);
    ASSERT_TRUE(request);
    EXPECT_EQ(*request, (PodTapRequest{
                            .netns_path = "/run/netns/web",
                            .ifname = "net1",
                            .mac = pod.mac,
                            .mtu = 1450,
                            .queues = 2,
                            .addresses = {address("fd00:10:244:1::5/64"), address("10.244.1.5/24")},
                            .gateways = {ip("10.244.1.1"), ip("fd00:10:244:1::1")},
                            .offloads = {}}));
    pod.addresses.push_back(ip("10.244.2.5"));
    EXPECT_FALSE(kept_interface(config, pod, 2)) << "not in this node's pod CIDRs any more";
    pod.addresses.pop_back();
    pod.socket.kind = PodInterface::kMemif;
    EXPECT_FALSE(kept_interface(config, pod, 2));
}

TEST(PodInterface, GatewaysAreOneAFamilyAndQueuesBounded) {
    NodeConfig config;
    config.pods.cidrs = {prefix("10.244.1.0/24"), prefix("10.245.0.0/16")};
    EXPECT_EQ(pod_gateways(config, {ip("10.245.3.4"), ip("10.244.1.9"), ip("192.0.2.1")}),
              std::vector<IpAddress>{ip("10.245.0.1")});
    EXPECT_EQ(pod_cidr_of(config, ip("10.245.3.4")), &config.pods.cidrs[1]);
    EXPECT_EQ(pod_cidr_of(config, ip("192.0.2.1")), nullptr);
    EXPECT_EQ(tap_queues_for(0), 1u);
    EXPECT_EQ(tap_queues_for(3), 3u);
    EXPECT_EQ(tap_queues_for(1000), kMaxTapQueues);
}

class KeptTapsTest : public NetdevTest {
  protected:
    void SetUp() override {
        NetdevTest::SetUp();
        if (IsSkipped()) return;
        start();
    }
    /// Another podlaned.
    void start() {
        taps_.reset();
        attacher_.reset();
        auto started = PodAttacher::start(
            "node-a", [] { return Result<void>(); }, 5000);
        ASSERT_TRUE(started.ok()) << started.error().message;
        attacher_ = std::move(*started);
        taps_ = std::make_unique<KeptTapMaker>("node-a", *attacher_);
    }
    static PodTapRequest request(const ScratchNamespace& pod, uint8_t number) {
        const std::string mine = "/proc/self";
        const std::string last = std::to_string(number);
        return {
            .netns_path = "/proc/" + std::to_string(::getpid()) + pod.path().substr(mine.size()),
            .ifname = "eth0",
            .mac = {{2, 0, 0, 0, 0, number}},
            .mtu = 1450,
            .queues = 1,
            .addresses = {address(("10.244.1." + last + "/24").c_str())},
            .gateways = {ip("10.244.1.1")},
            .offloads = {}};
    }
    static bool has_carrier(const ScratchNamespace& pod) {
        return pod.shell("ip link show eth0 | grep -q LOWER_UP");
    }
    static void close_all(const MadeTap& tap) {
        for (const int fd : tap.queue_fds) ::close(fd);
    }

    ScratchNamespace one_, two_, three_;
    std::unique_ptr<PodAttacher> attacher_;
    std::unique_ptr<KeptTapMaker> taps_;
};

TEST_F(KeptTapsTest, AttachesAheadAndClosesWhatNobodyAsksFor) {
    for (const auto& [pod, number] : {std::pair(&one_, 5), {&two_, 6}, {&three_, 7}}) {
        auto made = taps_->make_pod_tap(request(*pod, static_cast<uint8_t>(number)));
        ASSERT_TRUE(made.ok()) << made.error().message;
        close_all(*made);
    }
    ASSERT_FALSE(has_carrier(one_));
    start();
    taps_->attach_ahead({request(one_, 5), request(two_, 6)});
    // The second pod is not asked for any more; the third one was not attached ahead.
    auto made = taps_->attach_pod_taps({request(three_, 7), request(one_, 5)});
    ASSERT_EQ(made.size(), 2u);
    for (auto& each : made) ASSERT_TRUE(each.ok()) << each.error().message;
    EXPECT_EQ(made[0]->queue_fds.size(), 1u);
    EXPECT_EQ(made[1]->queue_fds.size(), 1u);
    EXPECT_TRUE(has_carrier(one_));
    EXPECT_FALSE(has_carrier(two_));
    EXPECT_TRUE(has_carrier(three_));
    for (auto& each : made) close_all(*each);
    EXPECT_FALSE(has_carrier(one_)) << "nobody else has it open";
    made[1]->remove();
    EXPECT_FALSE(one_.shell("ip link show eth0 >/dev/null 2>&1"));
}

TEST_F(KeptTapsTest, WhatCouldNotBeAttachedAheadIsAskedForAgain) {
    PodTapRequest gone = request(one_, 5);
    gone.netns_path = "/proc/1/ns/nothing";
    taps_->attach_ahead({gone});
    EXPECT_EQ(taps_->netns_id("/proc/1/ns/nothing"), NetnsId{});
    const auto made = taps_->attach_pod_taps({gone});
    ASSERT_EQ(made.size(), 1u);
    EXPECT_NE(made[0].error().message.find("/proc/1/ns/nothing"), std::string::npos)
        << made[0].error().message;
}

}  // namespace
}  // namespace podlane::control
