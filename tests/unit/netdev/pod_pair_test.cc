// Pairs of devices for a pod, without the programs that pass frames between them.
#include "control/netdev/pod_pair.h"

#include <fmt/format.h>

#include "control/netdev/netns.h"
#include "control/netdev/rtnl.h"
#include "tests/unit/netdev/namespaces.h"

namespace podlane::control {
namespace {

constexpr MacAddress kPairMac{{2, 0, 0, 0, 0, 1}};
constexpr const char* kPairOwner = "node-a";

/// Needs a namespace of podlaned's as well, because pairs stay in it.
class PodPairTest : public NetdevTest {
  protected:
    [[nodiscard]] PodTapRequest request() const {
        return {.netns_path = pod_.path(),
                .mac = kPairMac,
                .mtu = 1450,
                .queues = 2,
                .addresses = {address("10.244.1.5/24"), address("fd00:1::5/64")},
                .gateways = {ip("10.244.1.1"), ip("fd00:1::1")},
                .offloads = {},
                .shortcut = true};
    }
    static void close_all(const KeptTap& tap) {
        for (const int fd : tap.queue_fds) ::close(fd);
    }
    /// A link of podlaned's namespace, where the caller must be.
    static std::optional<LinkInfo> link(const std::string& name) {
        return *Rtnl::open()->find_link(name);
    }
    [[nodiscard]] std::optional<LinkInfo> in_pod() const {
        std::optional<LinkInfo> found;
        pod_.run([&] { found = link("eth0"); });
        return found;
    }
    Result<void> connect(int veth, int tap, const MacAddress& pod) {
        connected_.emplace_back(veth, tap);
        EXPECT_EQ(pod, kPairMac);
        return refuse_ ? Result<void>(Error{"refused"}) : Result<void>{};
    }
    [[nodiscard]] ConnectPair connecting() {
        return [this](int veth, int tap, const MacAddress& mac) { return connect(veth, tap, mac); };
    }

    ScratchNamespace pod_, node_;
    std::vector<std::pair<int, int>> connected_;
    bool refuse_ = false;
};

TEST_F(PodPairTest, HasTheAddressesInThePodAndTwoSilentDevicesHere) {
    node_.run([this] {
        const auto made = make_pod_pair(request(), kPairOwner, true, connecting());
        ASSERT_TRUE(made.ok()) << made.error().message;
        EXPECT_EQ(made->queue_fds.size(), 2u);
        const std::string end = std::to_string(made->node_end);
        const auto veth = link("plv" + end), tap = link("plt" + end);
        ASSERT_TRUE(veth && tap);
        EXPECT_EQ(veth->ifindex, made->node_end);
        EXPECT_EQ(connected_.at(0), std::pair(veth->ifindex, tap->ifindex));
        EXPECT_TRUE(veth->up && tap->up && tap->carrier);
        EXPECT_EQ(veth->mtu, 1450u);
        EXPECT_TRUE(Rtnl::open()->addresses(veth->ifindex)->empty());
        EXPECT_TRUE(Rtnl::open()->addresses(tap->ifindex)->empty());
        const auto pod = in_pod();
        ASSERT_TRUE(pod);
        EXPECT_EQ(pod->mac, kPairMac);
        EXPECT_EQ(pod->peer, made->node_end);
        EXPECT_TRUE(pod_.shell("ip -o -4 a show eth0 | grep -q 10.244.1.5/24"));
        EXPECT_TRUE(pod_.shell("ip -6 route | grep -q 'default via fd00:1::1'"));
        made->remove();
        EXPECT_FALSE(link("plv" + end) || link("plt" + end) || in_pod());
        close_all(*made);
    });
}

TEST_F(PodPairTest, IsTakenBackByItsOwnerAlone) {
    node_.run([this] {
        const auto made = make_pod_pair(request(), kPairOwner, true, connecting());
        ASSERT_TRUE(made.ok()) << made.error().message;
        EXPECT_TRUE(is_pod_pair(request(), kPairOwner));
        EXPECT_FALSE(is_pod_pair(request(), "node-b"));
        const auto in_use = attach_pod_pair(request(), kPairOwner, true, {});
        ASSERT_TRUE(in_use.ok()) << in_use.error().message;
        EXPECT_TRUE(in_use->queue_fds.empty());
        close_all(*made);
        const auto again = attach_pod_pair(request(), kPairOwner, false, connecting());
        ASSERT_TRUE(again.ok()) << again.error().message;
        EXPECT_TRUE(again->was_there);
        EXPECT_EQ(again->node_end, made->node_end);
        EXPECT_EQ(again->queue_fds.size(), 2u);
        EXPECT_EQ(connected_.size(), 2u);
        EXPECT_FALSE(make_pod_pair(request(), kPairOwner, true, connecting()).ok()) << "in use";
        close_all(*again);
        // Left by a process that has ended: a new one takes its place.
        const auto next = make_pod_pair(request(), kPairOwner, false, connecting());
        ASSERT_TRUE(next.ok()) << next.error().message;
        EXPECT_NE(next->node_end, made->node_end);
        EXPECT_FALSE(link("plt" + std::to_string(made->node_end)));
        close_all(*next);
    });
}

TEST_F(PodPairTest, AFailureLeavesNothing) {
    node_.run([this] {
        refuse_ = true;
        const auto made = make_pod_pair(request(), kPairOwner, true, connecting());
        ASSERT_FALSE(made.ok());
        EXPECT_NE(made.error().message.find("refused"), std::string::npos);
        EXPECT_FALSE(in_pod());
        const std::string end = std::to_string(connected_.at(0).first);
        EXPECT_FALSE(link("plv" + end) || link("plt" + end));
    });
}

TEST_F(PodPairTest, WhatNobodyHasOpenGoesWholeOrInParts) {
    node_.run([this] {
        auto made = make_pod_pair(request(), kPairOwner, true, connecting());
        ASSERT_TRUE(made.ok()) << made.error().message;
        std::string end = std::to_string(made->node_end);
        remove_left_pairs(kPairOwner);
        EXPECT_TRUE(link("plv" + end) && link("plt" + end)) << "it is in use";
        close_all(*made);
        remove_left_pairs("node-b");
        EXPECT_TRUE(link("plv" + end) && link("plt" + end)) << "it is another's";
        remove_left_pairs(kPairOwner);
        EXPECT_FALSE(link("plv" + end) || link("plt" + end) || in_pod());

        made = make_pod_pair(request(), kPairOwner, true, connecting());
        ASSERT_TRUE(made.ok()) << made.error().message;
        end = std::to_string(made->node_end);
        close_all(*made);
        // As if the pod's namespace had ended.
        ASSERT_TRUE(Rtnl::open()->delete_link(made->node_end).ok());
        remove_left_pairs(kPairOwner);
        EXPECT_FALSE(link("plt" + end));
    });
}

TEST_F(PodPairTest, AVethThatWasBeingMadeGoesWithItsMaker) {
    node_.run([] {
        const std::string mine = fmt::format("plt{:x}.1", ::getpid());
        ASSERT_TRUE(Rtnl::open()->add_veth(mine, "other").ok());
        remove_left_pairs(kPairOwner);
        EXPECT_TRUE(link(mine)) << "its maker is running";
        // Above the largest process id.
        ASSERT_TRUE(Rtnl::open()->change_link(mine, {.name = "plt7fffff.1"}).ok());
        remove_left_pairs(kPairOwner);
        EXPECT_FALSE(link("plt7fffff.1") || link("other"));
    });
}

}  // namespace
}  // namespace podlane::control
