// TAPs that outlive the process that made them: closing the queues stands for its end.
#include <algorithm>

#include "control/netdev/kept_tap.h"
#include "control/netdev/netns.h"
#include "control/netdev/rtnl.h"
#include "control/netdev/tap_parts.h"
#include "tests/unit/netdev/namespaces.h"

namespace podlane::control {
namespace {

constexpr MacAddress kKeptMac{{2, 0, 0, 0, 0, 1}};
constexpr MacAddress kRouterMac{{2, 0, 0, 0, 0, 2}};
constexpr const char* kOwner = "node-a";

PodTapRequest kept_pod_request(const ScratchNamespace& pod) {
    return {.netns_path = pod.path(),
            .mac = kKeptMac,
            .mtu = 1450,
            .queues = 2,
            .addresses = {address("10.244.1.5/24"), address("fd00:1::5/64")},
            .gateways = {ip("10.244.1.1"), ip("fd00:1::1")},
            .offloads = {}};
}

HostTapRequest kept_host_request() {
    return {.ifname = "podlane0",
            .mac = kKeptMac,
            .queues = 1,
            .addresses = {address("192.168.50.1/24"), address("fd50::1/64")},
            .gateways = {ip("192.168.50.254")},
            .cluster_cidrs = {prefix("10.244.0.0/16"), prefix("10.96.0.0/12")},
            .routers = {{ip("10.244.1.1"), kRouterMac}},
            .offloads = {}};
}

void close_queues(const KeptTap& tap) {
    for (const int fd : tap.queue_fds) ::close(fd);
}

int index_of(const char* ifname) {
    const auto link = *Rtnl::open()->find_link(ifname);
    return link ? link->ifindex : 0;
}

class KeptTapTest : public NetdevTest {
  protected:
    /// Makes the pod's interface and ends its process.
    int leave(const std::string& owner = kOwner) {
        const auto tap = keep_pod_tap(kept_pod_request(there_), owner);
        EXPECT_TRUE(tap.ok()) << tap.error().message;
        if (tap.ok()) close_queues(*tap);
        return pods_index();
    }
    int pods_index() {
        int index = 0;
        there_.run([&] { index = index_of("eth0"); });
        return index;
    }
    ScratchNamespace there_;
};

TEST_F(KeptTapTest, StaysWithAddressesAndRoutesAndIsAttachedAgain) {
    const int ifindex = leave();
    EXPECT_TRUE(there_.shell("ip -4 address show eth0 | grep -q 10.244.1.5/24"));
    EXPECT_TRUE(there_.shell("ip route show default | grep -q 'via 10.244.1.1'"));
    EXPECT_TRUE(there_.shell("ip -6 route show default | grep -q 'via fd00:1::1'"));
    auto again = attach_pod_tap(kept_pod_request(there_), kOwner);
    ASSERT_TRUE(again.ok()) << again.error().message;
    EXPECT_EQ(pods_index(), ifindex);
    EXPECT_TRUE(again->was_there);
    ASSERT_EQ(again->queue_fds.size(), 2U);
    EXPECT_NE(wait_for(again->queue_fds[0], POLLOUT) & POLLOUT, 0);
    EXPECT_TRUE(there_.shell("ip link show eth0 | grep -q LOWER_UP"));
    close_queues(*again);
    again->remove();
    EXPECT_EQ(pods_index(), 0);
}

TEST_F(KeptTapTest, IsMadeAgainWhereItIsGone) {
    leave();
    ASSERT_TRUE(there_.shell("ip link delete eth0"));
    auto again = attach_pod_tap(kept_pod_request(there_), kOwner);
    ASSERT_TRUE(again.ok()) << again.error().message;
    EXPECT_FALSE(again->was_there);
    EXPECT_TRUE(there_.shell("ip -4 address show eth0 | grep -q 10.244.1.5/24"));
    close_queues(*again);
    again->remove();
    EXPECT_EQ(pods_index(), 0);
}

TEST_F(KeptTapTest, OfSomebodyElseOrInUseIsRefused) {
    auto used = keep_pod_tap(kept_pod_request(there_), kOwner);
    ASSERT_TRUE(used.ok()) << used.error().message;
    EXPECT_FALSE(attach_pod_tap(kept_pod_request(there_), kOwner).ok());
    EXPECT_FALSE(keep_pod_tap(kept_pod_request(there_), kOwner).ok());
    close_queues(*used);
    const auto refused = attach_pod_tap(kept_pod_request(there_), "node-b");
    ASSERT_FALSE(refused.ok());
    EXPECT_NE(refused.error().message.find("the interface is not ours"), std::string::npos)
        << refused.error().message;
    EXPECT_NE(pods_index(), 0);
    used->remove();
}

TEST_F(KeptTapTest, LeftInTheWayIsReplacedByANewOneOfTheSameOwner) {
    const int ifindex = leave();
    auto next = keep_pod_tap(kept_pod_request(there_), kOwner);
    ASSERT_TRUE(next.ok()) << next.error().message;
    EXPECT_NE(pods_index(), ifindex);
    close_queues(*next);
    next->remove();
}

TEST_F(KeptTapTest, TakesAnotherMtuAndNumberOfQueues) {
    leave();
    PodTapRequest request = kept_pod_request(there_);
    request.mtu = 1400;
    request.queues = 3;
    auto again = attach_pod_tap(request, kOwner);
    ASSERT_TRUE(again.ok()) << again.error().message;
    EXPECT_EQ(again->queue_fds.size(), 3U);
    EXPECT_TRUE(there_.shell("ip link show eth0 | grep -q 'mtu 1400'"));
    EXPECT_TRUE(there_.shell("ip route show default | grep -q 'via 10.244.1.1'"));
    close_queues(*again);
    again->remove();
}

TEST_F(KeptTapTest, OfTheHostStaysTheSameAndGetsWhatIsNewlyAskedFor) {
    there_.run([&] {
        const auto first = keep_host_tap(kept_host_request(), kOwner);
        ASSERT_TRUE(first.ok()) << first.error().message;
        close_queues(*first);
        const int ifindex = index_of("podlane0");
        ASSERT_EQ(std::system("ip route add 192.0.2.7/32 dev podlane0 proto 96"), 0);
        ASSERT_EQ(std::system("ip route add 192.0.2.8/32 dev podlane0 proto static"), 0);
        HostTapRequest request = kept_host_request();
        request.addresses = {address("192.168.50.1/24"), address("192.168.60.1/24")};
        request.gateways = {ip("192.168.60.254")};
        request.cluster_cidrs = {prefix("10.244.0.0/16"), prefix("10.112.0.0/12")};
        auto again = keep_host_tap(request, kOwner);
        ASSERT_TRUE(again.ok()) << again.error().message;
        EXPECT_TRUE(again->was_there);
        EXPECT_EQ(index_of("podlane0"), ifindex);
        auto rtnl = Rtnl::open();
        ASSERT_TRUE(rtnl.ok());
        const auto addresses = *rtnl->addresses(ifindex);
        const auto has = [&](const char* text) {
            return std::ranges::find(addresses, address(text)) != addresses.end();
        };
        EXPECT_TRUE(has("192.168.50.1/24"));
        EXPECT_TRUE(has("192.168.60.1/24"));
        EXPECT_FALSE(has("fd50::1/64"));
        const auto routes = *rtnl->routes(ifindex);
        const auto via = [&](const char* destination) -> std::string {
            const auto at =
                std::ranges::find(routes, prefix(destination), &KernelRoute::destination);
            if (at == routes.end()) return "none";
            return at->via ? to_string(*at->via) : "link";
        };
        EXPECT_EQ(via("0.0.0.0/0"), "192.168.60.254");
        EXPECT_EQ(via("10.244.0.0/16"), "10.244.1.1");
        EXPECT_EQ(via("10.112.0.0/12"), "10.244.1.1");
        EXPECT_EQ(via("10.96.0.0/12"), "none");
        EXPECT_EQ(via("192.0.2.7/32"), "link") << "a load balancer's, which follows the objects";
        EXPECT_EQ(via("192.0.2.8/32"), "none");
        close_queues(*again);
        remove_left_tap("podlane0", "node-b");
        EXPECT_NE(index_of("podlane0"), 0);
        remove_left_tap("podlane0", kOwner);
        EXPECT_EQ(index_of("podlane0"), 0);
    });
}

TEST_F(KeptTapTest, ANamespaceIsKnownByWhatStandsAtItsPath) {
    const ScratchNamespace other;
    EXPECT_EQ(netns_id(there_.path()), netns_id(there_.path()));
    EXPECT_NE(netns_id(there_.path()), netns_id(other.path()));
    EXPECT_EQ(netns_id("/run/netns/there-is-none"), NetnsId{});
}

}  // namespace
}  // namespace podlane::control
